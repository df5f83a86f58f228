/** Jobs and the templates of cron jobs (pkg/apis/batch/validation). */

import { sortedMap } from '../../../api/codec/coerce.ts';
import { selectorFromObject } from '../../../api/selectors/index.ts';
import type { Job, JobSpec } from '../../../api/types/batch-v1.ts';
import { isDns1123Label } from '../../../api/validation/names.ts';
import { domainPrefixedPath, type Errors, immutable, nonNegative, oneOf, optional, same } from '../checks.ts';
import { validatePodTemplate, validateSelected } from '../core/pod/template.ts';
import { field } from '../field-errors.ts';
import { shownSelector } from '../internal-form.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import { shownFailurePolicy, shownSuccessPolicy, validateFailurePolicy, validateSuccessPolicy } from './policies.ts';

const uidLabel = 'batch.kubernetes.io/controller-uid';
const nameLabel = 'batch.kubernetes.io/job-name';
const legacyUidLabel = 'controller-uid';
const legacyNameLabel = 'job-name';
const maxIndexed = 100_000;
/** Of indexed jobs with more completions than `maxIndexed`. */
const maxOfMany = 10_000;
const maxManagedBy = 63;

/** A job that does not bring its own selector selects by its uid. In place; what contradicts that is left for validation to refuse. */
export function prepareSelector({ spec, metadata }: Job): void {
  if (spec.manualSelector || !spec.template) return;
  const uid = metadata.uid ?? '';
  const meta = (spec.template.metadata ??= {});
  const own = { [legacyNameLabel]: metadata.name, [nameLabel]: metadata.name, [legacyUidLabel]: uid, [uidLabel]: uid };
  meta.labels = { ...own, ...meta.labels };
  const selector = (spec.selector ??= {});
  selector.matchLabels = sortedMap({ [uidLabel]: uid, ...selector.matchLabels });
}

const limits = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;

function atMost(value: number | undefined, max: number, path: string, detail: string): Errors {
  return value !== undefined && value > max ? [field.invalid(path, value, detail)] : [];
}

/** Jobs with very many completions and a limit for each. */
function validateMany({ parallelism, maxFailedIndexes }: JobSpec, path: string): Errors {
  const used = `must be less than or equal to ${maxOfMany} when completions are above ${maxIndexed} and used with backoff limit per index`;
  return [
    ...(maxFailedIndexes === undefined
      ? [field.required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${maxIndexed}`)]
      : []),
    ...atMost(parallelism, maxOfMany, `${path}.parallelism`, used),
    ...atMost(maxFailedIndexes, maxOfMany, `${path}.maxFailedIndexes`, used),
  ];
}

function validateIndexed(spec: JobSpec, path: string): Errors {
  const { completions, parallelism, maxFailedIndexes, backoffLimitPerIndex } = spec;
  const failed = `${path}.maxFailedIndexes`;
  const many = completions !== undefined && completions > maxIndexed && backoffLimitPerIndex !== undefined;
  const tooParallel = `must be less than or equal to ${maxIndexed} when completion mode is Indexed`;
  return [
    ...(completions === undefined ? [field.required(`${path}.completions`, 'when completion mode is Indexed')] : []),
    ...atMost(parallelism, maxIndexed, `${path}.parallelism`, tooParallel),
    ...(completions === undefined
      ? []
      : atMost(maxFailedIndexes, completions, failed, 'must be less than or equal to completions')),
    ...atMost(maxFailedIndexes, maxIndexed, failed, `must be less than or equal to ${maxIndexed}`),
    ...(many ? validateMany(spec, path) : []),
  ];
}

const validateNonIndexed = (spec: JobSpec, path: string): Errors =>
  (['backoffLimitPerIndex', 'maxFailedIndexes'] as const).flatMap(key =>
    optional(spec[key], `${path}.${key}`, (value, at) => [
      field.invalid(at, value, 'requires indexed completion mode'),
    ]),
  );

function validateMode(spec: JobSpec, path: string): Errors {
  const { completionMode: mode = 'NonIndexed' } = spec;
  if (mode === 'Indexed') return validateIndexed(spec, path);
  if (mode === 'NonIndexed') return validateNonIndexed(spec, path);
  return [field.notSupported(`${path}.completionMode`, mode, ['NonIndexed', 'Indexed'])];
}

function validateRestart(spec: JobSpec, path: string): Errors {
  const policy = spec.template?.spec?.restartPolicy || 'Always';
  const at = `${path}.template.spec.restartPolicy`;
  if (policy === 'Always') return [field.required(at, 'valid values: "OnFailure", "Never"')];
  if (policy !== 'OnFailure' && policy !== 'Never') return [field.notSupported(at, policy, ['OnFailure', 'Never'])];
  return spec.podFailurePolicy && policy !== 'Never'
    ? [field.invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
}

/** The spec of a job or of a cron job's template, without its selector. */
export function validateJobSpec(spec: JobSpec, path: string): Errors {
  const replacements = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
  return [
    ...limits.flatMap(key => optional(spec[key], `${path}.${key}`, nonNegative)),
    ...(spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined
      ? [field.required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')]
      : []),
    ...optional(spec.managedBy, `${path}.managedBy`, (value, at) => [
      ...domainPrefixedPath(value, at),
      ...(value.length > maxManagedBy ? [field.tooLong(at, maxManagedBy)] : []),
    ]),
    ...validateMode(spec, path),
    ...optional(spec.podFailurePolicy, `${path}.podFailurePolicy`, (policy, at) =>
      validateFailurePolicy(policy, spec, at),
    ),
    ...optional(spec.successPolicy, `${path}.successPolicy`, (policy, at) => validateSuccessPolicy(policy, spec, at)),
    ...optional(spec.podReplacementPolicy, `${path}.podReplacementPolicy`, oneOf(replacements)),
    ...validatePodTemplate(spec.template, `${path}.template`),
    ...validateRestart(spec, path),
  ];
}

/** @param old the stored job, which may be older than the labels with a prefix. */
function expectedLabels({ metadata }: Job, old: Job): [string, string][] {
  const uid = metadata.uid ?? '';
  const before = old.spec.template?.metadata?.labels ?? {};
  const prefixed = before[nameLabel] !== undefined && before[uidLabel] !== undefined;
  const legacy: [string, string][] = [
    [legacyUidLabel, uid],
    [legacyNameLabel, metadata.name],
  ];
  return prefixed ? [...legacy, [uidLabel, uid], [nameLabel, metadata.name]] : legacy;
}

/** Unless the user said so, a job's selector and labels are its uid and name. */
function validateGenerated(job: Job, old: Job): Errors {
  const { selector, manualSelector, template } = job.spec;
  if (manualSelector || !selector) return [];
  const labels = template?.metadata?.labels ?? {};
  const expected = expectedLabels(job, old);
  return [
    ...(job.metadata.uid ? [] : [field.required('metadata.uid')]),
    ...expected.flatMap(([key, value]) => {
      const at = `spec.template.metadata.labels[${key}]`;
      if (labels[key] === undefined) return [field.required(at, `must be '${value}'`)];
      return labels[key] === value ? [] : [field.invalid(at, sortedMap(labels), `must be '${value}'`)];
    }),
    ...(selects(selector, Object.fromEntries(expected))
      ? []
      : [field.invalid('spec.selector', selector, '`selector` not auto-generated')]),
  ];
}

/** A malformed selector is reported where it stands. */
function selects(selector: JobSpec['selector'], labels: Readonly<Record<string, string>>): boolean {
  try {
    return selectorFromObject(selector).matches(labels);
  } catch {
    return true;
  }
}

/** Pods of indexed jobs have their index in the hostname. */
function validateHostname({ spec, metadata }: Job): Errors {
  if (spec.completionMode !== 'Indexed' || !spec.completions || spec.completions < 0) return [];
  const hostname = `${metadata.name}-${spec.completions - 1}`;
  return isDns1123Label(hostname).length === 0
    ? []
    : [
        field.invalid(
          'metadata.name',
          metadata.name,
          `will not able to create pod with invalid DNS label: ${hostname}`,
        ),
      ];
}

/** @param old the stored job; the job itself when it is new. */
export function validateJob(job: Job, old: Job): Errors {
  const { selector, template } = job.spec;
  return [
    ...validateGenerated(job, old),
    ...validateJobSpec(job.spec, 'spec'),
    ...(selector ? validateLabelSelector(selector, 'spec.selector') : [field.required('spec.selector')]),
    ...validateSelected(template, selector, 'spec.template'),
    ...validateHostname(job),
  ];
}

/** What the scheduler is told may change while a job is suspended and has not started. */
function fixedTemplate({ template }: JobSpec): unknown {
  const { nodeSelector: _, tolerations: __, schedulingGates: ___, affinity, ...spec } = template.spec ?? {};
  const { nodeAffinity: ____, ...others } = affinity ?? {};
  const { annotations: _____, labels: ______, ...metadata } = template.metadata ?? {};
  return { metadata, spec: { ...spec, ...(Object.keys(others).length > 0 && { affinity: others }) } };
}

function validateTemplateUpdate({ spec }: Job, { spec: old, status }: Job): Errors {
  const free = old.suspend && !status?.startTime;
  const equal = free ? same(fixedTemplate(spec), fixedTemplate(old)) : same(spec.template, old.template);
  return equal ? [] : [field.invalid('spec.template', spec.template, 'field is immutable')];
}

/** Completions of an indexed job follow its parallelism, or stay. */
function validateCompletionsUpdate({ spec }: Job, { spec: old }: Job): Errors {
  const path = 'spec.completions';
  if (spec.completionMode !== 'Indexed') return immutable(spec.completions, old.completions, path);
  if (spec.completions === undefined || spec.completions === old.completions) return [];
  return spec.completions === spec.parallelism
    ? []
    : [field.invalid(path, spec.completions, 'can only be modified in tandem with spec.parallelism')];
}

export function validateJobUpdate(job: Job, old: Job): Errors {
  const fixed = <K extends keyof JobSpec & string>(key: K, show?: (value: JobSpec[K]) => unknown) =>
    immutable(job.spec[key], old.spec[key], `spec.${key}`, show);
  return [
    ...validateJob(job, old),
    ...validateCompletionsUpdate(job, old),
    ...immutable(job.spec.selector, old.spec.selector, 'spec.selector', shownSelector),
    ...validateTemplateUpdate(job, old),
    ...fixed('completionMode'),
    ...fixed('podFailurePolicy', shownFailurePolicy),
    ...fixed('backoffLimitPerIndex'),
    ...fixed('managedBy'),
    ...fixed('successPolicy', shownSuccessPolicy),
  ];
}
