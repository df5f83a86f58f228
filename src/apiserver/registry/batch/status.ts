/**
 * Status of jobs (validateJobStatus and getStatusValidationOptions upstream). A rule about fields that did not change is not applied: what is
 * wrong in a stored status must not hold up the rest of it.
 */
import type { Job, JobStatus } from '../../../api/types/batch-v1.ts';
import { type Errors, each, nonNegative, optional, same } from '../checks.ts';
import { field } from '../field-errors.ts';
import { countIndexes, firstCommonIndex } from './indexes.ts';

const counters = ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const;
const finals = ['Failed', 'Complete', 'FailureTarget'] as const;

const has = (status: JobStatus, type: string, value = 'True') =>
  status.conditions?.some(c => c.type === type && c.status === value) ?? false;
const isFinished = (status: JobStatus) => has(status, 'Complete') || has(status, 'Failed');
const conditions = (detail: string) => field.invalidUnshown('status.conditions', detail);

/** Both statuses and what changed between them. */
interface Change {
  readonly job: Job;
  readonly now: JobStatus;
  readonly before: JobStatus;
  /** One of the fields changed. */
  fields(...keys: (keyof JobStatus)[]): boolean;
  /** A condition was set or lost. */
  condition(...types: string[]): boolean;
  readonly finish: boolean;
}

/** Fields that are not pointers upstream: absent is the same as zero. */
const zeros: Readonly<JobStatus> = { active: 0, completedIndexes: '' };

function changeOf(job: Job, old: Job): Change {
  const now = job.status ?? {};
  const before = old.status ?? {};
  return {
    job,
    now,
    before,
    fields: (...keys) => keys.some(key => !same(now[key] ?? zeros[key], before[key] ?? zeros[key])),
    condition: (...types) => types.some(type => has(now, type) !== has(before, type)),
    finish: isFinished(now) !== isFinished(before),
  };
}

/** Pods that ended and are not counted yet. */
function validateUncounted({ now }: Change): Errors {
  const seen = new Set<string>();
  return (['succeeded', 'failed'] as const).flatMap(key =>
    each(now.uncountedTerminatedPods?.[key], `status.uncountedTerminatedPods.${key}`, (uid, at) => {
      if (uid === '') return [field.invalid(at, uid, 'must not be empty')];
      if (seen.has(uid)) return [field.duplicate(at, uid)];
      seen.add(uid);
      return [];
    }),
  );
}

/** A rule holds for the new status when what it is about changed. */
type Rule = readonly [applies: boolean, broken: boolean | undefined, error: () => Errors[number]];
const broken = (rules: readonly Rule[]): Errors =>
  rules.flatMap(([applies, isBroken, error]) => (applies && isBroken ? [error()] : []));

const isBefore = (a: string | undefined, b: string | undefined) =>
  a !== undefined && b !== undefined && Date.parse(a) < Date.parse(b);

function validateEnd(change: Change): Errors {
  const { now } = change;
  const [complete, failed] = [has(now, 'Complete'), has(now, 'Failed')];
  const at = 'status.completionTime';
  const ended = change.condition('Complete') || change.fields('completionTime');
  return broken([
    [
      change.condition('Complete', 'Failed'),
      complete && failed,
      () => conditions('cannot set Complete=True and Failed=true conditions'),
    ],
    [
      change.condition('Complete', 'FailureTarget'),
      complete && has(now, 'FailureTarget'),
      () => conditions('cannot set Complete=True and FailureTarget=true conditions'),
    ],
    [
      ended,
      now.completionTime !== undefined && !complete,
      () => field.invalid(at, now.completionTime, 'cannot set completionTime when there is no Complete=True condition'),
    ],
    [
      ended,
      now.completionTime === undefined && complete,
      () => field.required(at, 'completionTime is required for Complete jobs'),
    ],
    [
      change.fields('startTime', 'completionTime'),
      isBefore(now.completionTime, now.startTime),
      () => field.invalid(at, now.completionTime, 'must be equal to or after `startTime`'),
    ],
    [
      change.condition('Failed') || change.fields('failedIndexes'),
      failed && !has(now, 'FailureTarget'),
      () => conditions('cannot set Failed=True condition without the FailureTarget=true condition'),
    ],
    [
      change.condition('Complete', 'SuccessCriteriaMet'),
      complete && !has(now, 'SuccessCriteriaMet'),
      () => conditions('cannot set Complete=True condition without the SuccessCriteriaMet=true condition'),
    ],
  ]);
}

/** Nothing runs any more in a job that ended. */
function validateFinished(change: Change): Errors {
  const { job, now, finish } = change;
  if (!isFinished(now)) return [];
  const uncounted = now.uncountedTerminatedPods;
  const never = job.spec.suspend === true && job.spec.completions === 0;
  const shown = { Succeeded: uncounted?.succeeded ?? null, Failed: uncounted?.failed ?? null };
  return broken([
    [
      finish || change.fields('active'),
      (now.active ?? 0) > 0,
      () => field.invalid('status.active', now.active, 'active>0 is invalid for finished job'),
    ],
    [
      (finish || change.fields('startTime')) && !never,
      now.startTime === undefined,
      () => field.required('status.startTime', 'startTime is required for finished job'),
    ],
    [
      finish || change.fields('uncountedTerminatedPods'),
      (uncounted?.failed?.length ?? 0) + (uncounted?.succeeded?.length ?? 0) > 0,
      () => field.invalid('status.uncountedTerminatedPods', shown, 'must be empty for finished job'),
    ],
  ]);
}

function validateIndexes(change: Change): Errors {
  const { job, now } = change;
  const { completions, backoffLimitPerIndex: perIndex, completionMode } = job.spec;
  const { completedIndexes: completed = '', failedIndexes: failed } = now;
  const [completedPath, failedPath] = ['status.completedIndexes', 'status.failedIndexes'];
  const [ofCompleted, ofFailed] = [change.fields('completedIndexes'), change.fields('failedIndexes')];
  const parsed = (text: string) => (completions === undefined ? 0 : countIndexes(text, completions));
  const common =
    completions === undefined || failed === undefined ? undefined : firstCommonIndex(completed, failed, completions);
  return broken([
    [
      ofCompleted,
      typeof parsed(completed) === 'string',
      () => field.invalid(completedPath, completed, `error parsing completedIndexes: ${parsed(completed)}`),
    ],
    [
      ofFailed && perIndex !== undefined,
      typeof parsed(failed ?? '') === 'string',
      () => field.invalid(failedPath, failed, `error parsing failedIndexes: ${parsed(failed ?? '')}`),
    ],
    [
      ofCompleted,
      completed !== '' && completionMode !== 'Indexed',
      () =>
        field.invalid(
          completedPath,
          completed,
          'cannot set non-empty completedIndexes when non-indexed completion mode',
        ),
    ],
    [
      ofFailed,
      perIndex === undefined && failed !== undefined,
      () => field.invalid(failedPath, failed, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null'),
    ],
    [
      ofCompleted || ofFailed,
      common !== undefined,
      () => field.invalid(failedPath, failed, `failedIndexes and completedIndexes overlap at index: ${common}`),
    ],
  ]);
}

function validatePods(change: Change): Errors {
  const { now, finish } = change;
  const { ready, active = 0, terminating = 0 } = now;
  return broken([
    [
      finish || change.fields('terminating'),
      terminating > 0 && isFinished(now),
      () => field.invalid('status.terminating', terminating, 'terminating>0 is invalid for finished job'),
    ],
    [
      change.fields('ready', 'active'),
      ready !== undefined && ready > active,
      () => field.invalid('status.ready', ready, 'cannot set more ready pods than active'),
    ],
  ]);
}

function validateSuccess({ job, now }: Change): Errors {
  const met = has(now, 'SuccessCriteriaMet');
  return broken([
    [met, has(now, 'Failed'), () => conditions('cannot set SuccessCriteriaMet=True and Failed=true conditions')],
    [
      met,
      has(now, 'FailureTarget'),
      () => conditions('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions'),
    ],
    [
      !met,
      job.spec.successPolicy !== undefined && has(now, 'Complete'),
      () => conditions('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True'),
    ],
  ]);
}

/** What never goes back. */
function validateProgress(change: Change): Errors {
  const { job, now, before } = change;
  const { completionMode, completions, parallelism, suspend } = job.spec;
  // Elastic indexed jobs may be scaled down below what they have done.
  const elastic = completionMode === 'Indexed' && completions === parallelism;
  const resumed = has(before, 'Suspended') && has(now, 'Suspended', 'False');
  const smaller = (key: 'failed' | 'succeeded') => (now[key] ?? 0) < (before[key] ?? 0);
  const decreased = (key: 'failed' | 'succeeded') => () =>
    field.invalid(`status.${key}`, now[key] ?? 0, `cannot decrease the ${key} counter`);
  return broken([
    ...finals.map(
      (type): Rule => [
        has(before, type),
        !has(now, type),
        () => conditions(`cannot disable the terminal ${type}=True condition`),
      ],
    ),
    [true, smaller('failed'), decreased('failed')],
    [!elastic, smaller('succeeded'), decreased('succeeded')],
    [
      now.completionTime !== undefined && before.completionTime !== undefined,
      now.completionTime !== before.completionTime,
      () => field.invalid('status.completionTime', now.completionTime, 'field is immutable'),
    ],
    [
      before.startTime !== undefined && !resumed && !suspend,
      now.startTime !== before.startTime,
      () => field.invalid('status.startTime', now.startTime, 'field is immutable for unsuspended job once set'),
    ],
    [
      has(before, 'SuccessCriteriaMet'),
      !has(now, 'SuccessCriteriaMet'),
      () => conditions('cannot disable the SuccessCriteriaMet=True condition'),
    ],
    [
      has(before, 'Complete') && !has(before, 'SuccessCriteriaMet'),
      has(now, 'SuccessCriteriaMet'),
      () => conditions('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions'),
    ],
  ]);
}

const rules = [
  validateUncounted,
  validateEnd,
  validateFinished,
  validateIndexes,
  validatePods,
  validateSuccess,
  validateProgress,
];

export function validateJobStatus(job: Job, old: Job): Errors {
  const change = changeOf(job, old);
  return [
    ...counters.flatMap(key => optional(change.now[key], `status.${key}`, nonNegative)),
    ...rules.flatMap(rule => rule(change)),
  ];
}
