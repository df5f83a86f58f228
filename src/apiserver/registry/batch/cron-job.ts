import { ageOf } from '../../../api/duration.ts';
import type { CronJob } from '../../../api/types/batch-v1.ts';
import { nameIsDnsSubdomain } from '../../../api/validation/names.ts';
import { ageColumn, flag, formatSelector, integer, nameColumn, templateColumns, text, wideText } from '../columns.ts';
import { podWarnings } from '../core/pod/warnings.ts';
import { namespaced } from '../define.ts';
import { cronJobWarnings, validateCronJob } from './cron-validate.ts';
import { defaultJobTemplate } from './job.ts';

const maxName = 52;
/** A job's name is the cron job's and eleven characters more. */
function cronJobName(name: string, prefix: boolean): string[] {
  const complaints = nameIsDnsSubdomain(name, prefix);
  return name.length > maxName ? [...complaints, `must be no more than ${maxName} characters`] : complaints;
}

export const cronJobs = namespaced<CronJob>({
  resource: 'batch/cronjobs',
  generation: true,
  default(job) {
    job.status ??= {};
    const { spec } = job;
    spec.concurrencyPolicy ||= 'Allow';
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
    spec.jobTemplate ??= {};
    spec.jobTemplate.metadata ??= {};
    defaultJobTemplate((spec.jobTemplate.spec ??= { template: {} }));
  },
  initialStatus: () => ({}),
  validateName: cronJobName,
  validate: validateCronJob,
  warnings: job => [
    ...podWarnings(job.spec.jobTemplate?.spec?.template, 'spec.jobTemplate.spec.template'),
    ...cronJobWarnings(job),
  ],
  columns: [
    nameColumn,
    text('Schedule', obj => obj.spec.schedule),
    text('Timezone', obj => obj.spec.timeZone ?? '<none>'),
    flag('Suspend', obj => (obj.spec.suspend === undefined ? '<unset>' : obj.spec.suspend ? 'True' : 'False')),
    integer('Active', obj => obj.status?.active?.length ?? 0),
    text('Last Schedule', (obj, now) =>
      obj.status?.lastScheduleTime ? ageOf(obj.status.lastScheduleTime, now) : '<none>',
    ),
    ageColumn,
    ...templateColumns<CronJob>(obj => obj.spec.jobTemplate?.spec?.template),
    wideText('Selector', obj => formatSelector(obj.spec.jobTemplate?.spec?.selector)),
  ],
});
