import { unitsOf } from '../../api/quantity.ts';
import { selectorFromObject } from '../../api/selectors/index.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';
import { sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { definePlugin, type EffectContext, type PluginFactory, type PluginHandle } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { type Rejection, rejections } from '../framework/status.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import {
  boundByControllerAnnotation,
  claimsOf,
  classNameOf,
  isFullyBound,
  selectedNodeAnnotation,
  waitsForConsumer,
} from './claims.ts';
import { findVolume, isReachable, requestOf } from './volume-matching.ts';

const name = 'VolumeBinding';
const reject = rejections(name);
const unresolvable = (reason: string) => reject('UnschedulableAndUnresolvable', reason);
const bindConflict = unresolvable("node(s) didn't find available persistent volumes to bind");
const nodeConflict = unresolvable("node(s) didn't match PersistentVolume's node affinity");
const notEnoughSpace = unresolvable('node(s) did not have enough free storage');
const volumeMissing = unresolvable('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');
const unboundImmediate = unresolvable('pod has unbound immediate PersistentVolumeClaims');
const noProvisioner = 'kubernetes.io/no-provisioner';

interface State {
  readonly bound: readonly PersistentVolumeClaim[];
  /** Largest last, so that small volumes are left for small claims. */
  readonly delayed: readonly PersistentVolumeClaim[];
}

/** What has to be done for a pod on a node. */
interface Plan {
  readonly bindings: readonly { readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume }[];
  readonly provisions: readonly PersistentVolumeClaim[];
}

/** Decisions of this scheduler that the API server does not show yet. */
interface Assumed {
  /** Volume by the claim that gets it. */
  readonly volumes: Map<string, string>;
  readonly plans: Map<string, Plan>;
}

function problemOf(claim: PersistentVolumeClaim | undefined, use: { name: string; ephemeral: boolean }, pod: PodInfo) {
  if (!claim)
    return use.ephemeral
      ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${use.name}"`
      : `persistentvolumeclaim "${use.name}" not found`;
  if (claim.status?.phase === 'Lost')
    return `persistentvolumeclaim "${use.name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`;
  if (claim.metadata.deletionTimestamp) return `persistentvolumeclaim "${use.name}" is being deleted`;
  const owned = claim.metadata.ownerReferences?.some(o => o.controller && o.uid === pod.uid);
  if (use.ephemeral && !owned)
    return `PVC ${use.name} was not created for pod ${pod.pod.metadata.name} (pod is not owner)`;
  return undefined;
}

function sortClaims(pod: PodInfo, lookup: Lookup): State | Rejection {
  const bound: PersistentVolumeClaim[] = [];
  const delayed: PersistentVolumeClaim[] = [];
  for (const use of claimsOf(pod)) {
    const claim = lookup.of('v1/persistentvolumeclaims').get(use.key);
    const problem = problemOf(claim, use, pod);
    if (problem !== undefined || !claim) return unresolvable(problem ?? '');
    if (isFullyBound(claim)) bound.push(claim);
    else if (!claim.spec.volumeName && waitsForConsumer(claim, lookup)) delayed.push(claim);
    else return unboundImmediate;
  }
  delayed.sort((a, b) => requestOf(a) - requestOf(b));
  return { bound, delayed };
}

/** Nodes that bound local volumes name: others need no look. */
function nodesOf(bound: readonly PersistentVolumeClaim[], lookup: Lookup): ReadonlySet<string> | undefined {
  let nodes: Set<string> | undefined;
  for (const claim of bound) {
    const terms = lookup.of('v1/persistentvolumes').get(claim.spec.volumeName ?? '')?.spec.nodeAffinity
      ?.required?.nodeSelectorTerms;
    if (!terms?.length) continue;
    const names = terms.map(t => (t.matchFields ?? []).find(f => f.key === 'metadata.name' && f.operator === 'In'));
    if (names.some(n => n === undefined)) continue;
    const own = new Set(names.flatMap(n => n?.values ?? []));
    const known: Set<string> | undefined = nodes;
    nodes = known ? new Set([...known].filter(n => own.has(n))) : own;
  }
  return nodes;
}

function hasCapacity(claim: PersistentVolumeClaim, cls: StorageClass, node: NodeInfo, lookup: Lookup): boolean {
  const driver = lookup.of('storage.k8s.io/v1/csidrivers').get(cls.provisioner);
  if (!driver?.spec.storageCapacity) return true;
  const wanted = requestOf(claim);
  return lookup
    .of('storage.k8s.io/v1/csistoragecapacities')
    .list()
    .some(each => {
      const limit = each.maximumVolumeSize ?? each.capacity;
      return (
        each.storageClassName === cls.metadata.name &&
        limit !== undefined &&
        unitsOf(limit) >= wanted &&
        selectorFromObject(each.nodeTopology).matches(node.labels)
      );
    });
}

function allowsTopology({ allowedTopologies = [] }: StorageClass, node: NodeInfo): boolean {
  if (allowedTopologies.length === 0) return true;
  return allowedTopologies.some(({ matchLabelExpressions = [] }) =>
    matchLabelExpressions.every(({ key, values }) => values.includes(node.labels[key] ?? '\u0000')),
  );
}

function checkBound(bound: readonly PersistentVolumeClaim[], node: NodeInfo, lookup: Lookup): Rejection | undefined {
  for (const claim of bound) {
    const volume = lookup.of('v1/persistentvolumes').get(claim.spec.volumeName ?? '');
    if (!volume) return volumeMissing;
    if (!isReachable(volume, node)) return nodeConflict;
  }
  return undefined;
}

/** How the unbound claims would be met on the node. */
function planFor(
  delayed: readonly PersistentVolumeClaim[],
  node: NodeInfo,
  lookup: Lookup,
  assumed: Assumed,
): Plan | Rejection {
  const bindings: { claim: PersistentVolumeClaim; volume: PersistentVolume }[] = [];
  const provisions: PersistentVolumeClaim[] = [];
  if (delayed.length === 0) return { bindings, provisions };
  const volumes = lookup.of('v1/persistentvolumes').list();
  const chosen = new Set<string>();
  const taken = (claim: PersistentVolumeClaim) => (volume: PersistentVolume) => {
    const holder = assumed.volumes.get(volume.metadata.name);
    return chosen.has(volume.metadata.name) || (holder !== undefined && holder !== claim.metadata.uid);
  };
  for (const claim of delayed) {
    const selected = claim.metadata.annotations?.[selectedNodeAnnotation];
    if (selected !== undefined) {
      if (selected !== node.name) return bindConflict;
      provisions.push(claim);
      continue;
    }
    const volume = findVolume(claim, volumes, node, taken(claim));
    if (volume) {
      chosen.add(volume.metadata.name);
      bindings.push({ claim, volume });
      continue;
    }
    const cls = lookup.of('storage.k8s.io/v1/storageclasses').get(classNameOf(claim));
    if (!cls?.provisioner || cls.provisioner === noProvisioner || !allowsTopology(cls, node)) return bindConflict;
    if (!hasCapacity(claim, cls, node, lookup)) return notEnoughSpace;
    provisions.push(claim);
  }
  return { bindings, provisions };
}

async function apply({ client, signal, node }: EffectContext, plan: Plan): Promise<void> {
  for (const { claim, volume } of plan.bindings) {
    const { name: claimName, namespace, uid, resourceVersion } = claim.metadata;
    const claimRef = {
      kind: 'PersistentVolumeClaim',
      apiVersion: 'v1',
      name: claimName,
      namespace,
      uid,
      resourceVersion,
    };
    const annotations = { [boundByControllerAnnotation]: 'yes' };
    const { resourceVersion: version } = volume.metadata;
    const patch = { metadata: { annotations, resourceVersion: version }, spec: { claimRef } };
    await client.persistentvolumes().patch(volume.metadata.name, 'merge', patch, { signal });
  }
  for (const claim of plan.provisions) {
    if (claim.metadata.annotations?.[selectedNodeAnnotation] === node.name) continue;
    const patch = {
      metadata: {
        annotations: { [selectedNodeAnnotation]: node.name },
        resourceVersion: claim.metadata.resourceVersion,
      },
    };
    await client
      .persistentvolumeclaims(claim.metadata.namespace)
      .patch(claim.metadata.name, 'merge', patch, { signal });
  }
}

/** Waits until the volume controller has bound every claim. */
async function untilBound(
  { signal, node }: EffectContext,
  plan: Plan,
  { clock, lookup }: PluginHandle,
  timeoutMs: number,
): Promise<void> {
  const claims = [...plan.bindings.map(b => b.claim), ...plan.provisions];
  const deadline = clock.monotonic() + timeoutMs;
  for (;;) {
    const now = claims.map(c =>
      lookup.of('v1/persistentvolumeclaims').get(`${c.metadata.namespace}/${c.metadata.name}`),
    );
    if (now.some(c => !c)) throw new Error('a claim was deleted while its volume was being bound');
    if (now.every(c => c && isFullyBound(c))) return;
    for (const claim of plan.provisions) {
      const current = lookup.of('v1/persistentvolumeclaims').get(`${claim.metadata.namespace}/${claim.metadata.name}`);
      const selected = current?.metadata.annotations?.[selectedNodeAnnotation];
      const seen = current?.metadata.resourceVersion !== claim.metadata.resourceVersion;
      // The provisioner gives a node back by removing the annotation.
      if (seen && selected !== node.name && current && !isFullyBound(current))
        throw new Error(`provisioning failed for PVC "${claim.metadata.name}"`);
    }
    if (clock.monotonic() >= deadline) throw new Error('timed out waiting for the condition');
    await sleep(clock, pollMs, signal);
  }
}
/** Upstream polls each second; binding a local volume takes milliseconds. */
const pollMs = 50;

/** Claims are met by volumes that the node can reach: bound ones, free ones, or new ones. */
export const volumeBinding: PluginFactory = {
  name,
  create({ bindTimeoutSeconds = 600 }: { bindTimeoutSeconds?: number }, handle) {
    const assumed: Assumed = { volumes: new Map(), plans: new Map() };
    const forget = (pod: PodInfo) => {
      const plan = assumed.plans.get(pod.key);
      assumed.plans.delete(pod.key);
      for (const { volume } of plan?.bindings ?? []) assumed.volumes.delete(volume.metadata.name);
    };
    return definePlugin<State>({
      name,
      preFilter(pod, { lookup }) {
        if (!pod.hasVolumes || claimsOf(pod).length === 0) return { skip: true };
        const state = sortClaims(pod, lookup);
        if ('code' in state) return { reject: state };
        const nodes = nodesOf(state.bound, lookup);
        return { state, ...(nodes && { nodes }) };
      },
      filter(state, node, _pod, { lookup }) {
        const rejection = checkBound(state.bound, node, lookup);
        if (rejection) return rejection;
        const plan = planFor(state.delayed, node, lookup, assumed);
        return 'code' in plan ? plan : undefined;
      },
      reserve({ pod, node, snapshot }) {
        if (claimsOf(pod).length === 0) return undefined;
        const state = sortClaims(pod, snapshot.lookup);
        if ('code' in state) return state;
        const plan = planFor(state.delayed, node, snapshot.lookup, assumed);
        if ('code' in plan) return plan;
        assumed.plans.set(pod.key, plan);
        for (const { claim, volume } of plan.bindings)
          assumed.volumes.set(volume.metadata.name, claim.metadata.uid ?? '');
        return undefined;
      },
      unreserve: ({ pod }) => forget(pod),
      needsPreBind: ({ pod }) => assumed.plans.has(pod.key),
      async preBind(context) {
        const plan = assumed.plans.get(context.pod.key);
        if (!plan) return undefined;
        try {
          await apply(context, plan);
          await untilBound(context, plan, handle, bindTimeoutSeconds * 1000);
        } catch (error) {
          return { ...reject('Error', `binding volumes: ${messageOf(error)}`) };
        }
        return undefined;
      },
      postBind: ({ pod }) => forget(pod),
      events: [
        { resource: 'StorageClass', actions: ['add', 'update'] },
        { resource: 'PersistentVolumeClaim', actions: ['add', 'update'] },
        { resource: 'PersistentVolume', actions: ['add', 'update'] },
        { resource: 'Node', actions: ['add', 'update'] },
        { resource: 'CSINode', actions: ['add', 'update'] },
        { resource: 'CSIDriver', actions: ['update'] },
        { resource: 'CSIStorageCapacity', actions: ['add', 'update'] },
      ],
    });
  },
};
