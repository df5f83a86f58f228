import { ageOf } from '../../../api/duration.ts';
import type { CronJob } from '../../../api/types/batch-v1.ts';
import { ageColumn, formatSelector, integer, nameColumn, templateColumns, text, wideText } from '../columns.ts';
import { namespaced } from '../define.ts';
import { defaultJobTemplate } from './job.ts';

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
  columns: [
    nameColumn,
    text('Schedule', obj => obj.spec.schedule),
    text('Timezone', obj => obj.spec.timeZone ?? '<none>'),
    text('Suspend', obj => (obj.spec.suspend === undefined ? '<unset>' : obj.spec.suspend ? 'True' : 'False')),
    integer('Active', obj => obj.status?.active?.length ?? 0),
    text('Last Schedule', (obj, now) =>
      obj.status?.lastScheduleTime ? ageOf(obj.status.lastScheduleTime, now) : '<none>',
    ),
    ageColumn,
    ...templateColumns<CronJob>(obj => obj.spec.jobTemplate?.spec?.template),
    wideText('Selector', obj => formatSelector(obj.spec.jobTemplate?.spec?.selector)),
  ],
});
