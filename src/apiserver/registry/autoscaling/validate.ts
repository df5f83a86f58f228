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
import { isDns1123Label, isPathSegmentName } from '../../../api/validation/names.ts';
import { type Check, type Errors, each, forbidden, invalidAll, oneOf, optional, requiredAnd } from '../checks.ts';
import { validatePositiveQuantity } from '../core/resource-names.ts';
import { field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';

const pathSegment: Check<string> = (value, path) => invalidAll(path, value, isPathSegmentName(value));

function validateReference(ref: CrossVersionObjectReference | undefined, path: string): Errors {
  return [
    ...requiredAnd(ref?.kind, `${path}.kind`, pathSegment),
    ...requiredAnd(ref?.name, `${path}.name`, pathSegment),
  ];
}

function validateIdentifier(metric: MetricIdentifier | undefined, path: string): Errors {
  return [
    ...requiredAnd(metric?.name, `${path}.name`, pathSegment),
    ...validateLabelSelector(metric?.selector, `${path}.selector`),
  ];
}

function validateTarget(target: MetricTarget | undefined, path: string): Errors {
  if (!target?.type) return [field.required(`${path}.type`, 'must specify a metric target type')];
  return [
    ...oneOf(['Utilization', 'Value', 'AverageValue'])(target.type, `${path}.type`).map(() =>
      field.invalid(`${path}.type`, target.type, 'must be either Utilization, Value, or AverageValue'),
    ),
    ...optional(target.value, `${path}.value`, (value, at) =>
      validatePositiveQuantity(value, at).map(() => field.invalid(at, value, 'must be positive')),
    ),
    ...optional(target.averageValue, `${path}.averageValue`, (value, at) =>
      validatePositiveQuantity(value, at).map(() => field.invalid(at, value, 'must be positive')),
    ),
    ...optional(target.averageUtilization, `${path}.averageUtilization`, (value, at) =>
      value < 1 ? [field.invalid(at, value, 'must be greater than 0')] : [],
    ),
  ];
}

/** A metric of a resource is asked for as a share of requests or as an amount, not both. */
function validateResourceTarget(target: MetricTarget | undefined, path: string): Errors {
  const { averageUtilization: share, averageValue: amount, value } = target ?? {};
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
    ...forbidden(value !== undefined, `${path}.value`, 'may not set a non-average value'),
  ];
}

function validateValueTarget(target: MetricTarget | undefined, path: string): Errors {
  const { value, averageValue } = target ?? {};
  return [
    ...validateTarget(target, path),
    ...(value === undefined && averageValue === undefined
      ? [field.required(`${path}.averageValue`, 'must set either a target value for metric or a per-pod target')]
      : []),
    ...forbidden(
      value !== undefined && averageValue !== undefined,
      `${path}.value`,
      'may not set both a target value for metric and a per-pod target',
    ),
  ];
}

const sources: Record<string, { key: keyof MetricSpec; check(metric: MetricSpec, path: string): Errors }> = {
  Object: {
    key: 'object',
    check: ({ object: source }, path) => [
      ...validateReference(source?.describedObject, `${path}.describedObject`),
      ...validateIdentifier(source?.metric, `${path}.metric`),
      ...validateValueTarget(source?.target, `${path}.target`),
    ],
  },
  Pods: {
    key: 'pods',
    check: ({ pods: source }, path) => [
      ...validateIdentifier(source?.metric, `${path}.metric`),
      ...validateTarget(source?.target, `${path}.target`),
      ...(source?.target?.averageValue === undefined
        ? [field.required(`${path}.target.averageValue`, 'must specify a positive target averageValue')]
        : []),
    ],
  },
  Resource: {
    key: 'resource',
    check: ({ resource: source }, path) => [
      ...(source?.name ? [] : [field.required(`${path}.name`, 'must specify a resource name')]),
      ...validateResourceTarget(source?.target, `${path}.target`),
    ],
  },
  ContainerResource: {
    key: 'containerResource',
    check: ({ containerResource: source }, path) => [
      ...(source?.name ? [] : [field.required(`${path}.name`, 'must specify a resource name')]),
      ...requiredAnd(
        source?.container,
        `${path}.container`,
        (value, at) => invalidAll(at, value, isDns1123Label(value)),
        'must specify a container',
      ),
      ...validateResourceTarget(source?.target, `${path}.target`),
    ],
  },
  External: {
    key: 'external',
    check: ({ external: source }, path) => [
      ...validateIdentifier(source?.metric, `${path}.metric`),
      ...validateValueTarget(source?.target, `${path}.target`),
    ],
  },
};
const typeNames = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];

function validateMetric(metric: MetricSpec, path: string): Errors {
  if (!metric.type) return [field.required(`${path}.type`, 'must specify a metric source type')];
  const expected = sources[metric.type];
  if (!expected) return [field.notSupported(`${path}.type`, metric.type, typeNames)];
  const others = Object.values(sources).filter(({ key }) => key !== expected.key && metric[key] !== undefined);
  const own =
    metric[expected.key] === undefined
      ? [field.required(`${path}.${expected.key}`, 'must populate information for the given metric source')]
      : expected.check(metric, `${path}.${expected.key}`);
  return [
    ...others.map(({ key }) => field.forbidden(`${path}.${key}`, 'must populate the given metric source only')),
    ...own,
  ];
}

const maxPeriod = 1800;
const maxWindow = 3600;

function validatePolicy(policy: HPAScalingPolicy, path: string): Errors {
  return [
    ...oneOf(['Percent', 'Pods'])(policy.type, `${path}.type`),
    ...(policy.value > 0 ? [] : [field.invalid(`${path}.value`, policy.value, 'must be greater than zero')]),
    ...(policy.periodSeconds > 0
      ? policy.periodSeconds > maxPeriod
        ? [field.invalid(`${path}.periodSeconds`, policy.periodSeconds, `must be less than or equal to ${maxPeriod}`)]
        : []
      : [field.invalid(`${path}.periodSeconds`, policy.periodSeconds, 'must be greater than zero')]),
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

export function validateAutoscaler({ spec }: HorizontalPodAutoscaler): Errors {
  const { minReplicas, maxReplicas = 0, metrics } = spec;
  return [
    ...(minReplicas !== undefined && minReplicas < 1
      ? [field.invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1')]
      : []),
    ...(maxReplicas < 1 ? [field.invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0')] : []),
    ...(minReplicas !== undefined && maxReplicas < minReplicas
      ? [field.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`')]
      : []),
    ...validateReference(spec.scaleTargetRef, 'spec.scaleTargetRef'),
    ...each(metrics, 'spec.metrics', validateMetric),
    ...optional(spec.behavior?.scaleUp, 'spec.behavior.scaleUp', validateRules),
    ...optional(spec.behavior?.scaleDown, 'spec.behavior.scaleDown', validateRules),
  ];
}
