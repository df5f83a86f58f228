import { CronError, parseSchedule } from '../../../api/cron.ts';
import type { CronJob } from '../../../api/types/batch-v1.ts';
import { type Check, type Errors, forbidden, nonNegative, optional, requiredOneOf } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateJobSpec } from './validate.ts';

const path = 'spec.schedule';
const zoneInSchedule = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
const validZone = /^[A-Za-z0-9._+-]+(\/[A-Za-z0-9._+-]+)*$/;

/** A zone in the schedule itself is a mistake of its own; it is not part of the five fields. */
function scheduleComplaint(schedule: string): string | undefined {
  try {
    parseSchedule(schedule.replace(/^(CRON_)?TZ=\S*\s*/, ''));
    return undefined;
  } catch (error) {
    if (error instanceof CronError) return error.message;
    throw error;
  }
}

function validateSchedule(schedule: string, timeZone: string | undefined): Errors {
  if (!schedule) return [field.required(path)];
  const complaint = scheduleComplaint(schedule);
  if (complaint !== undefined) return [field.invalid(path, schedule, complaint)];
  return schedule.includes('TZ') && timeZone === undefined ? [field.invalid(path, schedule, zoneInSchedule)] : [];
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
  if (zone === '') return [field.invalid(at, zone, 'timeZone must be nil or non-empty string')];
  if (zone.toLowerCase() === 'local')
    return [
      field.invalid(at, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'),
    ];
  if (!validZone.test(zone) || !isKnownZone(zone)) return [field.invalid(at, zone, `unknown time zone ${zone}`)];
  return [];
};

export function validateCronJob({ spec }: CronJob): Errors {
  const template = spec.jobTemplate?.spec;
  return [
    ...validateSchedule(spec.schedule, spec.timeZone),
    ...optional(spec.startingDeadlineSeconds, 'spec.startingDeadlineSeconds', nonNegative),
    ...optional(spec.timeZone, 'spec.timeZone', timeZone),
    ...forbidden(
      spec.timeZone !== undefined && spec.schedule?.includes('TZ'),
      'spec.timeZone',
      'cannot use both timeZone field and TZ or CRON_TZ in schedule',
    ),
    ...requiredOneOf(spec.concurrencyPolicy, 'spec.concurrencyPolicy', ['Allow', 'Forbid', 'Replace']),
    ...(template ? validateJobSpec(template, 'spec.jobTemplate.spec') : [field.required('spec.jobTemplate.spec')]),
    ...forbidden(
      template?.manualSelector === true,
      'spec.jobTemplate.spec.manualSelector',
      'must not be set for a template',
    ),
    ...optional(spec.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit', nonNegative),
    ...optional(spec.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit', nonNegative),
  ];
}

export function cronJobWarnings({ spec }: CronJob): string[] {
  return spec.schedule?.includes('TZ') ? [`${path}: TZ or CRON_TZ will be ignored; use spec.timeZone instead`] : [];
}
