import type { KubeObject } from '../../api/object.ts';
import { apiVersionOf } from '../../api/schema.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import { isApiError, isConflict, isNotFound } from '../../base/errors.ts';
import type { Controller, ControllerContext, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { settleAll } from '../support/pod-control.ts';
import {
  createGraph,
  foregroundFinalizer,
  type Graph,
  type GraphNode,
  isForeground,
  isOrphaning,
  orphanFinalizer,
} from './graph.ts';
import { createMonitors, type Monitors } from './monitors.ts';

/** Queue key that asks for discovery; uids never look like it. */
const discoveryKey = '#discovery';
/** A resource appears in discovery a moment after its definition. */
const discoveryDelayMs = 500;

/**
 * pkg/controller/garbagecollector of v1.35: deletes what has lost its last owner, empties what is deleted in the foreground, and frees the
 * dependents of what is deleted with "orphan". The cached graph only proposes; before anything is deleted, the object and the absence of
 * its owners are read from the server.
 */
export const garbageCollector: Controller = {
  name: 'garbage-collector-controller',
  account: 'generic-garbage-collector',
  component: 'garbage-collector-controller',
  aliases: ['garbagecollector'],
  setUp(context) {
    const graph = createGraph();
    let enqueue: (key: string, afterMs?: number) => void = () => undefined;
    const monitors = createMonitors(context, graph, uids => {
      for (const uid of uids) enqueue(uid);
    });
    const all: Deps = { context, graph, monitors, unresolved: new Set(), ready: undefined };
    const definitions = context.informers.informer('apiextensions.k8s.io/v1/customresourcedefinitions');
    const services = context.informers.informer('apiregistration.k8s.io/v1/apiservices');
    return {
      concurrency: 20,
      sources: [
        watch<'apiextensions.k8s.io/v1/customresourcedefinitions'>(definitions, () => later(enqueue)),
        watch<'apiregistration.k8s.io/v1/apiservices'>(services, () => later(enqueue)),
      ],
      attach(add) {
        enqueue = add;
        add(discoveryKey);
      },
      reconcile: key => (key === discoveryKey ? refresh(all, enqueue) : collect(all, key)),
    };
  },
};

interface Deps {
  readonly context: ControllerContext;
  readonly graph: Graph;
  readonly monitors: Monitors;
  /** Waiting for their owners' kind to be served. */
  readonly unresolved: Set<string>;
  /** Set by the first refresh: the graph is whole. */
  ready: Promise<void> | undefined;
}

function later(enqueue: (key: string, afterMs?: number) => void): string[] {
  enqueue(discoveryKey, discoveryDelayMs);
  return [];
}

async function refresh(all: Deps, enqueue: (key: string) => void): Promise<void> {
  await all.monitors.refresh();
  all.ready ??= all.monitors.synced();
  for (const uid of all.unresolved) enqueue(uid);
  all.unresolved.clear();
}

async function collect(all: Deps, uid: string): Promise<ReconcileResult> {
  if (!all.ready) return { requeueAfter: 1_000 };
  await all.ready;
  const node = all.graph.get(uid);
  if (!node) return;
  if (isOrphaning(node)) await orphanDependents(all, node);
  else if (isForeground(node)) await waitForDependents(all, node);
  // Anything else that is being deleted is on its way already.
  else if (!node.deleting && node.owners.length > 0) await deleteIfUnowned(all, node);
}

const target = ({ context }: Deps, { resource, namespace }: GraphNode) => context.client.resource(resource, namespace);

async function orphanDependents(all: Deps, node: GraphNode): Promise<void> {
  const { graph } = all;
  await settleAll(graph.dependents(node.uid).map(d => dropOwners(all, d, new Set([node.uid]))));
  await dropFinalizer(all, node, orphanFinalizer);
}

async function waitForDependents(all: Deps, node: GraphNode): Promise<void> {
  const dependents = all.graph.dependents(node.uid);
  const blocking = dependents.filter(d => d.owners.some(o => o.uid === node.uid && o.blockOwnerDeletion));
  // Each dependent was queued when the owner began to wait, and tells of its own end.
  if (blocking.length === 0) await dropFinalizer(all, node, foregroundFinalizer);
}

interface Owners {
  solid: OwnerReference[];
  dangling: OwnerReference[];
  waiting: OwnerReference[];
  unresolved: boolean;
}

async function deleteIfUnowned(all: Deps, node: GraphNode): Promise<void> {
  const live = await readMetadata(all, node);
  if (live?.metadata.uid !== node.uid || live.metadata.deletionTimestamp) return;
  const owners = await classify(all, node, live.metadata.ownerReferences ?? []);
  if (owners.unresolved) {
    all.unresolved.add(node.uid);
    return;
  }
  const lost = [...owners.dangling, ...owners.waiting];
  if (lost.length === 0) return;
  if (owners.solid.length > 0) return dropOwners(all, node, new Set(lost.map(o => o.uid)));
  await remove(all, node, live, owners);
}

/** The propagation that the object itself asks for; dependents of something that waits are emptied first, too. */
async function remove(all: Deps, node: GraphNode, live: KubeObject, owners: Owners): Promise<void> {
  const { uid, resourceVersion, finalizers = [] } = live.metadata;
  const cascades = owners.waiting.length > 0 && all.graph.dependents(node.uid).length > 0;
  const propagationPolicy = finalizers.includes(orphanFinalizer)
    ? 'Orphan'
    : cascades || finalizers.includes(foregroundFinalizer)
      ? 'Foreground'
      : 'Background';
  if (cascades) await breakCycles(all, node);
  const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
  await target(all, node)
    .delete(node.name, { propagationPolicy, preconditions })
    .catch(e => {
      if (isNotFound(e)) return;
      throw e;
    });
}

/** Dependents that wait in the foreground themselves could wait for each other for ever: they block no more. */
async function breakCycles(all: Deps, node: GraphNode): Promise<void> {
  const waiting = all.graph.dependents(node.uid).filter(isForeground);
  if (waiting.length === 0) return;
  const ownerReferences = node.owners.map(o => ({ ...o, blockOwnerDeletion: false }));
  await patchMetadata(all, node, { ownerReferences });
}

async function classify(all: Deps, node: GraphNode, references: readonly OwnerReference[]): Promise<Owners> {
  const owners: Owners = { solid: [], dangling: [], waiting: [], unresolved: false };
  for (const ref of references) {
    const known = all.graph.get(ref.uid);
    if (known && sameScope(known, node, ref)) (isForeground(known) ? owners.waiting : owners.solid).push(ref);
    else {
      if (known) tellStranger(all, known, node, ref);
      const state = await askServer(all, node, ref);
      if (state === 'unresolved') owners.unresolved = true;
      else owners[state].push(ref);
    }
  }
  return owners;
}

/** An owner is in the dependent's namespace or has none. */
function sameScope(owner: GraphNode, dependent: GraphNode, ref: OwnerReference): boolean {
  const scoped = !owner.resource.namespaced || owner.namespace === dependent.namespace;
  return scoped && owner.resource.kind === ref.kind && owner.name === ref.name;
}

/** Such an owner is looked for in the dependent's own namespace, and its dependents may go: their author is told why. */
function tellStranger({ context }: Deps, owner: GraphNode, dependent: GraphNode, ref: OwnerReference): void {
  if (!owner.resource.namespaced || owner.namespace === dependent.namespace) return;
  const { resource, name, uid, namespace } = dependent;
  const about = {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name, uid, ...(namespace && { namespace }) },
  };
  const which = `[${ref.apiVersion}/${ref.kind}, namespace: ${namespace}, name: ${ref.name}, uid: ${ref.uid}]`;
  const message = `ownerRef ${which} does not exist in namespace ${JSON.stringify(namespace)}`;
  context.recorder.event(about, 'Warning', 'OwnerRefInvalidNamespace', message);
}

async function askServer(
  all: Deps,
  node: GraphNode,
  ref: OwnerReference,
): Promise<'solid' | 'dangling' | 'waiting' | 'unresolved'> {
  const resource = all.monitors.find(ref.apiVersion, ref.kind);
  // An unknown kind, or a namespaced owner of a cluster-wide object: nobody can tell, so nothing is deleted.
  if (!resource || (resource.namespaced && !node.namespace)) return 'unresolved';
  const client = all.context.client.resource(resource, resource.namespaced ? node.namespace : undefined);
  try {
    const owner = await client.get(ref.name);
    if (owner.metadata.uid !== ref.uid) return 'dangling';
    const waits = owner.metadata.deletionTimestamp && owner.metadata.finalizers?.includes(foregroundFinalizer);
    return waits ? 'waiting' : 'solid';
  } catch (e) {
    if (isNotFound(e)) return 'dangling';
    throw e;
  }
}

async function readMetadata(all: Deps, node: GraphNode): Promise<KubeObject | undefined> {
  return target(all, node)
    .get(node.name)
    .catch(e => {
      if (isNotFound(e)) return undefined;
      throw e;
    });
}

async function dropOwners(all: Deps, node: GraphNode, uids: ReadonlySet<string>): Promise<void> {
  const live = await readMetadata(all, node);
  if (live?.metadata.uid !== node.uid) return;
  const references = live.metadata.ownerReferences ?? [];
  const ownerReferences = references.filter(o => !uids.has(o.uid));
  if (ownerReferences.length === references.length) return;
  await patchMetadata(all, node, { ownerReferences, resourceVersion: live.metadata.resourceVersion });
}

async function dropFinalizer(all: Deps, node: GraphNode, finalizer: string): Promise<void> {
  const live = await readMetadata(all, node);
  if (live?.metadata.uid !== node.uid) return;
  const { finalizers = [], resourceVersion } = live.metadata;
  if (!finalizers.includes(finalizer)) return;
  await patchMetadata(all, node, { finalizers: finalizers.filter(f => f !== finalizer), resourceVersion });
}

/** A merge patch works for every kind; the version makes it safe to replace a whole list. */
async function patchMetadata(all: Deps, node: GraphNode, metadata: object): Promise<void> {
  await target(all, node)
    .patch(node.name, 'merge', { metadata: { uid: node.uid, ...metadata } })
    .catch(e => {
      const replaced = isApiError(e) && (e.code === 422 || isConflict(e)) && e.message.includes('UID');
      if (!isNotFound(e) && !replaced) throw e;
    });
}
