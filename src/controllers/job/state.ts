/** A job's counts and verdict from its status and pods: pure. Rules of pkg/controller/job of v1.35. */
import type { Job, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { conditionOf } from '../support/conditions.ts';
import { isActive, isPodReady, isTerminating } from '../support/pods.ts';
import { formatIndexes, parseIndexes } from './indexes.ts';
import { failed, failuresBefore, hasTracking, indexOf, isIndexed, succeeded } from './pods.ts';
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
  /** A failure that ends the job, by policy. */
  readonly failJob: string | undefined;
}

export function finishedCondition(job: Job): { type: string; status: string } | undefined {
  return job.status?.conditions?.find(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');
}

export function stateOf(job: Job, pods: readonly Pod[]): JobState {
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
  let okCount = (status.succeeded ?? 0) + notedOk.length - heldOk.length;
  const badCount = (status.failed ?? 0) + notedBad.length - heldBad.length;
  const completedIndexes = parseIndexes(status.completedIndexes);
  const failedIndexes = parseIndexes(status.failedIndexes);
  const known = new Set([...notedOk, ...notedBad]);
  const noted: Pod[] = [];
  const releasable: Pod[] = pods.filter(p => known.has(p.metadata.uid ?? '') && hasTracking(p));
  let failJob: string | undefined;
  const active = pods.filter(isActive);
  const busy = new Set(active.map(indexOf));
  for (const pod of pods) {
    const uid = pod.metadata.uid ?? '';
    if (!hasTracking(pod) || known.has(uid)) continue;
    if (heldOk.length + heldBad.length >= maxUncounted) break;
    if (succeeded(pod)) {
      if (!isIndexed(job)) heldOk.push(uid);
      else if (validIndex(job, indexOf(pod))) completedIndexes.add(indexOf(pod));
      noted.push(pod);
    } else if (failed(job, pod)) {
      const verdict = judgeFailure(job, pod);
      if (verdict.action === 'FailJob') failJob ??= verdict.message;
      // The record of an index's failures is on its last pod, which stays until another takes over.
      if (keepsRecord(job, pod, verdict.action, pods, busy, failedIndexes, completedIndexes)) continue;
      if (verdict.action !== 'Ignore') heldBad.push(uid);
      noted.push(pod);
    }
  }
  if (isIndexed(job)) okCount = completedIndexes.size;
  return {
    active,
    terminating: pods.filter(isTerminating).length,
    ready: active.filter(isPodReady).length,
    succeeded: okCount + (isIndexed(job) ? 0 : heldOk.length),
    failed: badCount + heldBad.length,
    completedIndexes,
    failedIndexes,
    noted,
    releasable: [...releasable, ...noted],
    accounting: {
      succeeded: okCount,
      failed: badCount,
      uncountedTerminatedPods: {
        ...(heldOk.length > 0 && { succeeded: heldOk }),
        ...(heldBad.length > 0 && { failed: heldBad }),
      },
      ...(isIndexed(job) && { completedIndexes: formatIndexes(completedIndexes) }),
      ...(job.spec?.backoffLimitPerIndex !== undefined && { failedIndexes: formatIndexes(failedIndexes) }),
    },
    failJob,
  };
}

/** With a limit per index: decides whether the index has failed, and whether the pod has to stay as its record. */
function keepsRecord(
  job: Job,
  pod: Pod,
  action: string,
  pods: readonly Pod[],
  busy: ReadonlySet<number>,
  failedIndexes: Set<number>,
  completed: ReadonlySet<number>,
): boolean {
  const limit = job.spec?.backoffLimitPerIndex;
  const index = indexOf(pod);
  if (limit === undefined || !validIndex(job, index)) return false;
  if (action === 'FailIndex' || (action !== 'Ignore' && failuresBefore(pod) >= limit)) {
    failedIndexes.add(index);
    return false;
  }
  if (busy.has(index) || completed.has(index) || failedIndexes.has(index) || finishedCondition(job)) return false;
  const newer = pods.some(p => p !== pod && indexOf(p) === index && failuresBefore(p) > failuresBefore(pod));
  return !newer;
}

function validIndex(job: Job, index: number): boolean {
  return index >= 0 && index < (job.spec?.completions ?? 0);
}

/** How often an index has failed so far: what its next pod is told. */
export function failuresOfIndex(job: Job, pods: readonly Pod[], index: number): number {
  const ended = pods.filter(p => indexOf(p) === index && failed(job, p));
  return Math.max(0, ...ended.map(p => failuresBefore(p) + (judgeFailure(job, p).action === 'Ignore' ? 0 : 1)));
}

/** Whether the job is to end, and how. Undefined: it goes on. */
export function verdictOf(job: Job, state: JobState, now: number): Verdict | undefined {
  const { spec } = job;
  if (!spec) return undefined;
  const before = conditionOf(job.status?.conditions, 'FailureTarget');
  if (before?.status === 'True') return { type: 'Failed', reason: before.reason ?? '', message: before.message ?? '' };
  const met = conditionOf(job.status?.conditions, 'SuccessCriteriaMet');
  if (met?.status === 'True')
    return { type: 'SuccessCriteriaMet', reason: met.reason ?? '', message: met.message ?? '' };
  if (state.failJob) return { type: 'Failed', reason: 'PodFailurePolicy', message: state.failJob };
  const success = judgeSuccess(job, state.completedIndexes);
  if (success) return { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message: success };
  const limit = spec.backoffLimit ?? 6;
  if (state.failed > limit || (spec.template.spec?.restartPolicy === 'OnFailure' && restartsReach(state.active, limit)))
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  if (deadlineIn(job, now) === 0)
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  const { maxFailedIndexes } = spec;
  if (maxFailedIndexes !== undefined && state.failedIndexes.size > maxFailedIndexes)
    return {
      type: 'Failed',
      reason: 'MaxFailedIndexesExceeded',
      message: 'Job has exceeded the specified maximal number of failed indexes',
    };
  return completion(job, state);
}

function completion(job: Job, state: JobState): Verdict | undefined {
  const { completions } = job.spec ?? {};
  if (completions === undefined)
    return state.succeeded > 0 && state.active.length === 0
      ? { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
      : undefined;
  if (state.failedIndexes.size > 0 && state.failedIndexes.size + state.succeeded >= completions)
    return { type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' };
  if (state.succeeded < completions) return undefined;
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

/** How many pods should be active now. Never so many that more than the completions could succeed. */
export function wantedActive(job: Job, state: JobState): number {
  const { parallelism = 1, completions, suspend } = job.spec ?? {};
  if (suspend) return 0;
  if (completions === undefined) return state.succeeded > 0 ? Math.min(state.active.length, parallelism) : parallelism;
  return Math.max(0, Math.min(completions - state.succeeded - state.failedIndexes.size, parallelism));
}

/** The lowest indexes that have neither ended nor a pod at work. */
export function pendingIndexes(job: Job, pods: readonly Pod[], state: JobState, count: number): number[] {
  // A pod that succeeded but could not be noted yet (the note is full) holds its index as well.
  const taken = new Set(
    pods.filter(p => isActive(p) || succeeded(p) || (isTerminating(p) && !failed(job, p))).map(indexOf),
  );
  const out: number[] = [];
  for (let i = 0; i < (job.spec?.completions ?? 0) && out.length < count; i++)
    if (!taken.has(i) && !state.completedIndexes.has(i) && !state.failedIndexes.has(i)) out.push(i);
  return out;
}
