import { ageOf } from '../../../api/duration.ts';
import type { CronJob } from '../../../api/types/batch-v1.ts';
import { ageColumn, flag, formatSelector, integer, nameColumn, templateColumns, text, wideText } from '../columns.ts';
import { hostnameWarnings } from '../core/pod/warnings.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { validateCronJob, validateCronJobUpdate, zoneWarnings } from './cron-validate.ts';
import { defaultJobTemplate, jobSpecWarnings } from './job.ts';

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
  validateCreate: validateCronJob,
  validateUpdate: validateCronJobUpdate,
  warnings(job, old) {
    const path = 'spec.jobTemplate.spec';
    const { spec } = job.spec.jobTemplate;
    if (!old) return [...hostnameWarnings(job.metadata.name), ...jobSpecWarnings(spec, path)];
    const changed = old.metadata.generation !== job.metadata.generation;
    return [...(changed ? jobSpecWarnings(spec, path) : []), ...zoneWarnings(job)];
  },
  subresources: { status: statusSubresource<CronJob>({}) },
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
