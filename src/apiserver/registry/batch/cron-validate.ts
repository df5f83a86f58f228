import { CronError, parseSchedule } from '../../../api/cron.ts';
import type { CronJob } from '../../../api/types/batch-v1.ts';
import { type Check, type Errors, nonNegative, optional, requiredOneOf } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateJobSpec } from './validate.ts';

const path = 'spec.schedule';
const zoneInSchedule = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
const zoneTwice = 'cannot use both timeZone field and TZ or CRON_TZ in schedule';
const zonePart = /^(?!-|\.{1,2}$)[A-Za-z0-9._+-]{1,14}$/;
const zonePrefix = /^(?:CRON_)?TZ=(\S*)\s+/;

/** A zone in front of the five fields is read, though it is refused. */
function scheduleComplaint(schedule: string): string | undefined {
  const zone = zonePrefix.exec(schedule)?.[1];
  if (zone !== undefined && !isKnownZone(zone)) return `provided bad location ${zone}: unknown time zone ${zone}`;
  try {
    parseSchedule(schedule.replace(zonePrefix, ''));
    return undefined;
  } catch (error) {
    if (error instanceof CronError) return error.message;
    throw error;
  }
}

/** @param mayHaveZone a stored schedule had one, from before it was refused. */
function validateSchedule({ schedule, timeZone }: CronJob['spec'], mayHaveZone: boolean): Errors {
  if (!schedule) return [field.required(path)];
  const complaint = scheduleComplaint(schedule);
  const zoned = schedule.includes('TZ');
  return [
    ...(complaint === undefined ? [] : [field.invalid(path, schedule, complaint)]),
    ...(zoned && mayHaveZone && timeZone !== undefined ? [field.invalid(path, schedule, zoneTwice)] : []),
    ...(zoned && !mayHaveZone ? [field.invalid(path, schedule, zoneInSchedule)] : []),
  ];
}

function isKnownZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** A name of the time zone database; never the machine's own zone. */
const timeZone: Check<string> = (zone, at) => {
  const wrong = (why: string) => [field.invalid(at, zone, why)];
  const unknown = `unknown time zone ${zone}`;
  if (zone === '') return wrong('timeZone must be nil or non-empty string');
  if (!zone.split('/').every(part => zonePart.test(part))) return wrong(unknown);
  const local = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
  return [
    ...(zone.toLowerCase() === 'local' ? wrong(local) : []),
    ...(zone === 'Local' || isKnownZone(zone) ? [] : wrong(unknown)),
  ];
};

/** The template's job gets its selector when it is made. */
function validateTemplate({ jobTemplate }: CronJob['spec']): Errors {
  const at = 'spec.jobTemplate.spec';
  const spec = jobTemplate?.spec;
  if (!spec) return [field.required(at)];
  return [
    ...validateJobSpec(spec, at),
    ...optional(spec.selector, `${at}.selector`, (selector, where) => [
      field.invalid(where, selector, '`selector` will be auto-generated'),
    ]),
    ...(spec.manualSelector ? [field.notSupported(`${at}.manualSelector`, true, ['nil', 'false'])] : []),
  ];
}

function validateSpec(spec: CronJob['spec'], old: CronJob['spec'] | undefined): Errors {
  return [
    ...validateSchedule(spec, old?.schedule?.includes('TZ') ?? false),
    ...optional(spec.startingDeadlineSeconds, 'spec.startingDeadlineSeconds', nonNegative),
    ...(old && old.timeZone === spec.timeZone ? [] : optional(spec.timeZone, 'spec.timeZone', timeZone)),
    ...requiredOneOf(spec.concurrencyPolicy, 'spec.concurrencyPolicy', ['Allow', 'Forbid', 'Replace']),
    ...validateTemplate(spec),
    ...optional(spec.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit', nonNegative),
    ...optional(spec.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit', nonNegative),
  ];
}

const maxName = 52;

/** A job's name is the cron job's and eleven characters more; names of stored cron jobs are what they are. */
export function validateCronJob({ metadata, spec }: CronJob): Errors {
  return [
    ...validateSpec(spec, undefined),
    ...(metadata.name.length > maxName
      ? [field.invalid('metadata.name', metadata.name, `must be no more than ${maxName} characters`)]
      : []),
  ];
}

export const validateCronJobUpdate = (job: CronJob, old: CronJob): Errors => validateSpec(job.spec, old.spec);

/** Schedules with a zone are only left from older servers. */
export function zoneWarnings({ spec }: CronJob): string[] {
  return spec.schedule?.includes('TZ')
    ? [
        'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
      ]
    : [];
}
