/** Which pods a job lacks and which it has too many: pure. */
import type { Job } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { deletionOrder } from '../support/pods.ts';
import { backoffLeft } from './backoff.ts';
import { endedAt, failuresBefore, type IndexFailures, indexOf, isIndexed } from './pods.ts';
import { judgeFailure } from './policies.ts';
import { isIndexIn, type JobState } from './state.ts';

/** How many pods should be active now. Never so many that more than the completions could succeed. */
export function wantedActive(job: Job, state: JobState): number {
  const { parallelism = 1, completions, suspend } = job.spec ?? {};
  if (suspend) return 0;
  if (completions === undefined) return state.succeeded > 0 ? state.active.length : parallelism;
  return Math.max(0, Math.min(completions - state.succeeded - state.failedIndexes.size, parallelism));
}

/** The lowest indexes that have neither ended nor a pod at work. */
export function pendingIndexes(job: Job, state: JobState, count: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < (job.spec?.completions ?? 0) && out.length < count; i++)
    if (!state.busyIndexes.has(i) && !state.completedIndexes.has(i) && !state.failedIndexes.has(i)) out.push(i);
  return out;
}

/** Upstream's activePodsForRemoval: at least `surplus`, and always those whose index is another's, or none of the job's. */
export function podsToRemove(job: Job, active: readonly Pod[], surplus: number, now: number): Pod[] {
  const ordered = deletionOrder(active, () => 0, now);
  if (!isIndexed(job)) return ordered.slice(0, Math.max(0, surplus));
  const kept = new Map<number, Pod>();
  // The last in the order is the one worth most.
  for (const pod of ordered) if (isIndexIn(job, indexOf(pod))) kept.set(indexOf(pod), pod);
  const misfit = (pod: Pod) => kept.get(indexOf(pod)) !== pod;
  const rest = ordered.filter(pod => !misfit(pod));
  const misfits = ordered.filter(misfit);
  return [...misfits, ...rest.slice(0, Math.max(0, surplus - misfits.length))];
}

/** What an index's next pod is told: the record's failures and its own. */
export function failuresOfIndex(job: Job, record: Pod | undefined): IndexFailures {
  if (!record) return { counted: 0, ignored: 0 };
  const { counted, ignored } = failuresBefore(record);
  return judgeFailure(job, record).action === 'Ignore'
    ? { counted, ignored: ignored + 1 }
    : { counted: counted + 1, ignored };
}

/** Milliseconds until an index may be tried again. */
export function indexBackoffLeft(record: Pod | undefined, now: number): number {
  if (!record) return 0;
  const { counted, ignored } = failuresBefore(record);
  return backoffLeft(counted + ignored + 1, endedAt(record), now);
}
