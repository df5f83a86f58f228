/** When pods and jobs fail or succeed (pkg/apis/batch/validation). */
import type {
  JobSpec,
  PodFailurePolicy,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
  SuccessPolicy,
  SuccessPolicyRule,
} from '../../../api/types/batch-v1.ts';
import { type Errors, each, nonNegative, oneOf, optional, qualifiedName } from '../checks.ts';
import { field } from '../field-errors.ts';
import { internalForm } from '../internal-form.ts';
import { countIndexes } from './indexes.ts';

const maxRules = 20;
const maxPatterns = 20;
const maxExitCodes = 255;
const maxIndexesText = 64 * 1024;

const atMost = (list: readonly unknown[], path: string, max: number): Errors =>
  list.length > max ? [field.tooMany(path, list.length, max)] : [];

/** A value that must be set to one of a few; when it is missing, they are named as Go prints a list. */
function chosen(value: string | undefined, path: string, supported: readonly string[]): Errors {
  return value
    ? oneOf(supported)(value, path)
    : [field.required(path, `valid values: [${supported.map(text => JSON.stringify(text)).join(' ')}]`)];
}

function validateExitCodes(
  { operator, containerName, values }: PodFailurePolicyOnExitCodesRequirement,
  path: string,
  containers: ReadonlySet<string>,
): Errors {
  const at = `${path}.values`;
  const codes = values ?? [];
  const unknown = 'must be one of the container or initContainer names in the pod template';
  return [
    ...chosen(operator, `${path}.operator`, ['In', 'NotIn']),
    ...(containerName !== undefined && !containers.has(containerName)
      ? [field.invalid(`${path}.containerName`, containerName, unknown)]
      : []),
    ...(codes.length === 0 ? [field.invalid(at, values, 'at least one value is required')] : []),
    ...atMost(codes, at, maxExitCodes),
    ...each(codes, at, (code, where, i) => [
      ...(operator === 'In' && code === 0 ? [field.invalid(where, code, 'must not be 0 for the In operator')] : []),
      ...(codes.indexOf(code) < i ? [field.duplicate(where, code)] : []),
    ]),
    ...(codes.some((code, i) => i > 0 && code < (codes[i - 1] ?? code))
      ? [field.invalid(at, codes, 'must be ordered')]
      : []),
  ];
}

const validatePattern = ({ type, status }: PodFailurePolicyOnPodConditionsPattern, path: string): Errors => [
  ...qualifiedName(type, `${path}.type`),
  ...chosen(status, `${path}.status`, ['False', 'True', 'Unknown']),
];

function validateRule(rule: PodFailurePolicyRule, path: string, spec: JobSpec, names: ReadonlySet<string>): Errors {
  const patterns = rule.onPodConditions ?? [];
  const ways = Number(rule.onExitCodes !== undefined) + Number(patterns.length > 0);
  const needless = rule.action === 'FailIndex' && spec.backoffLimitPerIndex === undefined;
  return [
    ...chosen(rule.action, `${path}.action`, ['Count', 'FailIndex', 'FailJob', 'Ignore']),
    ...(needless ? [field.invalid(`${path}.action`, rule.action, 'requires the backoffLimitPerIndex to be set')] : []),
    ...optional(rule.onExitCodes, `${path}.onExitCodes`, (codes, at) => validateExitCodes(codes, at, names)),
    ...atMost(patterns, `${path}.onPodConditions`, maxPatterns),
    ...each(patterns, `${path}.onPodConditions`, validatePattern),
    ...(ways > 1
      ? [field.invalidUnshown(path, 'specifying both OnExitCodes and OnPodConditions is not supported')]
      : []),
    ...(ways === 0
      ? [field.invalidUnshown(path, 'specifying one of OnExitCodes and OnPodConditions is required')]
      : []),
  ];
}

export function validateFailurePolicy({ rules = [] }: PodFailurePolicy, spec: JobSpec, path: string): Errors {
  const pod = spec.template?.spec;
  const names = new Set([...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].map(c => c.name));
  return [
    ...atMost(rules, `${path}.rules`, maxRules),
    ...each(rules, `${path}.rules`, (rule, at) => validateRule(rule, at, spec, names)),
  ];
}

const failureRule = {
  Action: '',
  OnExitCodes: { ContainerName: null, Operator: '', Values: null },
  OnPodConditions: [{ Type: '', Status: '' }],
} as const;
export const shownFailurePolicy = (policy: PodFailurePolicy | undefined): unknown =>
  internalForm({ Rules: [failureRule] }, policy);

function validateIndexes(text: string, path: string, count: number | string): Errors {
  return [
    ...(text.length > maxIndexesText ? [field.tooLong(path, maxIndexesText)] : []),
    ...(typeof count === 'string' ? [field.invalid(path, text, `error parsing succeededIndexes: ${count}`)] : []),
  ];
}

function validateSuccessRule(rule: SuccessPolicyRule, path: string, completions: number): Errors {
  const { succeededCount: wanted, succeededIndexes: indexes } = rule;
  if (wanted === undefined && indexes === undefined) {
    return [field.required(path, 'at least one of succeededCount or succeededIndexes must be specified')];
  }
  const count = countIndexes(indexes ?? '', completions);
  const listed = typeof count === 'number' ? count : 0;
  const limit = (max: number, of: string) => (value: number, at: string) =>
    value > max ? [field.invalid(at, value, `must be less than or equal to ${max} (${of})`)] : [];
  const ofListed = 'the number of indexes in the specified succeededIndexes field';
  return [
    ...optional(indexes, `${path}.succeededIndexes`, (text, at) => validateIndexes(text, at, count)),
    ...optional(wanted, `${path}.succeededCount`, (value, at) => [
      ...nonNegative(value, at),
      ...limit(completions, 'the number of specified completions')(value, at),
      ...(indexes === undefined ? [] : limit(listed, ofListed)(value, at)),
    ]),
  ];
}

const successPolicy = { Rules: [{ SucceededIndexes: null, SucceededCount: null }] } as const;
export const shownSuccessPolicy = (policy: SuccessPolicy | undefined): unknown => internalForm(successPolicy, policy);

export function validateSuccessPolicy(policy: SuccessPolicy, spec: JobSpec, path: string): Errors {
  if (spec.completionMode !== 'Indexed') {
    return [field.invalid(path, shownSuccessPolicy(policy), 'requires indexed completion mode')];
  }
  const rules = policy.rules ?? [];
  const none = 'at least one rules must be specified when the successPolicy is specified';
  return [
    ...(rules.length === 0 ? [field.required(`${path}.rules`, none)] : []),
    ...atMost(rules, `${path}.rules`, maxRules),
    ...each(rules, `${path}.rules`, (rule, at) => validateSuccessRule(rule, at, spec.completions ?? 0)),
  ];
}
