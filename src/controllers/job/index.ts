import { controllerOf, keyOf } from '../../api/object.ts';
import type { Job, JobCondition, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import type { Controller, ControllerContext, Loop, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { conditionOf, withCondition } from '../support/conditions.ts';
import { createOwnedPods, type OwnedPods } from '../support/owned-pods.ts';
import { selectorFor } from '../support/ownership.ts';
import { settleAll, slowStart } from '../support/pod-control.ts';
import { isPodReady } from '../support/pods.ts';
import { createJobBackoff, type JobBackoff } from './backoff.ts';
import { failuresOfIndex, indexBackoffLeft, pendingIndexes, podsToRemove, wantedActive } from './plan.ts';
import {
  endedAt,
  failed,
  hasTracking,
  isIndexed,
  kind,
  newPod,
  replacesFailedOnly,
  succeeded,
  trackingFinalizer,
} from './pods.ts';
import { deadlineIn, finishedCondition, type JobState, stateOf, type Verdict, verdictOf } from './state.ts';

/** Creations and deletions per reconcile: upstream's MaxPodCreateDeletePerSync. */
const burst = 500;
const ownController = 'kubernetes.io/job-controller';

/**
 * pkg/controller/job of v1.35. A pod that ended is first noted in the status, then loses its finalizer, then is counted: at any crash in
 * between the next reconcile goes on from what is written.
 */
export const jobController: Controller = {
  name: 'job-controller',
  aliases: ['job'],
  setUp(context) {
    const jobs = context.informers.informer('batch/v1/jobs');
    const own = createOwnedPods(context, {
      kind,
      owners: jobs,
      client: namespace => context.client.jobs(namespace),
      selector: job => selectorFor(job.spec?.selector),
      finalizer: trackingFinalizer,
    });
    const all: Deps = { context, jobs, own, backoff: createJobBackoff() };
    return [{ sources: own.sources, reconcile: key => reconcile(all, key) }, strayLoop(all)];
  },
};

interface Deps {
  readonly context: ControllerContext;
  readonly jobs: Informer<Job>;
  readonly own: OwnedPods<Job>;
  readonly backoff: JobBackoff;
}

const isOurs = (job: Job) => (job.spec?.managedBy ?? ownController) === ownController;

async function reconcile(all: Deps, key: string): Promise<ReconcileResult> {
  const { context, own } = all;
  const found = await own.look(key);
  if (!found) return all.backoff.forget(key);
  const { owner: job, settled } = found;
  if (!isOurs(job) || finishedCondition(job)) return;
  const pods = await own.claim(job);
  const now = context.clock.now();
  noteEnds(all, key, job, pods);
  const seen = stateOf(job, pods);
  const verdict = verdictOf(job, seen, now);
  const started = withStart(job, now);
  const acts = settled && (verdict !== undefined || !job.metadata.deletionTimestamp);
  const outcome = acts ? await manage(all, key, started, seen, verdict) : nothing;
  // An end is announced once all pods have been told; else the next look decides again.
  const end = settled && outcome.failure === undefined ? verdict : undefined;
  const state = end ? stateOf(job, pods, end.type) : seen;
  const current = acts && !verdict ? applySuspension(all, started) : started;
  const counts = settled ? countsAfter(state, outcome) : {};
  const status = { ...statusAfter(current, state, end, now), ...counts };
  const written = await writeStatus(all, job, status);
  await releasePods(all, state.releasable);
  if (written) announce(all, written, end);
  if (outcome.failure !== undefined) throw outcome.failure;
  if (!settled) return { requeueAfter: 1_000 };
  const waits = [outcome.wait, deadlineIn(current, now)].filter(ms => ms !== undefined && ms > 0);
  if (waits.length > 0) return { requeueAfter: Math.min(...(waits as number[])) };
}

function noteEnds(all: Deps, key: string, job: Job, pods: readonly Pod[]): void {
  const ended = pods.filter(p => hasTracking(p) && (succeeded(p) || failed(job, p)));
  all.backoff.note(
    key,
    ended.map(p => ({ uid: p.metadata.uid ?? '', at: endedAt(p), success: succeeded(p) })),
  );
}

function withStart(job: Job, now: number): Job {
  if (job.status?.startTime || job.spec?.suspend) return job;
  return { ...job, status: { ...job.status, startTime: rfc3339(now) } };
}

/** The job with its suspension as it is to be; the time of a suspended job starts anew. Written with the rest of the status. */
function applySuspension({ context }: Deps, job: Job): Job {
  const { clock, recorder } = context;
  const now = clock.now();
  const suspend = job.spec?.suspend === true;
  const known = conditionOf(job.status?.conditions, 'Suspended');
  if (suspend === (known?.status === 'True')) return job;
  const { startTime: _before, ...rest } = job.status ?? {};
  const [value, reason, message] = suspend
    ? ['True', 'JobSuspended', 'Job suspended']
    : ['False', 'JobResumed', 'Job resumed'];
  recorder.event(job, 'Normal', suspend ? 'Suspended' : 'Resumed', message);
  const condition = { type: 'Suspended', status: value, reason, message, lastProbeTime: rfc3339(now) };
  const conditions = withCondition(rest.conditions, condition, now);
  return { ...job, status: { ...rest, conditions, ...(!suspend && { startTime: rfc3339(now) }) } };
}

interface Outcome {
  /** Milliseconds until the back-off ends. */
  readonly wait?: number;
  readonly failure?: unknown;
  readonly created?: number;
  /** Pods that were active and have been told to go. */
  readonly removed?: readonly Pod[];
}
const nothing: Outcome = {};

async function manage(
  all: Deps,
  key: string,
  job: Job,
  state: JobState,
  verdict: Verdict | undefined,
): Promise<Outcome> {
  const now = all.context.clock.now();
  const wanted = verdict ? 0 : wantedActive(job, state);
  const victims = podsToRemove(job, state.active, state.active.length - wanted, now);
  // All go when the job ends, however many; what goes on is not to starve other jobs.
  if (victims.length > 0)
    return removeAll(all, job, verdict ? victims : victims.slice(0, burst), verdict?.type === 'Failed');
  if (verdict || job.spec?.suspend) return nothing;
  const leaving = replacesFailedOnly(job) ? state.terminating : 0;
  const missing = Math.min(wanted - state.active.length - leaving, burst);
  if (missing <= 0) return nothing;
  const { backoffLimitPerIndex } = job.spec ?? {};
  const wait = backoffLimitPerIndex === undefined ? all.backoff.remaining(key, now) : 0;
  if (wait > 0) return { wait };
  return isIndexed(job) ? createIndexes(all, job, state, missing) : createPods(all, job, state, missing);
}

async function removeAll(all: Deps, job: Job, pods: readonly Pod[], countAsFailed: boolean): Promise<Outcome> {
  const removed: Pod[] = [];
  const each = async (pod: Pod) => {
    // Pods given up by a job that goes on, or has succeeded, are no failures: without finalizer they are not counted.
    if (!countAsFailed) await dropFinalizer(all.context, pod);
    await all.own.delete(pod, job);
    removed.push(pod);
  };
  return { removed, failure: await failureOf(settleAll(pods.map(each))) };
}

/** Only indexes whose own back-off is over. */
async function createIndexes(all: Deps, job: Job, state: JobState, count: number): Promise<Outcome> {
  const now = all.context.clock.now();
  const waits = new Map(pendingIndexes(job, state, count).map(i => [i, indexBackoffLeft(state.records.get(i), now)]));
  const due = [...waits.keys()].filter(i => waits.get(i) === 0);
  if (due.length === 0) return waits.size > 0 ? { wait: Math.min(...waits.values()) } : nothing;
  return createPods(all, job, state, due.length, due);
}

async function createPods(
  all: Deps,
  job: Job,
  state: JobState,
  count: number,
  indexes: readonly number[] = [],
): Promise<Outcome> {
  let created = 0;
  const creating = slowStart(count, async i => {
    const index = indexes[i];
    const record = index === undefined ? undefined : state.records.get(index);
    await all.own.create(newPod(job, index, failuresOfIndex(job, record)), job);
    created += 1;
  });
  const failure = await failureOf(creating);
  return { created, failure };
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    e => e,
  );

/** With what was just done, before the cache shows it; while it does not show it, the counts stay as they were written. */
const countsAfter = (state: JobState, { created = 0, removed = [] }: Outcome) => ({
  active: state.active.length + created - removed.length,
  ready: state.ready - removed.filter(isPodReady).length,
  terminating: state.terminating + removed.length,
});

/** The status but for pods at work. A verdict is announced first, and becomes final when no pod is left. */
function statusAfter(job: Job, state: JobState, verdict: Verdict | undefined, now: number): JobStatus {
  let conditions = job.status?.conditions ?? [];
  if (verdict) conditions = withVerdict(conditions, verdict, now);
  const ended = verdict && state.active.length === 0 && state.terminating === 0 && allNoted(state);
  if (ended) conditions = withFinal(conditions, verdict, now);
  const complete = ended && verdict.type !== 'Failed';
  return {
    ...job.status,
    ...state.accounting,
    ...(conditions.length > 0 && { conditions }),
    ...(complete && { completionTime: rfc3339(now) }),
  };
}

/** Nothing is left to count: the numbers of a finished job are final. */
const allNoted = ({ noted, accounting }: JobState): boolean => {
  const { succeeded: ok = [], failed: bad = [] } = accounting.uncountedTerminatedPods ?? {};
  return noted.length === 0 && ok.length === 0 && bad.length === 0;
};

const conditionFor = (type: string, { reason, message }: Verdict, now: number): JobCondition => ({
  type,
  status: 'True',
  reason,
  message,
  lastProbeTime: rfc3339(now),
});
function withVerdict(conditions: JobCondition[], verdict: Verdict, now: number): JobCondition[] {
  const type = verdict.type === 'Failed' ? 'FailureTarget' : 'SuccessCriteriaMet';
  return conditionOf(conditions, type) ? conditions : withCondition(conditions, conditionFor(type, verdict, now), now);
}
function withFinal(conditions: JobCondition[], verdict: Verdict, now: number): JobCondition[] {
  const type = verdict.type === 'Failed' ? 'Failed' : 'Complete';
  return withCondition(conditions, conditionFor(type, verdict, now), now);
}

/** The job as written; undefined when there was nothing to write. */
async function writeStatus({ context }: Deps, job: Job, status: JobStatus): Promise<Job | undefined> {
  if (deepEqual(normal(job.status), normal(status))) return undefined;
  return context.client
    .jobs(job.metadata.namespace)
    .updateStatus({ ...job, status })
    .catch(e => {
      if (isNotFound(e)) return undefined;
      throw e;
    });
}
const isNothing = (v: unknown) =>
  v === undefined || v === 0 || v === '' || (typeof v === 'object' && v !== null && Object.keys(v).length === 0);
const normal = (status: JobStatus | undefined) =>
  Object.fromEntries(Object.entries(status ?? {}).filter(([, v]) => !isNothing(v)));

function announce({ context }: Deps, job: Job, verdict: Verdict | undefined): void {
  const final = finishedCondition(job);
  if (!final || !verdict) return;
  const { completions } = job.spec;
  if (final.type === 'Complete' && completions !== undefined && (job.status?.succeeded ?? 0) > completions) {
    const message = 'Too many succeeded pods running after completion count reached';
    context.recorder.event(job, 'Warning', 'TooManySucceededPods', message);
  }
  if (final.type === 'Complete') context.recorder.event(job, 'Normal', 'Completed', 'Job completed');
  else context.recorder.event(job, 'Warning', verdict.reason, verdict.message);
}

async function releasePods({ context }: Deps, pods: readonly Pod[]): Promise<void> {
  await settleAll(pods.map(pod => dropFinalizer(context, pod)));
}

async function dropFinalizer({ client }: ControllerContext, pod: Pod): Promise<void> {
  if (!hasTracking(pod)) return;
  const { uid, name, namespace } = pod.metadata;
  const metadata = { uid, '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] };
  await client
    .pods(namespace)
    .patch(name, 'strategic', { metadata })
    .catch(e => {
      if (!isNotFound(e)) throw e;
    });
}

/** Pods that carry the finalizer although no unfinished job counts them any more would never go. */
function strayLoop(all: Deps): Loop {
  const { jobs, context } = all;
  const { pods } = all.own;
  const isStray = (pod: Pod): boolean => {
    const owner = controllerOf(pod);
    if (!hasTracking(pod) || owner?.kind !== 'Job') return hasTracking(pod) && !owner;
    const job = jobs.store.byIndex('uid', owner.uid)[0];
    return job === undefined || job.metadata.deletionTimestamp !== undefined || finishedCondition(job) !== undefined;
  };
  return {
    sources: [
      watch<'v1/pods'>(pods, (pod, _old, event) => (event !== 'delete' && isStray(pod) ? [keyOf(pod)] : [])),
      watch<'batch/v1/jobs'>(jobs, (job, _old, event) =>
        event === 'delete' || finishedCondition(job) || job.metadata.deletionTimestamp
          ? pods.store
              .byIndex('owner', job.metadata.uid ?? '')
              .filter(hasTracking)
              .map(keyOf)
          : [],
      ),
    ],
    async reconcile(key) {
      const pod = pods.store.get(key);
      if (!pod || !isStray(pod)) return;
      const owner = controllerOf(pod);
      // The caches may disagree for a moment: the server knows whether the job is there.
      if (owner && !jobs.store.byIndex('uid', owner.uid)[0]) {
        const live = await context.client
          .jobs(pod.metadata.namespace)
          .get(owner.name)
          .catch(e => {
            if (isNotFound(e)) return undefined;
            throw e;
          });
        if (live?.metadata.uid === owner.uid && !finishedCondition(live)) return;
      }
      await dropFinalizer(context, pod);
    },
  };
}
