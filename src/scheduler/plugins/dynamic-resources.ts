import type { AllocationResult, ResourceClaim } from '../../api/types/resource-v1.ts';
import { isConflict, messageOf } from '../../base/errors.ts';
import { definePlugin, type EffectContext, type PluginFactory } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { type Rejection, rejections } from '../framework/status.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import { allocate } from './device-allocation.ts';
import { deviceId } from './device-pools.ts';
import { createDeviceSelectors } from './device-selectors.ts';
import { compileNodeSelector } from './node-selector.ts';

const name = 'DynamicResources';
const reject = rejections(name);
const notHere = reject('UnschedulableAndUnresolvable', 'resourceclaim not available on the node');
const cannotAllocate = reject('Unschedulable', 'cannot allocate all claims');
const maxConsumers = 256;
const finalizer = 'resource.kubernetes.io/delete-protection';

interface State {
  readonly allocated: readonly ResourceClaim[];
  readonly open: readonly ResourceClaim[];
  readonly taken: ReadonlySet<string>;
}

/** Allocations decided here that the API server does not show yet, by the claim's uid. */
type InFlight = Map<string, AllocationResult>;

function claimNames({ pod }: PodInfo): ({ claim: string } | { missing: string })[] {
  return (pod.spec.resourceClaims ?? []).flatMap((ref): ({ claim: string } | { missing: string })[] => {
    if (ref.resourceClaimName) return [{ claim: ref.resourceClaimName }];
    const status = pod.status?.resourceClaimStatuses?.find(s => s.name === ref.name);
    if (!status) return [{ missing: ref.name }];
    // The template asked for nothing.
    return status.resourceClaimName ? [{ claim: status.resourceClaimName }] : [];
  });
}

function takenDevices(lookup: Lookup, inFlight: InFlight): Set<string> {
  const taken = new Set<string>();
  const take = (allocation: AllocationResult | undefined) => {
    for (const result of allocation?.devices?.results ?? []) if (!result.adminAccess) taken.add(deviceId(result));
  };
  for (const { metadata, status } of lookup.of('resource.k8s.io/v1/resourceclaims').list()) {
    take(status?.allocation);
    if (status?.allocation) inFlight.delete(metadata.uid ?? '');
  }
  for (const allocation of inFlight.values()) take(allocation);
  return taken;
}

function readClaims(pod: PodInfo, lookup: Lookup, inFlight: InFlight): State | Rejection {
  const allocated: ResourceClaim[] = [];
  const open: ResourceClaim[] = [];
  const no = (reason: string) => ({ ...reject('UnschedulableAndUnresolvable', reason) });
  for (const ref of claimNames(pod)) {
    if ('missing' in ref)
      return no(`pod "${pod.key}": could not find a ResourceClaim for the pod resource claim "${ref.missing}"`);
    const claim = lookup.of('resource.k8s.io/v1/resourceclaims').get(`${pod.namespace}/${ref.claim}`);
    if (!claim) return no(`resourceclaim "${ref.claim}" not found`);
    if (claim.metadata.deletionTimestamp) return no(`resourceclaim "${ref.claim}" is being deleted`);
    const allocation = claim.status?.allocation ?? inFlight.get(claim.metadata.uid ?? '');
    const consumers = claim.status?.reservedFor ?? [];
    if (consumers.length >= maxConsumers && !consumers.some(c => c.uid === pod.uid)) return no('resourceclaim in use');
    if (allocation) allocated.push({ ...claim, status: { ...claim.status, allocation } });
    else open.push(claim);
  }
  return { allocated, open, taken: takenDevices(lookup, inFlight) };
}

const isHere = ({ allocated }: State, node: NodeInfo): boolean =>
  allocated.every(({ status }) => {
    const selector = status?.allocation?.nodeSelector;
    return !selector || compileNodeSelector(selector)(node);
  });

const attempts = 5;

/** Writes what was allocated, and that the pod uses it; again from the claim's newest state when somebody else wrote meanwhile. */
async function commit(
  context: EffectContext,
  claim: ResourceClaim,
  allocation: AllocationResult | undefined,
): Promise<void> {
  const { client, signal } = context;
  for (let attempt = 1; ; attempt++) {
    try {
      const newest =
        attempt === 1
          ? claim
          : await client.resourceclaims(claim.metadata.namespace).get(claim.metadata.name, { signal });
      if (newest.metadata.uid !== claim.metadata.uid) throw new Error(`claim ${claim.metadata.name} was replaced`);
      return await write(context, newest, allocation);
    } catch (error) {
      if (!isConflict(error) || attempt === attempts) throw error;
    }
  }
}

async function write(
  { client, pod, signal }: EffectContext,
  claim: ResourceClaim,
  allocation: AllocationResult | undefined,
): Promise<void> {
  const claims = client.resourceclaims(claim.metadata.namespace);
  const { finalizers = [] } = claim.metadata;
  let current = claim;
  if (allocation && !finalizers.includes(finalizer))
    current = await claims.update(
      { ...claim, metadata: { ...claim.metadata, finalizers: [...finalizers, finalizer] } },
      { signal },
    );
  const reservedFor = current.status?.reservedFor ?? [];
  if (!allocation && reservedFor.some(r => r.uid === pod.uid)) return;
  const consumer = { resource: 'pods', name: pod.pod.metadata.name, uid: pod.uid };
  await claims.updateStatus(
    {
      ...current,
      status: { ...current.status, ...(allocation && { allocation }), reservedFor: [...reservedFor, consumer] },
    },
    { signal },
  );
}

/** Devices from drivers that publish them as ResourceSlices. */
export const dynamicResources: PluginFactory = {
  name,
  create() {
    const inFlight: InFlight = new Map();
    const selectors = createDeviceSelectors();
    const allocateOn = ({ open: claims, taken }: State, node: NodeInfo, lookup: Lookup) =>
      allocate({ claims, node, lookup, taken, selectors });
    const own = new Map<string, readonly ResourceClaim[]>();
    const forget = ({ key }: PodInfo) => {
      for (const claim of own.get(key) ?? []) inFlight.delete(claim.metadata.uid ?? '');
      own.delete(key);
    };
    return definePlugin<State>({
      name,
      preEnqueue(pod) {
        const missing = claimNames(pod).find(c => 'missing' in c);
        if (!missing || !('missing' in missing)) return undefined;
        const reason = `pod "${pod.key}": could not find a ResourceClaim for the pod resource claim "${missing.missing}"`;
        return { ...reject('UnschedulableAndUnresolvable', reason) };
      },
      preFilter(pod, { lookup }) {
        if (!pod.pod.spec.resourceClaims?.length) return { skip: true };
        const state = readClaims(pod, lookup, inFlight);
        return 'code' in state ? { reject: state } : { state };
      },
      filter(state, node, _pod, { lookup }) {
        if (!isHere(state, node)) return notHere;
        return state.open.length === 0 || allocateOn(state, node, lookup) ? undefined : cannotAllocate;
      },
      postFilter: ({ pod }) =>
        pod.pod.spec.resourceClaims?.length ? { message: '' } : { message: 'no new claims to deallocate' },
      reserve({ pod, node, snapshot }) {
        if (!pod.pod.spec.resourceClaims?.length) return undefined;
        const state = readClaims(pod, snapshot.lookup, inFlight);
        if ('code' in state) return state;
        const made = allocateOn(state, node, snapshot.lookup);
        if (!made) return cannotAllocate;
        for (const [uid, allocation] of made) inFlight.set(uid, allocation);
        own.set(pod.key, state.open);
        return undefined;
      },
      unreserve: ({ pod }) => forget(pod),
      needsPreBind: ({ pod }) => (pod.pod.spec.resourceClaims?.length ?? 0) > 0,
      async preBind(context) {
        const { pod, snapshot } = context;
        try {
          for (const ref of claimNames(pod)) {
            if ('missing' in ref) continue;
            const claim = snapshot.lookup.of('resource.k8s.io/v1/resourceclaims').get(`${pod.namespace}/${ref.claim}`);
            if (claim) await commit(context, claim, inFlight.get(claim.metadata.uid ?? ''));
          }
        } catch (error) {
          return { ...reject('Error', messageOf(error)) };
        }
        return undefined;
      },
      events: [
        { resource: 'ResourceClaim', actions: ['add', 'update', 'delete'] },
        { resource: 'ResourceSlice', actions: ['add', 'update'] },
        { resource: 'DeviceClass', actions: ['add', 'update'] },
        { resource: 'TargetPod', actions: ['update'] },
        { resource: 'Node', actions: ['add', 'update'] },
        { resource: 'Pod', actions: ['delete'] },
      ],
    });
  },
};
