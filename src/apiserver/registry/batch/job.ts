import { humanDuration } from '../../../api/duration.ts';
import type { Job, JobSpec } from '../../../api/types/batch-v1.ts';
import { ageColumn, formatSelector, nameColumn, templateColumns, text, wideText } from '../columns.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { hostnameWarnings, podWarnings } from '../core/pod/warnings.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { validateJobStatus } from './status.ts';
import { prepareSelector, validateJob, validateJobUpdate } from './validate.ts';

/** What a job template in a cron job is given: a running job's own defaults come when the job is made. */
export function defaultJobTemplate(spec: JobSpec): void {
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
  }
  defaultPodTemplate((spec.template ??= {}));
}

/** Defaults of a job (pkg/apis/batch/v1/defaults.go). */
function defaultJobSpec(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 0x7fffffff;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  spec.manualSelector ??= false;
  defaultJobTemplate(spec);
}

const manyIndexes = 100_000;
const manyAtOnce = 10_000;

/** What the spec of a job or of a cron job's template may contain but should not (pkg/api/job/warnings.go). */
export function jobSpecWarnings(spec: JobSpec | undefined, path: string): string[] {
  const { completionMode, completions = 0, parallelism = 0 } = spec ?? {};
  const huge = completionMode === 'Indexed' && completions > manyIndexes && parallelism > manyAtOnce;
  return [
    ...(huge
      ? [
          `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
        ]
      : []),
    ...podWarnings(spec?.template, `${path}.template`),
  ];
}

/** A job without labels has those of its template. */
function labelAsTemplate(job: Job): void {
  const labels = job.spec.template?.metadata?.labels;
  if (labels && Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = { ...labels };
}

const states = [
  ['Complete', 'Complete'],
  ['Failed', 'Failed'],
  ['', 'Terminating'],
  ['Suspended', 'Suspended'],
  ['FailureTarget', 'FailureTarget'],
  ['SuccessCriteriaMet', 'SuccessCriteriaMet'],
] as const;

function state(job: Job): string {
  const holds = (type: string) =>
    type ? job.status?.conditions?.some(c => c.type === type && c.status === 'True') : job.metadata.deletionTimestamp;
  return states.find(([type]) => holds(type))?.[1] ?? 'Running';
}

function completions({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  return (spec.parallelism ?? 0) > 1 ? `${succeeded}/1 of ${spec.parallelism}` : `${succeeded}/1`;
}

function duration({ status }: Job, now: number): string {
  if (!status?.startTime) return '';
  return humanDuration(
    (status.completionTime ? Date.parse(status.completionTime) : now) - Date.parse(status.startTime),
  );
}

export const jobs = namespaced<Job>({
  resource: 'batch/jobs',
  generation: true,
  default(job) {
    job.status ??= {};
    labelAsTemplate(job);
    defaultJobSpec(job.spec);
  },
  initialStatus: () => ({}),
  defaultPropagation: 'orphan',
  prepareForCreate(job) {
    prepareSelector(job);
    // Upstream applies defaults again when it reads what it stored: the labels of the selector show on the job as well.
    labelAsTemplate(job);
  },
  validateCreate: job => validateJob(job, job),
  validateUpdate: validateJobUpdate,
  warnings: (job, old) => [
    ...(old ? [] : hostnameWarnings(job.metadata.name)),
    ...(old && old.metadata.generation === job.metadata.generation ? [] : jobSpecWarnings(job.spec, 'spec')),
  ],
  subresources: { status: statusSubresource<Job>({ validateUpdate: validateJobStatus }) },
  columns: [
    nameColumn,
    text('Status', state),
    text('Completions', completions),
    text('Duration', duration),
    ageColumn,
    ...templateColumns<Job>(obj => obj.spec.template),
    wideText('Selector', obj => formatSelector(obj.spec.selector)),
  ],
  selectableFields: { 'status.successful': obj => String(obj.status?.succeeded ?? 0) },
});
