/** Horizontal pod autoscalers (pkg/apis/autoscaling/validation). */

import { signOfQuantity, tryParseQuantity } from '../../../api/quantity.ts';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HPAScalingPolicy,
  HPAScalingRules,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../../../api/types/autoscaling-v2.ts';
import {
  type Check,
  dnsLabel,
  type Errors,
  each,
  forbidden,
  oneOf,
  optional,
  pathSegment,
  requiredAnd,
} from '../checks.ts';
import { validateContainerResourceName } from '../core/resource-names.ts';
import { field } from '../field-errors.ts';

/** Which API versions a reference may have. */
interface VersionRule {
  /** It did not change, or was wrong before. */
  readonly any: boolean;
  /** The core group, whose name is empty. */
  readonly core: boolean;
}

function versionComplaint(apiVersion: string): string | undefined {
  return apiVersion.split('/').length > 2 ? `unexpected GroupVersion string: ${apiVersion}` : undefined;
}

function validateVersion(apiVersion: string, path: string, rule: VersionRule): Errors {
  if (rule.any) return [];
  const complaint = versionComplaint(apiVersion);
  if (complaint) return [field.invalid(path, apiVersion, complaint)];
  return rule.core || apiVersion.indexOf('/') > 0
    ? []
    : [field.invalid(path, apiVersion, 'apiVersion must specify API group')];
}

function validateReference(ref: CrossVersionObjectReference | undefined, path: string, rule: VersionRule): Errors {
  return [
    ...requiredAnd(ref?.kind, `${path}.kind`, pathSegment),
    ...requiredAnd(ref?.name, `${path}.name`, pathSegment),
    ...validateVersion(ref?.apiVersion ?? '', `${path}.apiVersion`, rule),
  ];
}

const validateIdentifier = (metric: MetricIdentifier | undefined, path: string): Errors =>
  requiredAnd(metric?.name, `${path}.name`, pathSegment, 'must specify a metric name');

const positiveAmount: Check<string> = (value, path) => {
  const quantity = tryParseQuantity(value);
  return quantity && signOfQuantity(quantity) > 0 ? [] : [field.invalid(path, value, 'must be positive')];
};

function validateTarget(target: MetricTarget | undefined, path: string): Errors {
  const { type = '', value, averageValue, averageUtilization } = target ?? {};
  const known = type === 'Utilization' || type === 'Value' || type === 'AverageValue';
  const kinds = 'must be either Utilization, Value, or AverageValue';
  return [
    ...(type ? [] : [field.required(`${path}.type`, 'must specify a metric target type')]),
    ...(known ? [] : [field.invalid(`${path}.type`, type, kinds)]),
    ...optional(value, `${path}.value`, positiveAmount),
    ...optional(averageValue, `${path}.averageValue`, positiveAmount),
    ...optional(averageUtilization, `${path}.averageUtilization`, (share, at) =>
      share < 1 ? [field.invalid(at, share, 'must be greater than 0')] : [],
    ),
  ];
}

/** A metric of a resource is asked for as a share of requests or as an amount, not both. */
function validateResourceTarget(target: MetricTarget | undefined, path: string): Errors {
  const { averageUtilization: share, averageValue: amount } = target ?? {};
  return [
    ...validateTarget(target, path),
    ...(share === undefined && amount === undefined
      ? [field.required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization')]
      : []),
    ...forbidden(
      share !== undefined && amount !== undefined,
      `${path}.averageValue`,
      'may not set both a target raw value and a target utilization',
    ),
  ];
}

/** @param none what is said when there is neither a value nor an average. */
function validateValueTarget(target: MetricTarget | undefined, path: string, none: string): Errors {
  const { value, averageValue } = target ?? {};
  return [
    ...validateTarget(target, path),
    ...(value === undefined && averageValue === undefined ? [field.required(`${path}.averageValue`, none)] : []),
  ];
}

interface Source {
  readonly type: string;
  readonly key: Exclude<keyof MetricSpec, 'type'>;
  check(metric: MetricSpec, path: string, rule: VersionRule): Errors;
}
const noName = 'must specify a resource name';

/** In the order in which they are looked for: only the first that is there is checked. */
const sources: readonly Source[] = [
  {
    type: 'Object',
    key: 'object',
    check: ({ object: source }, path, rule) => [
      ...validateReference(source?.describedObject, `${path}.describedObject`, rule),
      ...validateIdentifier(source?.metric, `${path}.metric`),
      ...validateValueTarget(source?.target, `${path}.target`, 'must set either a target value or averageValue'),
    ],
  },
  {
    type: 'External',
    key: 'external',
    check: ({ external: source }, path) => [
      ...validateIdentifier(source?.metric, `${path}.metric`),
      ...validateValueTarget(
        source?.target,
        `${path}.target`,
        'must set either a target value for metric or a per-pod target',
      ),
      ...forbidden(
        source?.target?.value !== undefined && source.target.averageValue !== undefined,
        `${path}.target.value`,
        'may not set both a target value for metric and a per-pod target',
      ),
    ],
  },
  {
    type: 'Pods',
    key: 'pods',
    check: ({ pods: source }, path) => [
      ...validateIdentifier(source?.metric, `${path}.metric`),
      ...validateTarget(source?.target, `${path}.target`),
      ...(source?.target?.averageValue === undefined
        ? [field.required(`${path}.target.averageValue`, 'must specify a positive target averageValue')]
        : []),
    ],
  },
  {
    type: 'Resource',
    key: 'resource',
    check: ({ resource: source }, path) => [
      ...(source?.name ? [] : [field.required(`${path}.name`, noName)]),
      ...validateResourceTarget(source?.target, `${path}.target`),
    ],
  },
  {
    type: 'ContainerResource',
    key: 'containerResource',
    check: ({ containerResource: source }, path) => [
      ...requiredAnd(source?.name, `${path}.name`, validateContainerResourceName, noName),
      ...requiredAnd(source?.container, `${path}.container`, dnsLabel, 'must specify a container'),
      ...validateResourceTarget(source?.target, `${path}.target`),
    ],
  },
];
const typeNames = sources.map(({ type }) => type).sort();

function validateMetric(metric: MetricSpec, path: string, rule: VersionRule): Errors {
  const at = (key: string) => `${path}.${key}`;
  const unknown = () => field.notSupported(at('type'), metric.type ?? '', typeNames);
  const expected = sources.find(({ type }) => type === metric.type);
  const present = sources.filter(({ key }) => metric[key] !== undefined);
  const [first] = present;
  const others = present.length > 1 ? present.filter(source => source !== expected) : [];
  return [
    ...(metric.type ? [] : [field.required(at('type'), 'must specify a metric source type')]),
    ...(expected ? [] : [unknown()]),
    ...(first ? first.check(metric, at(first.key), rule) : []),
    ...(expected && !present.includes(expected)
      ? [field.required(at(expected.key), 'must populate information for the given metric source')]
      : []),
    ...others.map(({ key }) => field.forbidden(at(key), 'must populate the given metric source only')),
  ];
}

const maxPeriod = 1800;
const maxWindow = 3600;

function validatePolicy({ type, value, periodSeconds: period }: HPAScalingPolicy, path: string): Errors {
  const zero = 'must be greater than zero';
  return [
    ...oneOf(['Percent', 'Pods'])(type, `${path}.type`),
    ...(value > 0 ? [] : [field.invalid(`${path}.value`, value ?? 0, zero)]),
    ...(period > 0 ? [] : [field.invalid(`${path}.periodSeconds`, period ?? 0, zero)]),
    ...(period > maxPeriod
      ? [field.invalid(`${path}.periodSeconds`, period, `must be less than or equal to ${maxPeriod}`)]
      : []),
  ];
}

function validateRules(rules: HPAScalingRules, path: string): Errors {
  const window = rules.stabilizationWindowSeconds;
  const tolerance = rules.tolerance === undefined ? undefined : tryParseQuantity(rules.tolerance);
  const at = `${path}.stabilizationWindowSeconds`;
  return [
    ...(window !== undefined && window < 0 ? [field.invalid(at, window, 'must be greater than or equal to zero')] : []),
    ...(window !== undefined && window > maxWindow
      ? [field.invalid(at, window, `must be less than or equal to ${maxWindow}`)]
      : []),
    ...optional(rules.selectPolicy, `${path}.selectPolicy`, oneOf(['Disabled', 'Max', 'Min'])),
    ...(rules.policies?.length ? [] : [field.required(`${path}.policies`, 'must specify at least one Policy')]),
    ...each(rules.policies, `${path}.policies`, validatePolicy),
    ...(tolerance && signOfQuantity(tolerance) < 0
      ? [field.invalid(`${path}.tolerance`, rules.tolerance, 'must be greater than or equal to 0')]
      : []),
  ];
}

/** What an update may keep: a lower bound of zero, and versions that were not checked when they were stored. */
interface Known {
  readonly lowest: number;
  readonly target: VersionRule;
  readonly objects: VersionRule;
}

function knownOf({ spec }: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler | undefined): Known {
  const [ref, before] = [spec.scaleTargetRef, old?.spec.scaleTargetRef];
  const same = before !== undefined && before.apiVersion === ref?.apiVersion && before.kind === ref?.kind;
  const wrong = old?.spec.metrics?.some(
    ({ type, object }) =>
      type === 'Object' && versionComplaint(object?.describedObject?.apiVersion ?? '') !== undefined,
  );
  return {
    lowest: old?.spec.minReplicas === 0 ? 0 : 1,
    target: { any: same, core: ref?.kind === 'ReplicationController' },
    objects: { any: wrong ?? false, core: true },
  };
}

function validateMetrics({ metrics, minReplicas }: HorizontalPodAutoscaler['spec'], rule: VersionRule): Errors {
  const path = 'spec.metrics';
  const outside = metrics?.some(({ type }) => type === 'Object' || type === 'External');
  return [
    ...each(metrics, path, (metric, at) => validateMetric(metric, at, rule)),
    ...forbidden(
      minReplicas === 0 && !outside,
      path,
      'must specify at least one Object or External metric to support scaling to zero replicas',
    ),
  ];
}

/** @param old the stored object, on update. */
export function validateAutoscaler(hpa: HorizontalPodAutoscaler, old?: HorizontalPodAutoscaler): Errors {
  const { minReplicas, maxReplicas = 0, scaleTargetRef, behavior } = hpa.spec;
  const known = knownOf(hpa, old);
  return [
    ...(minReplicas !== undefined && minReplicas < known.lowest
      ? [field.invalid('spec.minReplicas', minReplicas, `must be greater than or equal to ${known.lowest}`)]
      : []),
    ...(maxReplicas < 1 ? [field.invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0')] : []),
    ...(minReplicas !== undefined && maxReplicas < minReplicas
      ? [field.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`')]
      : []),
    ...validateReference(scaleTargetRef, 'spec.scaleTargetRef', known.target),
    ...validateMetrics(hpa.spec, known.objects),
    ...optional(behavior?.scaleUp, 'spec.behavior.scaleUp', validateRules),
    ...optional(behavior?.scaleDown, 'spec.behavior.scaleDown', validateRules),
  ];
}
