/** What a cluster comes to when it is left in peace. */
import { controllerOf, type KubeObject } from '../../../api/object.ts';
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../../../api/types/apps-v1.ts';
import type { CronJob, Job } from '../../../api/types/batch-v1.ts';
import type { Node, Pod, Service, Taint } from '../../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../../api/types/discovery-v1.ts';
import type { Invariant } from '../contract.ts';
import type { View } from '../view.ts';
import { freeMilliCpu, wantedMilliCpu } from './capacity.ts';
import { targetNode } from './controllers.ts';
import { repelling } from './placement.ts';
import { idOf, isActive, isReady, isTerminal, podsOf } from './support.ts';
import { waitsForClaim } from './volumes.ts';

const isNodeReady = (node: Node) =>
  node.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ?? false;
/** Takes any pod that fits. */
const isOpen = (node: Node) => isNodeReady(node) && !node.spec.unschedulable && (node.spec.taints ?? []).length === 0;

/** Whether pods of the namespace, or of this size, may have to wait. */
function mustWait(view: View, pod: Pod | undefined, namespace: string | undefined): boolean {
  if (view.list('resourcequotas', namespace).length > 0) return true;
  const wanted = pod ? wantedMilliCpu(pod) : 1_000;
  const selector = Object.entries(pod?.spec.nodeSelector ?? {});
  const takes = (node: Node) =>
    isOpen(node) && selector.every(([label, value]) => node.metadata.labels?.[label] === value);
  return !view.list<Node>('nodes').some(node => takes(node) && freeMilliCpu(view, node) >= wanted);
}

function* deployments(view: View): Generator<string> {
  for (const d of view.list<Deployment>('apps/deployments')) {
    const { spec, status = {}, metadata } = d;
    if (metadata.deletionTimestamp) yield `deployment ${idOf(d)} is not gone yet`;
    else if ((status.observedGeneration ?? 0) !== metadata.generation) yield `deployment ${idOf(d)} was not looked at`;
    else if (!spec.paused && !mustWait(view, undefined, metadata.namespace)) {
      const wanted = spec.replicas ?? 1;
      const { updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = status;
      if (updatedReplicas !== wanted || availableReplicas !== wanted || replicas !== wanted)
        yield `deployment ${idOf(d)} wants ${wanted}, has ${replicas}, ${updatedReplicas} new, ${availableReplicas} available`;
    }
  }
}

function* replicaSets(view: View): Generator<string> {
  for (const set of view.list<ReplicaSet>('apps/replicasets')) {
    const pods = podsOf(view, set).filter(isActive);
    const wanted = set.spec.replicas ?? 1;
    if (set.metadata.deletionTimestamp) yield `replica set ${idOf(set)} is not gone yet`;
    else if ((set.status?.replicas ?? 0) !== pods.length)
      yield `replica set ${idOf(set)} tells ${set.status?.replicas} pods, there are ${pods.length}`;
    else if ((set.status?.readyReplicas ?? 0) !== pods.filter(isReady).length)
      yield `replica set ${idOf(set)} tells ${set.status?.readyReplicas} ready pods, there are ${pods.filter(isReady).length}`;
    else if (pods.length > wanted || (pods.length < wanted && !mustWait(view, undefined, set.metadata.namespace)))
      yield `replica set ${idOf(set)} wants ${wanted} pods, there are ${pods.length}`;
  }
}

function* statefulSets(view: View): Generator<string> {
  for (const set of view.list<StatefulSet>('apps/statefulsets')) {
    const wanted = set.spec.replicas ?? 1;
    const names = podsOf(view, set).map(pod => pod.metadata.name);
    const extra = names.filter(name => Number(name.split('-').pop()) >= wanted);
    if (set.metadata.deletionTimestamp) yield `stateful set ${idOf(set)} is not gone yet`;
    else if (mustWait(view, undefined, set.metadata.namespace) || podsOf(view, set).some(p => waitsForClaim(view, p)))
      continue;
    else if (extra.length > 0) yield `stateful set ${idOf(set)} still has ${extra.join(', ')}`;
    else if ((set.status?.readyReplicas ?? 0) !== wanted || names.length !== wanted)
      yield `stateful set ${idOf(set)} wants ${wanted}, has ${names.length}, ${set.status?.readyReplicas ?? 0} ready`;
    else if (set.spec.updateStrategy?.type !== 'OnDelete' && (set.status?.updatedReplicas ?? 0) !== wanted)
      yield `stateful set ${idOf(set)} wants ${wanted}, ${set.status?.updatedReplicas ?? 0} new`;
  }
}

function* daemonSets(view: View): Generator<string> {
  for (const set of view.list<DaemonSet>('apps/daemonsets')) {
    if (set.metadata.deletionTimestamp) yield `daemon set ${idOf(set)} is not gone yet`;
    if (set.metadata.deletionTimestamp || mustWait(view, undefined, set.metadata.namespace)) continue;
    const selector = Object.entries(set.spec.template.spec?.nodeSelector ?? {});
    const pods = podsOf(view, set);
    for (const node of view.list<Node>('nodes')) {
      const fits = selector.every(([label, value]) => node.metadata.labels?.[label] === value);
      const there = pods.filter(pod => targetNode(pod) === node.metadata.name);
      const drained = node.spec.taints?.some(taint => taint.effect === 'NoExecute');
      if (!fits && there.length > 0) yield `daemon set ${idOf(set)} does not belong on ${node.metadata.name}`;
      else if (fits && !drained && there.filter(isReady).length !== 1 && freeMilliCpu(view, node) >= 1_000)
        yield `daemon set ${idOf(set)} has ${there.length} pods on ${node.metadata.name}, ${there.filter(isReady).length} ready`;
    }
  }
}

function* jobs(view: View): Generator<string> {
  for (const job of view.list<Job>('batch/jobs')) {
    const { spec, status } = job;
    const over = status?.conditions?.some(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');
    const idle = spec.suspend || spec.parallelism === 0 || mustWait(view, undefined, job.metadata.namespace);
    const fresh = view.now - Date.parse(job.metadata.creationTimestamp ?? '') < 300_000;
    const fromCron = controllerOf(job) !== undefined;
    if (job.metadata.deletionTimestamp) yield `job ${idOf(job)} is not gone yet`;
    else if (!over && !idle && !(fromCron && fresh)) yield `job ${idOf(job)} is not over: ${JSON.stringify(status)}`;
    else if (over && podsOf(view, job).some(pod => !isTerminal(pod))) yield `job ${idOf(job)} is over, but has pods`;
    else if (
      over &&
      spec.completions &&
      status?.conditions?.some(c => c.type === 'Complete' && c.status === 'True') &&
      (status.succeeded ?? 0) < spec.completions
    )
      yield `job ${idOf(job)} is complete with ${status.succeeded} successes of ${spec.completions}`;
  }
}

function evictingTaint(view: View, pod: Pod): Taint | undefined {
  const node = view.get<Node>('nodes', pod.spec.nodeName ?? '');
  return node && repelling(node, pod, ['NoExecute']);
}

/** Of a cron job's finished jobs as many stay as it says. */
function* cronJobs(view: View): Generator<string> {
  for (const cron of view.list<CronJob>('batch/cronjobs')) {
    const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cron.spec;
    const own = view
      .list<Job>('batch/jobs', cron.metadata.namespace)
      .filter(j => controllerOf(j)?.uid === cron.metadata.uid);
    const ended = (type: string) =>
      own.filter(job => job.status?.conditions?.some(c => c.type === type && c.status === 'True')).length;
    if (ended('Complete') > successfulJobsHistoryLimit || ended('Failed') > failedJobsHistoryLimit)
      yield `cron job ${idOf(cron)} keeps ${ended('Complete')} successes and ${ended('Failed')} failures`;
  }
}

function* pods(view: View): Generator<string> {
  for (const pod of view.list<Pod>('pods')) {
    if (pod.metadata.deletionTimestamp) yield `pod ${idOf(pod)} is not gone yet`;
    else if (pod.spec.nodeName && !view.get('nodes', pod.spec.nodeName))
      yield `pod ${idOf(pod)} is on a node that is gone`;
    else if (isTerminal(pod) || controllerOf(pod)?.kind === 'Job') continue;
    else if (evictingTaint(view, pod)) yield `pod ${idOf(pod)} stays beside taint ${evictingTaint(view, pod)?.key}`;
    else if (waitsForClaim(view, pod)) continue;
    else if (!pod.spec.nodeName && !pod.spec.affinity && !mustWait(view, pod, pod.metadata.namespace))
      yield `pod ${idOf(pod)} waits although a node has room`;
    else if (pod.spec.nodeName && !isReady(pod)) yield `pod ${idOf(pod)} on ${pod.spec.nodeName} is not ready`;
  }
}

function* orphans(view: View): Generator<string> {
  const uids = new Set<string>();
  const all: { kind: string; obj: KubeObject }[] = [];
  for (const kind of view.kinds())
    for (const obj of view.list(kind)) {
      if (!obj.metadata) continue;
      all.push({ kind, obj });
      uids.add(obj.metadata.uid ?? '');
    }
  for (const { kind, obj } of all) {
    const owners = obj.metadata.ownerReferences ?? [];
    if (owners.length > 0 && !owners.some(ref => uids.has(ref.uid))) yield `${kind} ${idOf(obj)} outlived its owner`;
    if (kind === 'namespaces' && obj.metadata.deletionTimestamp) yield `namespace ${idOf(obj)} is not gone yet`;
  }
}

function* endpoints(view: View): Generator<string> {
  for (const service of [...view.list<Service>('services/specs'), ...view.list<Service>('services')]) {
    const selector = Object.entries(service.spec?.selector ?? {});
    if (selector.length === 0) continue;
    const { namespace, name } = service.metadata;
    const wanted = view
      .list<Pod>('pods', namespace)
      .filter(pod => isActive(pod) && isReady(pod) && selector.every(([k, v]) => pod.metadata.labels?.[k] === v))
      .map(pod => pod.metadata.name);
    const slices = view
      .list<EndpointSlice>('discovery.k8s.io/endpointslices', namespace)
      .filter(slice => slice.metadata.labels?.['kubernetes.io/service-name'] === name);
    const told = slices
      .flatMap(slice => slice.endpoints ?? [])
      .filter(e => e.conditions?.ready)
      .map(e => e.targetRef?.name ?? '');
    if (wanted.sort().join() !== told.sort().join())
      yield `service ${idOf(service)} leads to [${told}] instead of [${wanted}]`;
  }
}

function* nodes(view: View): Generator<string> {
  for (const node of view.list<Node>('nodes')) {
    if (!isNodeReady(node)) yield `node ${idOf(node)} is not ready`;
    const stale = node.spec.taints?.find(
      t => t.key.startsWith('node.kubernetes.io/') && t.key !== 'node.kubernetes.io/unschedulable',
    );
    if (stale) yield `node ${idOf(node)} still has the taint ${stale.key}`;
  }
}

const check = (name: string, unsettled: (view: View) => Iterable<string>): Invariant => ({ name, unsettled });

export const settledInvariants: readonly Invariant[] = [
  check('deployments are complete', deployments),
  check('replica sets are full', replicaSets),
  check('stateful sets are full', statefulSets),
  check('daemons are everywhere', daemonSets),
  check('jobs come to an end', jobs),
  check('cron jobs keep as many jobs as told', cronJobs),
  check('pods run', pods),
  check('nothing is left behind', orphans),
  check('services lead to ready pods', endpoints),
  check('nodes are ready', nodes),
];
