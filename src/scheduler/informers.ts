/** From the API's changes to the cache, the queue and the events that wake pods (pkg/scheduler/eventhandlers.go). */
import type { KubeObject } from '../api/object.ts';
import { keyOf } from '../api/object.ts';
import type { Node, Pod } from '../api/types/core-v1.ts';
import type { Informer, InformerFactory } from '../client/contract.ts';
import type { Cache } from './cache.ts';
import type { ClusterEvent } from './framework/plugin.ts';
import { podInfoOf } from './framework/pod-info.ts';
import type { Nominations } from './queue/nominations.ts';
import type { Queue } from './queue/queue.ts';
import { type LookedUp, type Lookup, lookedUp } from './snapshot/lookup.ts';

export interface Sinks {
  readonly cache: Cache;
  readonly queue: Queue;
  readonly nominations: Nominations;
  isMine(pod: Pod): boolean;
  onPodGone(key: string): void;
  onNamespaceLabels(): void;
}

/** What plugins call a resource in their events. */
const eventNames: { readonly [R in LookedUp]?: string } = {
  'v1/namespaces': 'Namespace',
  'v1/persistentvolumeclaims': 'PersistentVolumeClaim',
  'v1/persistentvolumes': 'PersistentVolume',
  'storage.k8s.io/v1/storageclasses': 'StorageClass',
  'storage.k8s.io/v1/csinodes': 'CSINode',
  'storage.k8s.io/v1/csidrivers': 'CSIDriver',
  'storage.k8s.io/v1/csistoragecapacities': 'CSIStorageCapacity',
  'storage.k8s.io/v1/volumeattachments': 'VolumeAttachment',
  'resource.k8s.io/v1/resourceclaims': 'ResourceClaim',
  'resource.k8s.io/v1/resourceslices': 'ResourceSlice',
  'resource.k8s.io/v1/deviceclasses': 'DeviceClass',
};

/** Servers that are older or leave these out still get pods scheduled. */
const optional = (resource: string) => resource.startsWith('resource.k8s.io/');

export interface Sources {
  readonly lookup: Lookup;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly others: ReadonlyMap<LookedUp, Informer<KubeObject>>;
  synced(): Promise<void>;
}

export function createSources(informers: InformerFactory): Sources {
  const pods = informers.informer('v1/pods', { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' });
  const nodes = informers.informer('v1/nodes');
  const others = new Map<LookedUp, Informer<KubeObject>>();
  for (const resource of lookedUp)
    others.set(resource, informers.informer(resource) as unknown as Informer<KubeObject>);
  const lookup: Lookup = {
    of: resource => {
      const informer = others.get(resource);
      if (!informer) throw new Error(`no informer of ${resource}`);
      return informer.store as never;
    },
  };
  return {
    lookup,
    pods,
    nodes,
    others,
    async synced() {
      const needed = [...others].filter(([resource]) => !optional(resource)).map(([, informer]) => informer);
      await Promise.all([pods.synced(), nodes.synced(), ...needed.map(i => i.synced())]);
    },
  };
}

/** Feeds the sinks from now on; returns how to stop. */
export function connect(sources: Sources, sinks: Sinks): () => void {
  const detach = [connectPods(sources.pods, sinks), connectNodes(sources.nodes, sinks)];
  for (const [resource, informer] of sources.others) {
    const name = eventNames[resource];
    if (name) detach.push(connectOther(name, informer, sinks));
  }
  return () => {
    for (const each of detach) each();
  };
}

const isAssigned = (pod: Pod) => Boolean(pod.spec.nodeName);

function connectPods(pods: Informer<Pod>, sinks: Sinks): () => void {
  const { cache, queue, nominations } = sinks;
  function added(pod: Pod): void {
    if (isAssigned(pod)) {
      cache.setPod(pod);
      queue.delete(keyOf(pod));
      nominations.delete(keyOf(pod));
      queue.happened({ resource: 'Pod', action: 'add', object: pod });
      return;
    }
    if (!sinks.isMine(pod) || cache.isAssumed(keyOf(pod))) return;
    const info = podInfoOf(pod);
    if (info.terminating) return;
    queue.add(info);
    const nominated = pod.status?.nominatedNodeName;
    if (nominated) nominations.set(info, nominated);
  }
  function removed(pod: Pod): void {
    const key = keyOf(pod);
    sinks.onPodGone(key);
    queue.delete(key);
    nominations.delete(key);
    if (!isAssigned(pod) && !cache.isAssumed(key)) return;
    cache.removePod(key);
    queue.happened({ resource: 'Pod', action: 'delete', object: pod });
  }
  function updated(pod: Pod, old: Pod): void {
    if (pod.metadata.uid !== old.metadata.uid) {
      removed(old);
      added(pod);
      return;
    }
    if (isAssigned(pod)) {
      if (!isAssigned(old)) {
        sinks.onPodGone(keyOf(pod));
        added(pod);
        return;
      }
      cache.setPod(pod);
      if (mattersToOthers(pod, old)) queue.happened({ resource: 'Pod', action: 'update', object: pod, old });
      return;
    }
    if (!sinks.isMine(pod) || cache.isAssumed(keyOf(pod))) return;
    if (pod.metadata.deletionTimestamp) {
      queue.delete(keyOf(pod));
      nominations.delete(keyOf(pod));
      return;
    }
    if (concernsScheduling(pod, old)) queue.update(podInfoOf(pod), podInfoOf(old));
    else {
      const entry = queue.get(keyOf(pod));
      if (entry) entry.info = podInfoOf(pod);
    }
  }
  return pods.addHandler({ onAdd: added, onUpdate: updated, onDelete: removed });
}

/** Labels, resources and end of assigned pods. */
function mattersToOthers(pod: Pod, old: Pod): boolean {
  return (
    pod.metadata.deletionTimestamp !== old.metadata.deletionTimestamp ||
    JSON.stringify(pod.metadata.labels) !== JSON.stringify(old.metadata.labels) ||
    pod.metadata.generation !== old.metadata.generation ||
    JSON.stringify(pod.status?.containerStatuses?.map(s => s.resources)) !==
      JSON.stringify(old.status?.containerStatuses?.map(s => s.resources))
  );
}

/** The scheduler's own writes of status are no news. */
function concernsScheduling(pod: Pod, old: Pod): boolean {
  return (
    JSON.stringify([pod.spec, pod.metadata.labels, pod.metadata.annotations, pod.status?.resourceClaimStatuses]) !==
    JSON.stringify([old.spec, old.metadata.labels, old.metadata.annotations, old.status?.resourceClaimStatuses])
  );
}

function connectNodes(nodes: Informer<Node>, { cache, queue }: Sinks): () => void {
  return nodes.addHandler({
    onAdd(node) {
      cache.setNode(node);
      queue.happened({ resource: 'Node', action: 'add', object: node });
    },
    onUpdate(node, old) {
      cache.setNode(node);
      if (nodeChanged(node, old)) queue.happened({ resource: 'Node', action: 'update', object: node, old });
    },
    onDelete(node) {
      cache.removeNode(node.metadata.name);
      queue.happened({ resource: 'Node', action: 'delete', object: node });
    },
  });
}

const nodeFacts = ({ metadata, spec, status }: Node) =>
  JSON.stringify([
    metadata.labels,
    metadata.annotations,
    spec.taints,
    spec.unschedulable,
    status?.allocatable,
    status?.conditions?.map(c => [c.type, c.status]),
  ]);
/** Heartbeats help nobody. */
const nodeChanged = (node: Node, old: Node) => nodeFacts(node) !== nodeFacts(old);

function connectOther(name: string, informer: Informer<KubeObject>, { queue, onNamespaceLabels }: Sinks): () => void {
  const tell = (action: ClusterEvent['action'], object: KubeObject, old?: KubeObject) => {
    if (name === 'Namespace') onNamespaceLabels();
    queue.happened({ resource: name, action, object, ...(old && { old }) });
  };
  return informer.addHandler({
    onAdd: object => tell('add', object),
    onUpdate: (object, old) => tell('update', object, old),
    onDelete: object => tell('delete', object),
  });
}
