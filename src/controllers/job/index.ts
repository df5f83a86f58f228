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
import { deletionOrder } from '../support/pods.ts';
import { createJobBackoff, type JobBackoff } from './backoff.ts';
import {
  endedAt,
  failed,
  hasTracking,
  indexOf,
  isIndexed,
  kind,
  newPod,
  replacesFailedOnly,
  succeeded,
  trackingFinalizer,
} from './pods.ts';
import {
  deadlineIn,
  failuresOfIndex,
  finishedCondition,
  type JobState,
  pendingIndexes,
  stateOf,
  type Verdict,
  verdictOf,
  wantedActive,
} from './state.ts';

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
  const state = stateOf(job, pods);
  const verdict = verdictOf(job, state, now);
  const unsuspended = await applySuspension(all, job);
  let outcome: Outcome = { wait: undefined, failure: undefined, terminated: 0 };
  if (!job.metadata.deletionTimestamp && settled) outcome = await manage(all, key, unsuspended, pods, state, verdict);
  const status = statusAfter(unsuspended, state, verdict, outcome.terminated, settled, now);
  const written = await writeStatus(all, job, status);
  await releasePods(all, state.releasable);
  if (written) announce(all, written, verdict);
  if (outcome.failure !== undefined) throw outcome.failure;
  if (!settled) return { requeueAfter: 1_000 };
  const waits = [outcome.wait, deadlineIn(unsuspended, now)].filter(ms => ms !== undefined && ms > 0);
  if (waits.length > 0) return { requeueAfter: Math.min(...(waits as number[])) };
}

function noteEnds(all: Deps, key: string, job: Job, pods: readonly Pod[]): void {
  const now = all.context.clock.now();
  const ended = pods.filter(p => hasTracking(p) && (succeeded(p) || failed(job, p)));
  all.backoff.note(
    key,
    ended.map(p => ({ uid: p.metadata.uid ?? '', at: endedAt(p, now), success: succeeded(p) })),
  );
}

/** The job with its suspension and start time as they are to be. Written with the rest of the status. */
async function applySuspension({ context }: Deps, job: Job): Promise<Job> {
  const now = context.clock.now();
  const known = conditionOf(job.status?.conditions, 'Suspended');
  const status: JobStatus = { ...job.status };
  const set = (value: string, reason: string, message: string) => {
    status.conditions = withCondition(
      status.conditions,
      { type: 'Suspended', status: value, reason, message, lastProbeTime: rfc3339(now) },
      now,
    );
  };
  if (job.spec?.suspend) {
    if (known?.status === 'True') return job;
    set('True', 'JobSuspended', 'Job suspended');
    delete status.startTime;
    context.recorder.event(job, 'Normal', 'Suspended', 'Job suspended');
  } else {
    if (known?.status === 'True') {
      set('False', 'JobResumed', 'Job resumed');
      context.recorder.event(job, 'Normal', 'Resumed', 'Job resumed');
    }
    status.startTime ??= rfc3339(now);
  }
  return { ...job, status };
}

interface Outcome {
  /** Milliseconds until the back-off ends. */
  wait: number | undefined;
  failure: unknown;
  /** Pods that were active and have been told to go. */
  terminated: number;
}

async function manage(
  all: Deps,
  key: string,
  job: Job,
  pods: readonly Pod[],
  state: JobState,
  verdict: Verdict | undefined,
): Promise<Outcome> {
  const wanted = verdict ? 0 : wantedActive(job, state);
  const surplus = state.active.length - wanted;
  if (surplus > 0) {
    const victims = surplusPods(all, job, state, surplus);
    const failure = await settleAll(victims.map(pod => remove(all, job, pod, verdict?.type === 'Failed'))).then(
      () => undefined,
      e => e,
    );
    return { wait: undefined, failure, terminated: failure === undefined ? victims.length : 0 };
  }
  const nothing: Outcome = { wait: undefined, failure: undefined, terminated: 0 };
  if (verdict || job.spec?.suspend) return nothing;
  const leaving = replacesFailedOnly(job) ? state.terminating : 0;
  const missing = wanted - state.active.length - leaving;
  if (missing <= 0) return nothing;
  const wait = all.backoff.remaining(key, all.context.clock.now());
  if (wait > 0) return { ...nothing, wait };
  const failure = await create(all, job, pods, state, Math.min(missing, burst)).then(
    () => undefined,
    e => e,
  );
  return { ...nothing, failure };
}

/** Indexed pods that double an index go first. */
function surplusPods({ context }: Deps, job: Job, state: JobState, surplus: number): Pod[] {
  const ordered = deletionOrder(state.active, () => 0, context.clock.now());
  if (isIndexed(job)) {
    const seen = new Set<number>();
    const doubled = (pod: Pod) => {
      const known = seen.has(indexOf(pod));
      seen.add(indexOf(pod));
      return known;
    };
    const twice = new Set([...ordered].reverse().filter(doubled));
    ordered.sort((a, b) => Number(twice.has(b)) - Number(twice.has(a)));
  }
  return ordered.slice(0, Math.min(surplus, burst));
}

/** Pods given up by a job that goes on, or has succeeded, are no failures: without finalizer they are not counted. */
async function remove(all: Deps, job: Job, pod: Pod, countsAsFailed: boolean): Promise<void> {
  if (!countsAsFailed) await dropFinalizer(all.context, pod);
  await all.own.delete(pod, job);
}

async function create(all: Deps, job: Job, pods: readonly Pod[], state: JobState, count: number): Promise<void> {
  const indexes = isIndexed(job) ? pendingIndexes(job, pods, state, count) : undefined;
  await slowStart(indexes?.length ?? count, async i => {
    const index = indexes?.[i];
    const failures = index === undefined ? 0 : failuresOfIndex(job, pods, index);
    await all.own.create(newPod(job, index, failures), job);
  });
}

/** The whole status. A verdict is announced first, and becomes final when no pod is left. */
function statusAfter(
  job: Job,
  state: JobState,
  verdict: Verdict | undefined,
  terminated: number,
  settled: boolean,
  now: number,
): JobStatus {
  const active = state.active.length - terminated;
  const terminating = state.terminating + terminated;
  let conditions = job.status?.conditions ?? [];
  if (verdict) conditions = withVerdict(conditions, verdict, now);
  const ended = verdict && settled && state.active.length === 0 && state.terminating === 0 && allNoted(state);
  if (ended) conditions = withFinal(conditions, verdict, now);
  const complete = ended && verdict.type !== 'Failed';
  return {
    ...job.status,
    ...state.accounting,
    active,
    ready: Math.min(state.ready, active),
    terminating,
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
