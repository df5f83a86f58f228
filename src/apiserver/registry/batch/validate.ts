/** Jobs (pkg/apis/batch/validation). */

import { selectorFromObject } from '../../../api/selectors/index.ts';
import type {
  Job,
  JobSpec,
  JobStatus,
  PodFailurePolicy,
  PodFailurePolicyRule,
  SuccessPolicy,
} from '../../../api/types/batch-v1.ts';
import {
  type Errors,
  each,
  forbidden,
  immutable,
  nonNegative,
  oneOf,
  optional,
  qualifiedName,
  required,
  same,
} from '../checks.ts';
import { validatePodTemplate } from '../core/pod/template.ts';
import { field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';

const uidLabel = 'batch.kubernetes.io/controller-uid';
const nameLabel = 'batch.kubernetes.io/job-name';
const legacyUidLabel = 'controller-uid';
const legacyNameLabel = 'job-name';
const maxParallelIndexed = 100_000;
const maxRules = 20;
const maxPatterns = 20;
const maxExitCodes = 255;

/** A job that does not bring its own selector selects by its uid. In place. */
export function prepareSelector(job: Job): void {
  const { spec, metadata } = job;
  if (spec.manualSelector || !spec.template) return;
  const uid = metadata.uid ?? '';
  const meta = (spec.template.metadata ??= {});
  const own = { [legacyNameLabel]: metadata.name, [nameLabel]: metadata.name, [legacyUidLabel]: uid, [uidLabel]: uid };
  meta.labels = { ...meta.labels, ...own };
  // A selector that was given is left for validation to refuse.
  spec.selector ??= { matchLabels: { [uidLabel]: uid } };
}

function validateExitCodes(rule: PodFailurePolicyRule, path: string, containers: ReadonlySet<string>): Errors {
  const codes = rule.onExitCodes;
  if (!codes) return [];
  const at = `${path}.onExitCodes`;
  const values = codes.values ?? [];
  const errors: Errors = [];
  if (values.length === 0) errors.push(field.invalid(`${at}.values`, values, 'at least one value is required'));
  else if (values.length > maxExitCodes) errors.push(field.tooMany(`${at}.values`, values.length, maxExitCodes));
  const seen = new Set<number>();
  for (const [i, value] of values.entries()) {
    const where = `${at}.values[${i}]`;
    if (codes.operator === 'In' && value === 0)
      errors.push(field.invalid(where, value, 'must not be 0 for the In operator'));
    if (seen.has(value)) errors.push(field.duplicate(where, value));
    seen.add(value);
  }
  if ([...values].some((value, i) => i > 0 && value < (values[i - 1] ?? value))) {
    errors.push(field.invalid(`${at}.values`, values, 'must be ordered'));
  }
  const name = codes.containerName;
  return [
    ...(codes.operator ? oneOf(['In', 'NotIn'])(codes.operator, `${at}.operator`) : [field.required(`${at}.operator`)]),
    ...errors,
    ...(name !== undefined && !containers.has(name)
      ? [
          field.invalid(
            `${at}.containerName`,
            name,
            'must be one of the container or initContainer names in the pod template',
          ),
        ]
      : []),
  ];
}

function validateRule(
  rule: PodFailurePolicyRule,
  path: string,
  spec: JobSpec,
  containers: ReadonlySet<string>,
): Errors {
  const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
  const patterns = rule.onPodConditions ?? [];
  const count = Number(rule.onExitCodes !== undefined) + Number(patterns.length > 0);
  return [
    ...(rule.action
      ? oneOf(actions)(rule.action, `${path}.action`)
      : [field.required(`${path}.action`, 'valid values: "Count", "FailIndex", "FailJob", "Ignore"')]),
    ...(rule.action === 'FailIndex' && spec.backoffLimitPerIndex === undefined
      ? [field.invalid(`${path}.action`, rule.action, 'requires the backoffLimitPerIndex to be set')]
      : []),
    ...validateExitCodes(rule, path, containers),
    ...(patterns.length > maxPatterns ? [field.tooMany(`${path}.onPodConditions`, patterns.length, maxPatterns)] : []),
    ...each(patterns, `${path}.onPodConditions`, (pattern, at) => [
      ...qualifiedName(pattern.type, `${at}.type`),
      ...oneOf(['False', 'True', 'Unknown'])(pattern.status ?? '', `${at}.status`),
    ]),
    ...(count === 0
      ? [field.invalid(path, rule, 'specifying one of OnExitCodes and OnPodConditions is required')]
      : []),
    ...(count > 1
      ? [field.invalid(path, rule, 'specifying both OnExitCodes and OnPodConditions is not supported')]
      : []),
  ];
}

function validateFailurePolicy(policy: PodFailurePolicy | undefined, spec: JobSpec, path: string): Errors {
  if (!policy) return [];
  const rules = policy.rules ?? [];
  const pod = spec.template?.spec;
  const containers = new Set([...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].map(c => c.name));
  return [
    ...(rules.length > maxRules ? [field.tooMany(`${path}.rules`, rules.length, maxRules)] : []),
    ...each(rules, `${path}.rules`, (rule, at) => validateRule(rule, at, spec, containers)),
  ];
}

/** "0,2-4": increasing, without overlap, each below `completions`. Gives how many there are, or the complaint. */
function countIndexes(text: string, completions: number): number | string {
  let count = 0;
  let previous = -1;
  for (const part of text === '' ? [] : text.split(',')) {
    const [low, high = low, ...more] = part.split('-');
    if (more.length > 0)
      return `the fragment "${part}" violates the requirement that an index interval can have at most two parts separated by '-'`;
    if (!/^\d+$/.test(low ?? '') || !/^\d+$/.test(high ?? ''))
      return `cannot convert string to integer for index: "${part}"`;
    const [from, to] = [Number(low), Number(high)];
    if (to >= completions) return `too large index: "${to}"`;
    if (part.includes('-') && from >= to) return `non-increasing order, previous: ${from}, current: ${to}`;
    if (from <= previous) return `non-increasing order, previous: ${previous}, current: ${from}`;
    previous = to;
    count += to - from + 1;
  }
  return count;
}

function validateSuccessPolicy(policy: SuccessPolicy | undefined, spec: JobSpec, path: string): Errors {
  if (!policy) return [];
  if (spec.completionMode !== 'Indexed') return [field.invalid(path, policy, 'requires indexed completion mode')];
  const rules = policy.rules ?? [];
  if (rules.length === 0)
    return [
      field.required(`${path}.rules`, 'at least one rules must be specified when the successPolicy is specified'),
    ];
  return [
    ...(rules.length > maxRules ? [field.tooMany(`${path}.rules`, rules.length, maxRules)] : []),
    ...each(rules, `${path}.rules`, ({ succeededCount, succeededIndexes }, at) => {
      if (succeededCount === undefined && succeededIndexes === undefined) {
        return [field.required(at, 'at least one of succeededCount or succeededIndexes must be specified')];
      }
      const count = succeededIndexes === undefined ? undefined : countIndexes(succeededIndexes, spec.completions ?? 0);
      const wrong = (why: string) => [field.invalid(`${at}.succeededCount`, succeededCount, why)];
      return [
        ...(typeof count === 'string'
          ? [field.invalid(`${at}.succeededIndexes`, succeededIndexes, `error parsing succeededIndexes: ${count}`)]
          : []),
        ...optional(succeededCount, `${at}.succeededCount`, nonNegative),
        ...(succeededCount !== undefined && spec.completions !== undefined && succeededCount > spec.completions
          ? wrong(`must be less than or equal to ${spec.completions} (the number of specified completions)`)
          : []),
        ...(succeededCount !== undefined && typeof count === 'number' && succeededCount > count
          ? wrong(
              `must be less than or equal to ${count} (the number of indexes in the specified succeededIndexes field)`,
            )
          : []),
      ];
    }),
  ];
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

function validateIndexed(spec: JobSpec, path: string): Errors {
  const indexed = spec.completionMode === 'Indexed';
  const { completions, parallelism = 0, backoffLimitPerIndex: perIndex, maxFailedIndexes: maxFailed } = spec;
  const huge = indexed && perIndex !== undefined && (completions ?? 0) > maxParallelIndexed;
  return [
    ...(indexed && completions === undefined
      ? [field.required(`${path}.completions`, 'when completion mode is Indexed')]
      : []),
    ...(indexed && parallelism > maxParallelIndexed
      ? [
          field.invalid(
            `${path}.parallelism`,
            parallelism,
            `must be less than or equal to ${maxParallelIndexed} when completion mode is Indexed`,
          ),
        ]
      : []),
    ...(huge && parallelism > 10_000
      ? [
          field.invalid(
            `${path}.parallelism`,
            parallelism,
            `must be less than or equal to 10000 when completions are over ${maxParallelIndexed} and used with backoff limit per index`,
          ),
        ]
      : []),
    ...(!indexed && perIndex !== undefined
      ? [field.invalid(`${path}.backoffLimitPerIndex`, perIndex, 'requires indexed completion mode')]
      : []),
    ...(maxFailed !== undefined && perIndex === undefined
      ? [field.required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')]
      : []),
    ...(maxFailed !== undefined && completions !== undefined && maxFailed > completions
      ? [field.invalid(`${path}.maxFailedIndexes`, maxFailed, 'must be less than or equal to completions')]
      : []),
  ];
}

function validateRestart(spec: JobSpec, path: string): Errors {
  const policy = spec.template?.spec?.restartPolicy;
  const at = `${path}.template.spec.restartPolicy`;
  if (policy === 'Always') return [field.required(at, 'valid values: "OnFailure", "Never"')];
  if (policy !== 'OnFailure' && policy !== 'Never')
    return [field.notSupported(at, policy ?? '', ['OnFailure', 'Never'])];
  return spec.podFailurePolicy && policy !== 'Never'
    ? [field.invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
}

/** The spec of a job or of a cron job's template, without its selector. */
export function validateJobSpec(spec: JobSpec, path: string): Errors {
  const managed = `${path}.managedBy`;
  return [
    ...limits.flatMap(key => optional(spec[key], `${path}.${key}`, nonNegative)),
    ...optional(spec.managedBy, managed, (value, at) => [
      ...(/^[^/]+\/.+$/.test(value)
        ? qualifiedName(value, at)
        : [field.invalid(at, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]),
      ...(value.length > 63 ? [field.tooLong(at, 63)] : []),
    ]),
    ...optional(spec.completionMode, `${path}.completionMode`, oneOf(['Indexed', 'NonIndexed'])),
    ...validateIndexed(spec, path),
    ...validateFailurePolicy(spec.podFailurePolicy, spec, `${path}.podFailurePolicy`),
    ...validateSuccessPolicy(spec.successPolicy, spec, `${path}.successPolicy`),
    ...optional(spec.podReplacementPolicy, `${path}.podReplacementPolicy`, (value, at) =>
      spec.podFailurePolicy ? oneOf(['Failed'])(value, at) : oneOf(['Failed', 'TerminatingOrFailed'])(value, at),
    ),
    ...validatePodTemplate(spec.template, `${path}.template`),
    ...validateRestart(spec, path),
  ];
}

/** Unless the user said so, a job's selector and labels are its uid and name. */
function validateGenerated(job: Job): Errors {
  if (job.spec.manualSelector) return [];
  const labels = job.spec.template?.metadata?.labels ?? {};
  const uid = job.metadata.uid ?? '';
  const expected: [string, string][] = [
    [legacyUidLabel, uid],
    [legacyNameLabel, job.metadata.name],
    [uidLabel, uid],
    [nameLabel, job.metadata.name],
  ];
  const wrong = expected.flatMap(([key, value]) => {
    const at = `spec.template.metadata.labels[${key}]`;
    if (labels[key] === undefined) return [field.required(at, `must be '${value}'`)];
    return labels[key] === value ? [] : [field.invalid(at, labels, `must be '${value}'`)];
  });
  const own = [{ matchLabels: { [uidLabel]: uid } }, { matchLabels: { [legacyUidLabel]: uid } }];
  const generated = own.some(selector => same(job.spec.selector, selector));
  return [
    ...wrong,
    ...(generated ? [] : [field.invalid('spec.selector', job.spec.selector, '`selector` not auto-generated')]),
  ];
}

function selects(job: Job): boolean {
  try {
    return selectorFromObject(job.spec.selector).matches(job.spec.template?.metadata?.labels);
  } catch {
    return true;
  }
}

export function validateJob(job: Job): Errors {
  const { spec } = job;
  const labels = spec.template?.metadata?.labels ?? {};
  const mismatch = field.invalid(
    'spec.template.metadata.labels',
    labels,
    '`selector` does not match template `labels`',
  );
  return [
    ...validateGenerated(job),
    ...validateJobSpec(spec, 'spec'),
    ...(spec.selector ? validateLabelSelector(spec.selector, 'spec.selector') : [field.required('spec.selector')]),
    ...(spec.selector && !selects(job) ? [mismatch] : []),
  ];
}

/** What the scheduler is told may change while a job is suspended and has not started. */
function mutableTemplate(job: Job): unknown {
  const template = structuredClone(job.spec.template);
  const spec: Record<string, unknown> = { ...template.spec };
  for (const key of ['nodeSelector', 'tolerations', 'schedulingGates']) delete spec[key];
  const affinity = { ...(spec['affinity'] as object | undefined) } as Record<string, unknown>;
  delete affinity['nodeAffinity'];
  if (Object.keys(affinity).length > 0) spec['affinity'] = affinity;
  else delete spec['affinity'];
  const { annotations: _, labels: __, ...meta } = template.metadata ?? {};
  return { metadata: meta, spec };
}

function validateTemplateUpdate(job: Job, old: Job): Errors {
  const free = old.spec.suspend && !old.status?.startTime;
  const equal = free ? same(mutableTemplate(job), mutableTemplate(old)) : same(job.spec.template, old.spec.template);
  return equal ? [] : [field.invalid('spec.template', job.spec.template, 'field is immutable')];
}

/** Completions of an indexed job follow its parallelism, or stay. */
function validateCompletionsUpdate({ spec }: Job, { spec: old }: Job): Errors {
  const path = 'spec.completions';
  if (spec.completionMode !== 'Indexed') return immutable(spec.completions, old.completions, path);
  if (spec.completions === old.completions) return [];
  if (spec.completions === undefined || old.completions === undefined) {
    return immutable(spec.completions, old.completions, path);
  }
  return spec.completions === spec.parallelism
    ? []
    : [field.invalid(path, spec.completions, 'can only be modified in tandem with spec.parallelism')];
}

export function validateJobUpdate(job: Job, old: Job): Errors {
  const fixed = [
    'selector',
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const;
  return [
    ...validateCompletionsUpdate(job, old),
    ...fixed.flatMap(key => immutable(job.spec[key], old.spec[key], `spec.${key}`)),
    ...validateTemplateUpdate(job, old),
  ];
}

const counters = ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const;

const holds = (status: JobStatus | undefined, type: string) =>
  status?.conditions?.some(c => c.type === type && c.status === 'True') ?? false;

/** A finished job stays finished, with a time when it succeeded and none when it failed. */
export function validateJobStatus(job: Job, old: Job): Errors {
  const status = job.status ?? {};
  const wasFinished = (type: string) => holds(old.status, type) && !holds(status, type);
  const complete = holds(status, 'Complete');
  const failed = holds(status, 'Failed');
  const at = 'status.completionTime';
  const conditions = 'status.conditions';
  return [
    ...counters.flatMap(key => optional(status[key], `status.${key}`, nonNegative)),
    ...(wasFinished('Complete') || wasFinished('Failed')
      ? [
          field.invalid(
            conditions,
            status.conditions ?? [],
            `cannot disable the terminal ${wasFinished('Complete') ? 'Complete' : 'Failed'}=True condition`,
          ),
        ]
      : []),
    ...(complete && failed
      ? [field.invalid(conditions, status.conditions, 'cannot set Complete=True and Failed=True conditions')]
      : []),
    ...(complete ? required(status.completionTime, at, 'completionTime is required for Complete jobs') : []),
    ...(!complete && status.completionTime
      ? [field.invalid(at, status.completionTime, 'completionTime can only be set for Complete jobs')]
      : []),
    ...(complete || failed
      ? forbidden((status.active ?? 0) > 0, 'status.active', 'active>0 is invalid for finished job')
      : []),
    ...(old.status?.startTime && !status.startTime && !job.spec.suspend
      ? [field.required('status.startTime', 'startTime cannot be removed for unsuspended job')]
      : []),
  ];
}
