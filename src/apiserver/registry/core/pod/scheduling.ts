/** Where a pod may run: node selectors, affinity, tolerations, topology spread. */
import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '../../../../api/types/core-v1.ts';
import type { LabelSelector } from '../../../../api/types/meta-v1.ts';
import { isLabelValue, nameIsDnsLabel, nameIsDnsSubdomain } from '../../../../api/validation/names.ts';
import { type Check, type Errors, each, invalidAll, nonEmpty, oneOf, optional, required } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { validateLabelSelector, validateOperator } from '../../meta/label-selector.ts';
import { validateLabelName } from '../../meta/object-meta.ts';

const notAnOperator = 'not a valid selector operator';

function validateComparison(operator: string, values: readonly string[] | undefined, path: string): Errors {
  if (operator !== 'Gt' && operator !== 'Lt') return [field.invalid(`${path}.operator`, operator, notAnOperator)];
  return values?.length === 1
    ? []
    : [field.required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
}

const nodeRequirement =
  (strict: boolean): Check<NodeSelectorRequirement> =>
  ({ key, operator, values }, path) => [
    ...(validateOperator(operator, values, path) ?? validateComparison(operator, values, path)),
    ...validateLabelName(key, `${path}.key`),
    ...(strict ? each(values, `${path}.values`, (value, at) => invalidAll(at, value, isLabelValue(value))) : []),
  ];

const fieldRequirement: Check<NodeSelectorRequirement> = ({ key, operator, values }, path) => {
  const known = operator === 'In' || operator === 'NotIn';
  const one = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
  return [
    ...(known ? [] : [field.invalid(`${path}.operator`, operator, notAnOperator)]),
    ...(known && values?.length !== 1 ? [field.required(`${path}.values`, one)] : []),
    ...(key === 'metadata.name'
      ? each(values, `${path}.values`, (value, at) => invalidAll(at, value, nameIsDnsSubdomain(value, false)))
      : [field.invalid(`${path}.key`, key, 'not a valid field selector key')]),
  ];
};

function validateNodeSelectorTerm(term: NodeSelectorTerm, path: string, strict = true): Errors {
  return [
    ...each(term.matchExpressions, `${path}.matchExpressions`, nodeRequirement(strict)),
    ...each(term.matchFields, `${path}.matchFields`, fieldRequirement),
  ];
}

export function validateNodeSelector(selector: NodeSelector, path: string): Errors {
  const at = `${path}.nodeSelectorTerms`;
  if (!selector.nodeSelectorTerms?.length) {
    return [field.required(at, 'must have at least one node selector term')];
  }
  return each(selector.nodeSelectorTerms, at, (term, where) => validateNodeSelectorTerm(term, where));
}

function validateWeight(weight: number, path: string): Errors {
  return weight >= 1 && weight <= 100 ? [] : [field.invalid(`${path}.weight`, weight, 'must be in the range 1-100')];
}

function validateKeyNames(keys: readonly string[], selector: LabelSelector | undefined, path: string): Errors {
  if (keys.length === 0) return [];
  return selector
    ? each(keys, path, validateLabelName)
    : [field.forbidden(path, 'must not be specified when labelSelector is not set')];
}

/**
 * A key that the selector names besides. Keys of a pod are already part of its selector, as expressions, so it is the second expression (or
 * the first, after a label) that tells. Upstream reports it at the term's own path with the key's index.
 */
function validateSelectedKeys(keys: readonly string[], selector: LabelSelector | undefined, path: string): Errors {
  const seen = new Set(Object.keys(selector?.matchLabels ?? {}));
  return (selector?.matchExpressions ?? []).flatMap(({ key }) => {
    const index = seen.has(key) ? keys.lastIndexOf(key) : -1;
    seen.add(key);
    return index < 0
      ? []
      : [field.invalid(`${path}[${index}]`, key, 'exists in both matchLabelKeys and labelSelector')];
  });
}

/** ValidateMatchLabelKeysAndMismatchLabelKeys. */
function validateLabelKeys(term: PodAffinityTerm | TopologySpreadConstraint, path: string): Errors {
  const match = term.matchLabelKeys ?? [];
  const mismatch = 'mismatchLabelKeys' in term ? (term.mismatchLabelKeys ?? []) : [];
  const at = `${path}.matchLabelKeys`;
  return [
    ...validateKeyNames(match, term.labelSelector, at),
    ...validateKeyNames(mismatch, term.labelSelector, `${path}.mismatchLabelKeys`),
    ...validateSelectedKeys(match, term.labelSelector, path),
    ...each(match, at, (key, where) =>
      mismatch.includes(key) ? [field.invalid(where, key, 'exists in both matchLabelKeys and mismatchLabelKeys')] : [],
    ),
  ];
}

const podAffinityTerm: Check<PodAffinityTerm> = (term, path) => [
  ...validateLabelSelector(term.labelSelector, `${path}.labelSelector`),
  ...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`),
  ...(term.namespaces ?? []).flatMap(name => invalidAll(`${path}.namespace`, name, nameIsDnsLabel(name, false))),
  ...validateLabelKeys(term, path),
  ...required(term.topologyKey, `${path}.topologyKey`, 'can not be empty'),
  ...validateLabelName(term.topologyKey ?? '', `${path}.topologyKey`),
];

const preferredKey = 'preferredDuringSchedulingIgnoredDuringExecution';
const requiredKey = 'requiredDuringSchedulingIgnoredDuringExecution';

const podAffinity: Check<PodAffinity> = (affinity, path) => [
  ...each(affinity[requiredKey], `${path}.${requiredKey}`, podAffinityTerm),
  ...each(affinity[preferredKey], `${path}.${preferredKey}`, (term, at) => [
    ...validateWeight(term.weight, at),
    ...podAffinityTerm(term.podAffinityTerm ?? { topologyKey: '' }, `${at}.podAffinityTerm`),
  ]),
];

/** Preferred node terms may carry label values that no node can have. */
export function validateAffinity(affinity: Affinity | undefined, path: string): Errors {
  if (!affinity) return [];
  const node = affinity.nodeAffinity;
  const at = `${path}.nodeAffinity`;
  return [
    ...optional(node?.[requiredKey], `${at}.${requiredKey}`, validateNodeSelector),
    ...each(node?.[preferredKey], `${at}.${preferredKey}`, (term, where) => [
      ...validateWeight(term.weight, where),
      ...validateNodeSelectorTerm(term.preference ?? {}, `${where}.preference`, false),
    ]),
    ...optional(affinity.podAffinity, `${path}.podAffinity`, podAffinity),
    ...optional(affinity.podAntiAffinity, `${path}.podAntiAffinity`, podAffinity),
  ];
}

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function validateTolerationOperator({ operator = '', value = '' }: Toleration, path: string): Errors {
  if (operator === '' || operator === 'Equal') {
    const complaints = isLabelValue(value);
    return complaints.length > 0 ? [field.invalid(path, value, complaints.join(';'))] : [];
  }
  // Comparisons are an alpha feature that is off in v1.35 (TaintTolerationComparisonOperators).
  if (operator === 'Lt' || operator === 'Gt') {
    return [field.notSupported(path, operator, ['Equal', 'Exists', 'Lt', 'Gt'])];
  }
  if (operator !== 'Exists') return [field.notSupported(path, operator, ['Equal', 'Exists'])];
  return value ? [field.invalid(path, value, "value must be empty when `operator` is 'Exists'")] : [];
}

export function validateTolerations(tolerations: readonly Toleration[] | undefined, path: string): Errors {
  return each(tolerations, path, (toleration, at) => {
    const { key, operator = '', effect = '', tolerationSeconds } = toleration;
    const matchAll = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    return [
      ...nonEmpty(key, `${at}.key`, validateLabelName),
      ...(!key && operator !== 'Exists' ? [field.invalid(`${at}.operator`, operator, matchAll)] : []),
      ...(tolerationSeconds !== undefined && effect !== 'NoExecute'
        ? [field.invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")]
        : []),
      ...validateTolerationOperator(toleration, `${at}.operator`),
      ...nonEmpty(effect, `${at}.effect`, oneOf(taintEffects)),
    ];
  });
}

function validateMinDomains(constraint: TopologySpreadConstraint, path: string): Errors {
  const { minDomains, whenUnsatisfiable } = constraint;
  if (minDomains === undefined) return [];
  const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`;
  return [
    ...(minDomains <= 0 ? [field.invalid(path, minDomains, 'must be greater than zero')] : []),
    ...(whenUnsatisfiable === 'DoNotSchedule' ? [] : [field.invalid(path, minDomains, why)]),
  ];
}

const nodeInclusion = oneOf(['Honor', 'Ignore']);

export function validateTopologySpread(list: readonly TopologySpreadConstraint[] | undefined, path: string): Errors {
  const seen = new Set<string>();
  return each(list, path, (constraint, at) => {
    const { maxSkew = 0, topologyKey, whenUnsatisfiable } = constraint;
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
    const twice = seen.has(pair);
    seen.add(pair);
    return [
      ...(maxSkew > 0 ? [] : [field.invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero')]),
      ...(topologyKey
        ? validateLabelName(topologyKey, `${at}.topologyKey`)
        : [field.required(`${at}.topologyKey`, 'can not be empty')]),
      ...oneOf(['DoNotSchedule', 'ScheduleAnyway'])(whenUnsatisfiable ?? '', `${at}.whenUnsatisfiable`),
      ...(twice ? [field.duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair)] : []),
      ...validateMinDomains(constraint, `${at}.minDomains`),
      ...optional(constraint.nodeAffinityPolicy, `${at}.nodeAffinityPolicy`, nodeInclusion),
      ...optional(constraint.nodeTaintsPolicy, `${at}.nodeTaintsPolicy`, nodeInclusion),
      ...validateLabelKeys(constraint, at),
      ...validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`),
    ];
  });
}
