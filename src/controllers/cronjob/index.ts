import { type Schedule, zoneOffsets } from '../../api/cron.ts';
import { controllerOf, type Draft, keyOf } from '../../api/object.ts';
import type { CronJob, CronJobStatus, Job } from '../../api/types/batch-v1.ts';
import type { ObjectReference } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isAlreadyExists, isNotFound, messageOf } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import type { Controller, ControllerContext, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { controllerRef, isNamespaceTerminating } from '../support/pod-control.ts';
import { dueSlot, scheduleOf, slotText } from './schedule.ts';

const kind = { apiVersion: 'batch/v1', kind: 'CronJob' };
const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

/**
 * pkg/controller/cronjob of v1.35. A slot's job is named after its minute, so that no crash between writing the job and writing the status
 * can run a slot twice.
 */
export const cronJobController: Controller = {
  name: 'cronjob-controller',
  aliases: ['cronjob'],
  setUp(context) {
    const cronJobs = context.informers.informer('batch/v1/cronjobs');
    const jobs = context.informers.informer('batch/v1/jobs');
    const all: Deps = { context, cronJobs, jobs, started: new Map() };
    return {
      sources: [
        watch<'batch/v1/cronjobs'>(cronJobs, cj => [keyOf(cj)]),
        watch<'batch/v1/jobs'>(jobs, job => {
          const owner = controllerOf(job);
          return owner?.kind === 'CronJob' ? [`${job.metadata.namespace}/${owner.name}`] : [];
        }),
      ],
      reconcile: key => reconcile(all, key),
    };
  },
};

/** After the slot, so that a clock that is a little behind does not find it in the future (upstream's nextScheduleDelta). */
const nextScheduleDeltaMs = 100;

interface Deps {
  readonly context: ControllerContext;
  readonly cronJobs: Informer<CronJob>;
  readonly jobs: Informer<Job>;
  /** The last slot that this process started, by uid: a cache that lags must not run it again after its job was cleaned up. */
  readonly started: Map<string, number>;
}
const endOf = (job: Job): string | undefined =>
  job.status?.conditions?.find(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True')?.type;

async function reconcile(all: Deps, key: string): Promise<ReconcileResult> {
  const cj = all.cronJobs.store.get(key);
  if (!cj) return;
  const owned = all.jobs.store.byIndex('owner', cj.metadata.uid ?? '');
  const status: CronJobStatus = { ...cj.status, active: [...(cj.status?.active ?? [])] };
  const cleaning = await cleanUp(all, cj, status, owned).then(
    () => undefined,
    e => e,
  );
  await updateActive(all, cj, status, owned);
  const run = cj.metadata.deletionTimestamp ? undefined : await runDue(all, cj, status);
  await writeStatus(all, cj, status);
  const failure = run?.failure ?? cleaning;
  if (failure !== undefined) throw failure;
  if (run?.next !== undefined)
    return { requeueAfter: Math.max(0, run.next - all.context.clock.now()) + nextScheduleDeltaMs };
}

const isListed = (status: CronJobStatus | undefined, uid: string | undefined) =>
  status?.active?.some(ref => ref.uid === uid) === true;
const unlist = (status: CronJobStatus, uid: string | undefined) => {
  status.active = (status.active ?? []).filter(ref => ref.uid !== uid);
};

/** Brings the list of active jobs up to date with the jobs there are. Changes `status` in place. */
async function updateActive(all: Deps, cj: CronJob, status: CronJobStatus, owned: readonly Job[]): Promise<void> {
  const { recorder, client } = all.context;
  for (const job of owned) {
    const { uid, name } = job.metadata;
    const end = endOf(job);
    if (end && isListed(status, uid)) {
      unlist(status, uid);
      recorder.event(cj, 'Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${end}`);
    } else if (!end && !isListed(status, uid)) await noteStranger(all, cj, status, job);
    const { completionTime } = job.status ?? {};
    if (end === 'Complete' && completionTime && completionTime > (status.lastSuccessfulTime ?? ''))
      status.lastSuccessfulTime = completionTime;
  }
  for (const ref of status.active ?? []) {
    if (owned.some(job => job.metadata.uid === ref.uid)) continue;
    const live = await found(client.jobs(cj.metadata.namespace).get(ref.name ?? ''));
    if (live?.metadata.uid === ref.uid) continue;
    unlist(status, ref.uid);
    recorder.event(cj, 'Normal', 'MissingJob', `Active job went missing: ${ref.name}`);
  }
}

/** A job that the cache does not list: listed by now, or none of a slot's, such as one made by hand. That one holds up no slot. */
async function noteStranger({ context }: Deps, cj: CronJob, status: CronJobStatus, job: Job): Promise<void> {
  const live = await found(context.client.cronjobs(cj.metadata.namespace).get(cj.metadata.name));
  if (isListed(live?.status, job.metadata.uid)) {
    Object.assign(status, live?.status);
    return;
  }
  const message = `Saw a job that the controller did not create or forgot: ${job.metadata.name}`;
  context.recorder.event(cj, 'Warning', 'UnexpectedJob', message);
}

const found = <T>(reading: Promise<T>): Promise<T | undefined> =>
  reading.catch(e => {
    if (isNotFound(e)) return undefined;
    throw e;
  });

function referenceTo(job: Job): ObjectReference {
  const { namespace, name, uid, resourceVersion } = job.metadata;
  return {
    kind: 'Job',
    apiVersion: 'batch/v1',
    name,
    ...(namespace && { namespace }),
    ...(uid && { uid }),
    ...(resourceVersion && { resourceVersion }),
  };
}

/** Deletes the oldest finished jobs beyond the history limits; they are active no more. */
async function cleanUp(all: Deps, cj: CronJob, status: CronJobStatus, owned: readonly Job[]): Promise<void> {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cj.spec;
  const started = (job: Job) => job.status?.startTime ?? '\uffff';
  const order = (a: Job, b: Job) =>
    started(a) === started(b) ? (a.metadata.name < b.metadata.name ? -1 : 1) : started(a) < started(b) ? -1 : 1;
  const surplus = (type: string, limit: number) => {
    const ended = owned.filter(job => endOf(job) === type && !job.metadata.deletionTimestamp);
    return ended.sort(order).slice(0, Math.max(0, ended.length - limit));
  };
  for (const { metadata } of [
    ...surplus('Complete', successfulJobsHistoryLimit),
    ...surplus('Failed', failedJobsHistoryLimit),
  ]) {
    await deleteJob(all, cj, metadata.name);
    unlist(status, metadata.uid);
  }
}

async function deleteJob({ context }: Deps, cj: CronJob, name: string): Promise<void> {
  try {
    await context.client.jobs(cj.metadata.namespace).delete(name, { propagationPolicy: 'Background' });
    context.recorder.event(cj, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  } catch (e) {
    if (isNotFound(e)) return;
    context.recorder.event(cj, 'Warning', 'FailedDelete', `Deleted job: ${messageOf(e)}`);
    throw e;
  }
}

interface Run {
  next: number | undefined;
  failure?: unknown;
}

/** Starts the slot that is due, if the policy lets it. Changes `status` in place. */
async function runDue(all: Deps, cj: CronJob, status: CronJobStatus): Promise<Run> {
  const { clock, recorder } = all.context;
  const schedule = scheduleOrEvent(all, cj);
  if (!schedule) return { next: undefined };
  const now = clock.now();
  const { slot, next, tooManyMissed, never } = dueSlot({ ...cj, status }, schedule, now);
  if (never) {
    const message = `invalid schedule: ${cj.spec.schedule} : time difference between two schedules is less than 1 second`;
    recorder.event(cj, 'Warning', 'InvalidSchedule', message);
  }
  if (tooManyMissed)
    recorder.event(
      cj,
      'Warning',
      'TooManyMissedTimes',
      'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
    );
  if (slot === undefined) return { next };
  const deadline = cj.spec.startingDeadlineSeconds;
  if (deadline !== undefined && slot + deadline * 1000 < now) {
    recorder.event(
      cj,
      'Warning',
      'MissSchedule',
      `Missed scheduled time to start a job: ${new Date(slot).toUTCString().replace('GMT', '+0000')}`,
    );
    return { next };
  }
  const name = `${cj.metadata.name}-${Math.floor(slot / 60_000)}`;
  if (status.active?.some(ref => ref.name === name) || status.lastScheduleTime === rfc3339(slot)) return { next };
  if (slot <= (all.started.get(cj.metadata.uid ?? '') ?? 0)) return { next };
  const policy = cj.spec.concurrencyPolicy ?? 'Allow';
  if (policy === 'Forbid' && (status.active?.length ?? 0) > 0) {
    // The end of the active job asks again, and the slot is still due then.
    recorder.event(
      cj,
      'Normal',
      'JobAlreadyActive',
      'Not starting job because prior execution is running and concurrency policy is Forbid',
    );
    return { next };
  }
  try {
    if (policy === 'Replace')
      for (const ref of status.active ?? []) {
        await deleteJob(all, cj, ref.name ?? '');
        status.active = status.active?.filter(r => r !== ref) ?? [];
      }
    await startJob(all, cj, status, name, slot);
    if (status.lastScheduleTime === rfc3339(slot)) all.started.set(cj.metadata.uid ?? '', slot);
    return { next };
  } catch (failure) {
    return { next, failure };
  }
}

async function startJob(
  { context }: Deps,
  cj: CronJob,
  status: CronJobStatus,
  name: string,
  slot: number,
): Promise<void> {
  const { client, recorder } = context;
  try {
    const job = await client.jobs(cj.metadata.namespace).create(jobFor(cj, name, slot));
    recorder.event(cj, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
    status.active = [...(status.active ?? []), referenceTo(job)];
  } catch (e) {
    if (isNamespaceTerminating(e)) return;
    const ours = isAlreadyExists(e) ? await client.jobs(cj.metadata.namespace).get(name) : undefined;
    if (!ours) {
      recorder.event(cj, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(e)}`);
      throw e;
    }
    // Somebody else's, who is taken to know why.
    if (controllerOf(ours)?.uid !== cj.metadata.uid) return;
    // Made before a crash, or by a request whose answer was lost: the slot has run.
    if (!endOf(ours) && !status.active?.some(ref => ref.uid === ours.metadata.uid))
      status.active = [...(status.active ?? []), referenceTo(ours)];
  }
  status.lastScheduleTime = rfc3339(slot);
}

function jobFor(cj: CronJob, name: string, slot: number): Draft<Job> {
  const { metadata, spec } = cj.spec.jobTemplate;
  return {
    metadata: {
      name,
      namespace: cj.metadata.namespace ?? '',
      labels: { ...metadata?.labels },
      annotations: { ...metadata?.annotations, [scheduledAnnotation]: slotText(cj, slot) },
      ownerReferences: [controllerRef(kind, cj)],
    },
    spec: spec ?? { template: {} },
  };
}

/** Undefined when nothing is to run: suspended, or told by an event why. */
function scheduleOrEvent({ context }: Deps, cj: CronJob): Schedule | undefined {
  const { schedule, timeZone, suspend } = cj.spec;
  const warn = (reason: string, message: string) => context.recorder.event(cj, 'Warning', reason, message);
  try {
    zoneOffsets(timeZone || 'UTC');
  } catch {
    warn('UnknownTimeZone', `invalid timeZone: ${JSON.stringify(timeZone)}: unknown time zone ${timeZone}`);
    return undefined;
  }
  if (suspend) return undefined;
  if (schedule.includes('TZ')) {
    const page = 'https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/';
    const which = `CRON_TZ or TZ used in schedule ${JSON.stringify(schedule)}`;
    warn('UnsupportedSchedule', `${which} is not officially supported, see ${page} for more details`);
  }
  try {
    return scheduleOf(cj);
  } catch (e) {
    warn('UnparseableSchedule', `unparseable schedule: ${JSON.stringify(schedule)} : ${messageOf(e)}`);
    return undefined;
  }
}

async function writeStatus({ context }: Deps, cj: CronJob, status: CronJobStatus): Promise<void> {
  const plain = ({ active = [], ...rest }: CronJobStatus) => ({ ...rest, active: active.map(ref => ref.uid) });
  if (deepEqual(plain(cj.status ?? {}), plain(status))) return;
  await context.client
    .cronjobs(cj.metadata.namespace)
    .updateStatus({ ...cj, status })
    .catch(e => {
      if (!isNotFound(e)) throw e;
    });
}
