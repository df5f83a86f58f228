/** The bounds that workload controllers keep at every moment, whatever they were late to see. */
import { controllerOf } from '../../../api/object.ts';
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../../../api/types/apps-v1.ts';
import type { CronJob, Job } from '../../../api/types/batch-v1.ts';
import type { Pod } from '../../../api/types/core-v1.ts';
import type { Invariant } from '../contract.ts';
import type { View } from '../view.ts';
import { idOf, isActive, isReady, podChange, podsOf, recently, scaled, typed } from './support.ts';

const setsOf = (view: View, deployment: Deployment): ReplicaSet[] =>
  view
    .list<ReplicaSet>('apps/replicasets', deployment.metadata.namespace)
    .filter(set => controllerOf(set)?.uid === deployment.metadata.uid);
const total = (sets: readonly ReplicaSet[]) => sets.reduce((sum, set) => sum + (set.spec.replicas ?? 1), 0);
const available = (sets: readonly ReplicaSet[]) =>
  sets.reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);

/** Surge and unavailability, by the deployment's spec of the last minutes. */
export function deploymentBounds(): Invariant {
  const most = recently();
  const least = recently();
  const had = recently();
  return {
    name: 'deployments keep surge and unavailability',
    *onChange({ kind, before, after }, view) {
      const now = view.elapsed;
      if (kind === 'apps/deployments' && after) {
        const { spec, metadata } = typed<Deployment>(after);
        const { replicas = 1, strategy } = spec;
        const surge = scaled(strategy?.rollingUpdate?.maxSurge, replicas, 'up');
        const unavailable = scaled(strategy?.rollingUpdate?.maxUnavailable, replicas, 'down');
        const rolling = strategy?.type === 'RollingUpdate';
        most.note(metadata.uid ?? '', now, rolling ? replicas + surge : replicas);
        least.note(metadata.uid ?? '', now, rolling ? replicas - unavailable : 0);
        return;
      }
      if (kind !== 'apps/replicasets' || !after) return;
      const owner = controllerOf(after)?.uid ?? '';
      const deployment = view
        .list<Deployment>('apps/deployments', after.metadata.namespace)
        .find(d => d.metadata.uid === owner);
      if (!deployment || deployment.metadata.deletionTimestamp) return;
      const sets = setsOf(view, deployment);
      had.note(owner, now, available(sets));
      const grown =
        (typed<ReplicaSet>(after).spec.replicas ?? 1) - (before ? (typed<ReplicaSet>(before).spec.replicas ?? 1) : 0);
      if (grown > 0 && total(sets) > most.highest(owner, now))
        yield `deployment ${idOf(deployment)} asks for ${total(sets)} pods, at most ${most.highest(owner, now)} are allowed`;
      if (grown >= 0 || !before) return;
      const set = typed<ReplicaSet>(before);
      const unhealthy = (set.spec.replicas ?? 1) - (set.status?.availableReplicas ?? 0);
      const healthyLost = -grown - Math.max(0, unhealthy);
      const left = had.highest(owner, now) - healthyLost;
      if (healthyLost > 0 && left < least.lowest(owner, now))
        yield `deployment ${idOf(deployment)} is left with ${left} available pods, at least ${least.lowest(owner, now)} are needed`;
    },
  };
}

/** No set makes more pods than it was ever told lately. */
export function replicaBounds(): Invariant {
  const wanted = recently();
  return {
    name: 'sets make no more pods than told',
    *onChange(change, view) {
      const { kind, after } = change;
      if ((kind === 'apps/replicasets' || kind === 'apps/statefulsets') && after)
        wanted.note(after.metadata.uid ?? '', view.elapsed, typed<ReplicaSet>(after).spec.replicas ?? 1);
      const pods = podChange(change);
      const ref = pods?.after && !pods.before ? controllerOf(pods.after) : undefined;
      if (ref?.kind !== 'ReplicaSet') return;
      const set = view.get<ReplicaSet>('apps/replicasets', `${pods?.after?.metadata.namespace}/${ref.name}`);
      if (set?.metadata.uid !== ref.uid) return;
      const active = podsOf(view, set).filter(isActive).length;
      const most = wanted.highest(ref.uid, view.elapsed);
      if (active > most) yield `replica set ${idOf(set)} has ${active} pods, told ${most}`;
    },
  };
}

/**
 * Parallelism, completions, and no work after the end. Every pod counts once (uncountedTerminatedPods and the tracking finalizer see to it).
 * With indexes that bounds the successes by the completions; without, a pod that was replaced may succeed as well, which upstream tells in
 * an event TooManySucceededPods (pkg/controller/job, recordJobFinished).
 */
export function jobBounds(): Invariant {
  const parallel = recently();
  const succeeded = new Map<string, Set<string>>();
  return {
    name: 'jobs keep parallelism and completions',
    *onChange(change, view) {
      const { kind, key, before, after } = change;
      if (kind === 'batch/jobs' && after) {
        const [old, job] = [before && typed<Job>(before), typed<Job>(after)];
        parallel.note(job.metadata.uid ?? '', view.elapsed, job.spec.parallelism ?? 1);
        const isIndexed = job.spec.completionMode === 'Indexed';
        const most = isIndexed ? job.spec.completions : succeeded.get(job.metadata.uid ?? '')?.size;
        if ((job.status?.succeeded ?? 0) > (most ?? 0))
          yield `job ${key} tells ${job.status?.succeeded} successes, there can be ${most ?? 0}`;
        if ((job.status?.succeeded ?? 0) < (old?.status?.succeeded ?? 0)) yield `job ${key} lost successes`;
        if (isOver(old) && !isOver(job)) yield `job ${key} was over and is no more`;
        return;
      }
      const pods = podChange(change);
      const ref = pods?.after && controllerOf(pods.after);
      if (ref?.kind !== 'Job' || !pods?.after) return;
      if (pods.after.status?.phase === 'Succeeded') {
        const known = succeeded.get(ref.uid) ?? new Set();
        succeeded.set(ref.uid, known.add(pods.after.metadata.uid ?? ''));
      }
      if (pods.before) return;
      const job = view.get<Job>('batch/jobs', `${pods.after.metadata.namespace}/${ref.name}`);
      if (job?.metadata.uid !== ref.uid) return;
      const active = podsOf(view, job).filter(isActive);
      if (isOver(job)) yield `job ${idOf(job)} is over and started ${change.key}`;
      const most = parallel.highest(ref.uid, view.elapsed);
      if (active.length > most) yield `job ${idOf(job)} runs ${active.length} pods, at most ${most} are allowed`;
    },
  };
}
const isOver = (job: Job | undefined): boolean =>
  job?.status?.conditions?.some(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True') ?? false;

const ordinalOf = (pod: Pod): number => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? -1);

/** An ordered set starts a pod when those before it were ready within the last minutes. */
export function statefulOrder(): Invariant {
  const readyAt = new Map<string, number>();
  return {
    name: 'ordered sets start in order',
    *onChange(change, view) {
      const pods = podChange(change);
      if (!pods?.after) return;
      const ref = controllerOf(pods.after);
      if (ref?.kind !== 'StatefulSet') return;
      const id = (ordinal: number) => `${ref.uid}/${ordinal}`;
      if (isReady(pods.after)) readyAt.set(id(ordinalOf(pods.after)), view.elapsed);
      if (pods.before) return;
      const set = view.get<StatefulSet>('apps/statefulsets', `${pods.after.metadata.namespace}/${ref.name}`);
      if (set?.metadata.uid !== ref.uid || set.spec.podManagementPolicy === 'Parallel') return;
      for (let ordinal = 0; ordinal < ordinalOf(pods.after); ordinal++)
        if (!readyAt.has(id(ordinal))) yield `${change.key} was started before number ${ordinal} was ever ready`;
    },
  };
}

/** A daemon set starts no pod on a node where it has one. */
export const onePerNode: Invariant = {
  name: 'one daemon per node',
  *onChange(change, view) {
    const pods = podChange(change);
    const ref = pods?.after && !pods.before ? controllerOf(pods.after) : undefined;
    if (ref?.kind !== 'DaemonSet' || !pods?.after) return;
    const set = view.get<DaemonSet>('apps/daemonsets', `${pods.after.metadata.namespace}/${ref.name}`);
    if (set?.metadata.uid !== ref.uid) return;
    const node = targetNode(pods.after);
    const there = podsOf(view, set).filter(pod => isActive(pod) && targetNode(pod) === node);
    if (there.length > 1) yield `daemon set ${idOf(set)} has ${there.length} pods for ${node}`;
  },
};

export function targetNode(pod: Pod): string | undefined {
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return pod.spec.nodeName ?? required?.nodeSelectorTerms[0]?.matchFields?.[0]?.values?.[0];
}

/**
 * Of a cron job that forbids it, no job starts beside one that its status lists. One whose creation nobody heard of is not listed until its
 * slot is looked at again, and when that is past, holds up nobody (pkg/controller/cronjob/cronjob_controllerv2.go, syncCronJob).
 */
export const cronForbids: Invariant = {
  name: 'cron jobs keep their concurrency policy',
  *onChange({ kind, before, after }, view) {
    const ref = kind === 'batch/jobs' && after && !before ? controllerOf(after) : undefined;
    const cron = ref && view.get<CronJob>('batch/cronjobs', `${after?.metadata.namespace}/${ref.name}`);
    if (!cron || cron.metadata.uid !== ref.uid || cron.spec.concurrencyPolicy !== 'Forbid') return;
    const listed = new Set(cron.status?.active?.map(active => active.uid));
    const running = view
      .list<Job>('batch/jobs', cron.metadata.namespace)
      .filter(job => listed.has(job.metadata.uid) && !isOver(job) && !job.metadata.deletionTimestamp);
    if (running.length > 0) yield `cron job ${idOf(cron)} runs ${running.length + 1} jobs and forbids it`;
  },
};

export const controllerInvariants = (): readonly Invariant[] => [
  deploymentBounds(),
  replicaBounds(),
  jobBounds(),
  statefulOrder(),
  onePerNode,
  cronForbids,
];
