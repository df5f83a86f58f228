/** What components may do. */
import { controllerOf } from '../../../api/object.ts';
import type { Lease } from '../../../api/types/coordination-v1.ts';
import type { Pod } from '../../../api/types/core-v1.ts';
import type { DeleteOptions } from '../../../api/types/meta-v1.ts';
import type { Invariant } from '../contract.ts';
import type { SeenRequest } from '../network.ts';
import { isActive } from './support.ts';

const leases: Readonly<Record<string, string>> = {
  manager: 'kube-system/kube-controller-manager',
  scheduler: 'kube-system/kube-scheduler',
};
const isWrite = ({ method }: SeenRequest) => method !== 'GET';

/** Who writes holds the lease. */
export const oneLeader: Invariant = {
  name: 'only the leader acts',
  *onRequest(request, view) {
    const lease = leases[request.process.split('-')[0] ?? ''];
    if (!lease || !isWrite(request) || request.path.includes('/leases/') || request.path.endsWith('/leases')) return;
    if (request.path.includes('/events')) return;
    const holder = view.get<Lease>('coordination.k8s.io/leases', lease)?.spec.holderIdentity;
    if (holder && !holder.startsWith(`${request.process}_`))
      yield `${request.process} (${request.part}) sent ${request.method} ${request.path} while ${holder} led`;
  },
};

const podPath = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)$/;
const owners: Readonly<Record<string, string>> = {
  'replicaset-controller': 'ReplicaSet',
  'statefulset-controller': 'StatefulSet',
  'daemon-set-controller': 'DaemonSet',
  'job-controller': 'Job',
};

/** A controller says which pod it means: one of the same name that came since is another. */
export const namedByUid: Invariant = {
  name: 'pods are deleted by uid',
  *onRequest({ method, path, part, body }) {
    if (method !== 'DELETE' || !owners[part] || !podPath.test(path)) return;
    const { preconditions } = JSON.parse(body ? new TextDecoder().decode(body) : '{}') as DeleteOptions;
    if (!preconditions?.uid) yield `${part} deletes ${path} without a uid as precondition`;
  },
};

/** A controller deletes only pods that are its own. */
export const ownPods: Invariant = {
  name: 'controllers delete only their own pods',
  *onRequest({ method, path, part }, view) {
    const kind = owners[part];
    const match = podPath.exec(path);
    if (method !== 'DELETE' || !kind || !match) return;
    const pod = view.get<Pod>('pods', `${match[1]}/${match[2]}`);
    if (pod && controllerOf(pod)?.kind !== kind)
      yield `${part} deletes pod ${match[1]}/${match[2]}, which is not its own`;
  },
};

/** The collector takes nothing whose owner lives. */
export const livingOwners: Invariant = {
  name: 'nothing with a living owner is collected',
  *onRequest({ method, part, path, body }, view) {
    const target = method === 'DELETE' && part === 'generic-garbage-collector' ? targetOf(path) : undefined;
    const victim = target && view.get(target.kind, target.key);
    // A precondition that does not hold makes the request harmless.
    if (!victim || !body || !new TextDecoder().decode(body).includes(victim.metadata.uid ?? '')) return;
    const uids = new Set((victim.metadata.ownerReferences ?? []).map(ref => ref.uid));
    for (const kind of view.kinds())
      for (const owner of view.list(kind))
        if (uids.has(owner.metadata?.uid ?? '') && !owner.metadata.deletionTimestamp)
          yield `${target.kind} ${target.key} is collected although its owner ${owner.metadata.name} lives`;
  },
};

function targetOf(path: string): { kind: string; key: string } | undefined {
  const match = /^\/(?:api\/v1|apis\/([^/]+)\/[^/]+)\/(?:namespaces\/([^/]+)\/)?([^/]+)\/([^/]+)$/.exec(path);
  if (!match) return undefined;
  const [, group, namespace, plural = '', name = ''] = match;
  return { kind: group ? `${group}/${plural}` : plural, key: namespace ? `${namespace}/${name}` : name };
}

/** A bare pod does not vanish by a controller's hand while its node is well. Told by requests, with the pod's state at the time. */
export const barePods: Invariant = {
  name: 'bare pods are left alone',
  *onRequest({ method, path, process, part }, view) {
    const match = podPath.exec(path);
    if (method !== 'DELETE' || !match || !process.startsWith('manager')) return;
    const [, namespace = '', name = ''] = match;
    const pod = view.get<Pod>('pods', `${namespace}/${name}`);
    if (!pod || (pod.metadata.ownerReferences ?? []).length > 0 || !isActive(pod)) return;
    // Taint eviction acts as the node controller.
    if (['node-controller', 'pod-garbage-collector', 'namespace-controller'].includes(part)) return;
    yield `${part} deletes pod ${namespace}/${name}, which nobody owns`;
  },
};

/** The scheduler makes room only for a pod of higher priority that waits (plugin DefaultPreemption). */
export const preemption: Invariant = {
  name: 'pods make room for more important ones only',
  *onRequest({ method, path, process }, view) {
    const match = podPath.exec(path);
    if (method !== 'DELETE' || !match || !process.startsWith('scheduler')) return;
    const victim = view.get<Pod>('pods', `${match[1]}/${match[2]}`);
    if (!victim || !isActive(victim)) return;
    const priority = victim.spec.priority ?? 0;
    const isWaiting = view
      .list<Pod>('pods')
      .some(pod => isActive(pod) && !pod.spec.nodeName && (pod.spec.priority ?? 0) > priority);
    if (!isWaiting) yield `pod ${match[1]}/${match[2]} is preempted, and none that is more important waits`;
  },
};

export const processInvariants: readonly Invariant[] = [
  oneLeader,
  namedByUid,
  ownPods,
  livingOwners,
  barePods,
  preemption,
];
