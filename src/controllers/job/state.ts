/** A job's counts and verdict from its status and pods: pure. Rules of pkg/controller/job of v1.35. */
import type { Job, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { conditionOf } from '../support/conditions.ts';
import { isActive, isPodReady, isTerminating } from '../support/pods.ts';
import { formatIndexes, parseIndexes } from './indexes.ts';
import { endedAt, failed, failuresBefore, hasTracking, indexOf, isIndexed, succeeded } from './pods.ts';
import { judgeFailure, judgeSuccess } from './policies.ts';

/** Uncounted pods written in one go (upstream's MaxUncountedPods). */
const maxUncounted = 500;

/** The end that a job is heading for. */
export type Verdict =
  | { type: 'Complete' | 'SuccessCriteriaMet'; reason: string; message: string }
  | { type: 'Failed'; reason: string; message: string };

export interface JobState {
  readonly active: readonly Pod[];
  readonly terminating: number;
  /** Of pods at work, and of those whose end is waited for before they are replaced. */
  readonly busyIndexes: ReadonlySet<number>;
  readonly ready: number;
  /** With those that are noted in the status but not counted yet. */
  readonly succeeded: number;
  readonly failed: number;
  readonly completedIndexes: ReadonlySet<number>;
  readonly failedIndexes: ReadonlySet<number>;
  /** Ended pods to note in the status now. */
  readonly noted: readonly Pod[];
  /** Pods whose finalizer goes once the status that notes them is written. */
  readonly releasable: readonly Pod[];
  /** The status that notes them. */
  readonly accounting: Pick<
    JobStatus,
    'succeeded' | 'failed' | 'uncountedTerminatedPods' | 'completedIndexes' | 'failedIndexes'
  >;
  /**
   * With a limit per index: the pod that an index failed with last. Its annotations are the record of the index's failures, so it keeps its
   * finalizer, uncounted, until another takes over.
   */
  readonly records: ReadonlyMap<number, Pod>;
  /** A failure that ends the job, by policy. */
  readonly failJob: string | undefined;
}

export function finishedCondition(job: Job): { type: string; status: string } | undefined {
  return job.status?.conditions?.find(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');
}

/** `end`: the job is ending so. Then no index is tried again, and of a job that fails whatever has not succeeded has failed. */
export function stateOf(job: Job, pods: readonly Pod[], end?: Verdict['type']): JobState {
  const { status = {} } = job;
  const byUid = new Map(pods.map(pod => [pod.metadata.uid ?? '', pod]));
  // What was noted is counted for good when the pod's finalizer is gone; the pod itself may be gone, too.
  const stillHeld = (uid: string) => {
    const pod = byUid.get(uid);
    return pod !== undefined && hasTracking(pod);
  };
  const { succeeded: notedOk = [], failed: notedBad = [] } = status.uncountedTerminatedPods ?? {};
  const heldOk = notedOk.filter(stillHeld);
  const heldBad = notedBad.filter(stillHeld);
  const known = new Set([...notedOk, ...notedBad]);
  const tracked = pods.filter(hasTracking);
  const active = pods.filter(isActive);
  const indexes = indexesOf(job, tracked);
  const records = end ? new Map<number, Pod>() : recordsOf(job, tracked, active, indexes);
  const isBad = (pod: Pod) => end === 'Failed' || failed(job, pod);
  const counts = (pod: Pod) => judgeFailure(job, pod).action !== 'Ignore' && countable(job, pod);
  const leaving = pods.filter(isTerminating);
  const noted: Pod[] = [];
  let failJob: string | undefined;
  for (const pod of tracked) {
    const uid = pod.metadata.uid ?? '';
    if (known.has(uid)) continue;
    if (heldOk.length + heldBad.length >= maxUncounted) break;
    if (succeeded(pod)) {
      if (!isIndexed(job)) heldOk.push(uid);
      noted.push(pod);
    } else if (isBad(pod)) {
      const verdict = judgeFailure(job, pod);
      if (verdict.action === 'FailJob') failJob ??= verdict.message;
      if (records.get(indexOf(pod)) === pod) continue;
      if (counts(pod)) heldBad.push(uid);
      noted.push(pod);
    }
  }
  const okCount = isIndexed(job)
    ? indexes.completed.size
    : (status.succeeded ?? 0) + notedOk.length - notedOk.filter(stillHeld).length;
  const badCount = (status.failed ?? 0) + notedBad.length - notedBad.filter(stillHeld).length;
  return {
    active,
    terminating: leaving.length,
    busyIndexes: new Set([...active, ...leaving.filter(pod => !failed(job, pod))].map(indexOf)),
    ready: active.filter(isPodReady).length,
    succeeded: okCount + heldOk.length,
    failed: badCount + heldBad.length + [...records.values()].filter(counts).length,
    completedIndexes: indexes.completed,
    failedIndexes: indexes.failed,
    noted,
    releasable: [...tracked.filter(pod => known.has(pod.metadata.uid ?? '')), ...noted],
    accounting: {
      succeeded: okCount,
      failed: badCount,
      uncountedTerminatedPods: {
        ...(heldOk.length > 0 && { succeeded: heldOk }),
        ...(heldBad.length > 0 && { failed: heldBad }),
      },
      ...(isIndexed(job) && { completedIndexes: formatIndexes(indexes.completed) }),
      ...(hasLimitPerIndex(job) && { failedIndexes: formatIndexes(indexes.failed) }),
    },
    records,
    failJob,
  };
}

const hasLimitPerIndex = (job: Job): boolean => job.spec?.backoffLimitPerIndex !== undefined;
/** A pod of no index of an indexed job is nobody's failure. */
const countable = (job: Job, pod: Pod): boolean => !isIndexed(job) || isIndexIn(job, indexOf(pod));

interface Indexes {
  readonly completed: ReadonlySet<number>;
  readonly failed: ReadonlySet<number>;
}

/** From the status, and from pods that are not counted yet. */
function indexesOf(job: Job, tracked: readonly Pod[]): Indexes {
  const { completions = 0, backoffLimitPerIndex: limit } = job.spec ?? {};
  const completed = parseIndexes(job.status?.completedIndexes, completions);
  const bad = parseIndexes(job.status?.failedIndexes, completions);
  if (!isIndexed(job)) return { completed, failed: bad };
  for (const pod of tracked) {
    const index = indexOf(pod);
    if (!isIndexIn(job, index)) continue;
    if (succeeded(pod)) completed.add(index);
    else if (limit !== undefined && failed(job, pod)) {
      const { action } = judgeFailure(job, pod);
      if (action === 'FailIndex' || (action !== 'Ignore' && failuresBefore(pod).counted >= limit)) bad.add(index);
    }
  }
  return { completed, failed: bad };
}

/** Upstream's getPodsWithDelayedDeletionPerIndex. */
function recordsOf(job: Job, tracked: readonly Pod[], active: readonly Pod[], indexes: Indexes): Map<number, Pod> {
  const out = new Map<number, Pod>();
  if (!hasLimitPerIndex(job) || job.metadata.deletionTimestamp) return out;
  const busy = new Set(active.map(indexOf));
  const total = (pod: Pod) => failuresBefore(pod).counted + failuresBefore(pod).ignored;
  for (const pod of tracked) {
    const index = indexOf(pod);
    const open = !busy.has(index) && !indexes.completed.has(index) && !indexes.failed.has(index);
    if (!open || !isIndexIn(job, index) || !failed(job, pod)) continue;
    const other = out.get(index);
    if (!other || (total(other) <= total(pod) && endedAt(other) <= endedAt(pod))) out.set(index, pod);
  }
  return out;
}

export function isIndexIn(job: Job, index: number): boolean {
  return index >= 0 && index < (job.spec?.completions ?? 0);
}

/** Whether the job is to end, and how: what was decided before stands, then failures come before successes. Undefined: it goes on. */
export function verdictOf(job: Job, state: JobState, now: number): Verdict | undefined {
  return decided(job) ?? failure(job, state, now) ?? indexFailure(job, state) ?? success(job, state);
}

function decided({ status }: Job): Verdict | undefined {
  const standing = (type: string) => {
    const condition = conditionOf(status?.conditions, type);
    return condition?.status === 'True' ? condition : undefined;
  };
  const met = standing('SuccessCriteriaMet');
  const doomed = met ? undefined : standing('FailureTarget');
  const { reason = '', message = '' } = met ?? doomed ?? {};
  if (met) return { type: 'SuccessCriteriaMet', reason, message };
  return doomed && { type: 'Failed', reason, message };
}

const failedFor = (reason: string, message: string): Verdict => ({ type: 'Failed', reason, message });

function failure(job: Job, state: JobState, now: number): Verdict | undefined {
  const { backoffLimit: limit = 6, template } = job.spec ?? {};
  if (state.failJob) return failedFor('PodFailurePolicy', state.failJob);
  const restarted = template?.spec?.restartPolicy === 'OnFailure' && restartsReach(state.active, limit);
  if (state.failed > limit || restarted)
    return failedFor('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if (deadlineIn(job, now) === 0) return failedFor('DeadlineExceeded', 'Job was active longer than specified deadline');
  return undefined;
}

function indexFailure(job: Job, { failedIndexes, completedIndexes }: JobState): Verdict | undefined {
  const { maxFailedIndexes, completions = 0 } = job.spec ?? {};
  if (!hasLimitPerIndex(job)) return undefined;
  if (maxFailedIndexes !== undefined && failedIndexes.size > maxFailedIndexes)
    return failedFor('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  if (failedIndexes.size > 0 && failedIndexes.size + completedIndexes.size >= completions)
    return failedFor('FailedIndexes', 'Job has failed indexes');
  return undefined;
}

function success(job: Job, state: JobState): Verdict | undefined {
  const { completions } = job.spec ?? {};
  const message = isIndexed(job) ? judgeSuccess(job, state.completedIndexes) : undefined;
  if (message) return { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message };
  // Without a number, one success is enough once the others have ended, too.
  const enough =
    completions === undefined ? state.succeeded > 0 && state.active.length === 0 : state.succeeded >= completions;
  if (!enough) return undefined;
  return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
}

/** Containers that were restarted in place count as failures, too. */
function restartsReach(active: readonly Pod[], limit: number): boolean {
  const restarts = active
    .filter(p => p.status?.phase === 'Running' || p.status?.phase === 'Pending')
    .flatMap(p => [...(p.status?.initContainerStatuses ?? []), ...(p.status?.containerStatuses ?? [])])
    .reduce((n, c) => n + c.restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** Milliseconds until spec.activeDeadlineSeconds is over; undefined without one. */
export function deadlineIn(job: Job, now: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = job.spec ?? {};
  const { startTime } = job.status ?? {};
  if (activeDeadlineSeconds === undefined || !startTime || suspend) return undefined;
  return Math.max(0, Date.parse(startTime) + activeDeadlineSeconds * 1000 - now);
}
