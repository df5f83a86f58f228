/** Label selectors: matching, the `LabelSelector` object, and text. Semantics of k8s.io/apimachinery/pkg/labels. */
import type { LabelSelector } from '../types/meta-v1.ts';
import { isLabelKey, isLabelValue } from '../validation/names.ts';

export type Labels = Readonly<Record<string, string>>;
export type Operator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt';

/** The selector cannot be understood. Messages are upstream's. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  /** Sorted, without duplicates, when read from text. */
  readonly values: readonly string[];
  matches(labels: Labels | undefined): boolean;
}

export interface Selector {
  /** Sorted by key. */
  readonly requirements: readonly Requirement[];
  /** True when nothing is restricted. */
  readonly everything: boolean;
  /** True for the selector that a missing `LabelSelector` stands for. */
  readonly nothing: boolean;
  matches(labels: Labels | undefined): boolean;
  /** Text that parses to an equal selector; "" for everything and nothing. */
  toString(): string;
}

const invalid = (path: string, value: string, detail: string) => `${path}: Invalid value: ${value}: ${detail}`;
const list = (values: readonly string[]) => `[]string{${values.map(v => JSON.stringify(v)).join(', ')}}`;

function int64(text: string): bigint | undefined {
  if (!/^[-+]?[0-9]{1,30}$/.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return value <= 0x7fff_ffff_ffff_ffffn && value >= -0x8000_0000_0000_0000n ? value : undefined;
}

function arityComplaints(operator: Operator, values: readonly string[]): string[] {
  const complaint = (detail: string) => [invalid('values', list(values), detail)];
  switch (operator) {
    case 'in':
    case 'notin':
      return values.length > 0 ? [] : complaint("for 'in', 'notin' operators, values set can't be empty");
    case '=':
    case '==':
    case '!=':
      return values.length === 1 ? [] : complaint('exact-match compatibility requires one single value');
    case 'exists':
    case '!':
      return values.length === 0 ? [] : complaint('values set must be empty for exists and does not exist');
    default:
      return [
        ...(values.length === 1 ? [] : complaint("for 'Gt', 'Lt' operators, exactly one value is required")),
        ...values.flatMap((value, i) =>
          int64(value) === undefined
            ? [invalid(`values[${i}]`, JSON.stringify(value), "for 'Gt', 'Lt' operators, the value must be an integer")]
            : [],
        ),
      ];
  }
}

/** @throws SelectorError when key, operator and values do not go together. */
export function newRequirement(key: string, operator: Operator, values: readonly string[]): Requirement {
  const complaints: string[] = [];
  const badKey = isLabelKey(key);
  if (badKey.length > 0) complaints.push(invalid('key', JSON.stringify(key), badKey.join('; ')));
  complaints.push(...arityComplaints(operator, values));
  values.forEach((value, i) => {
    const bad = isLabelValue(value);
    if (bad.length > 0) complaints.push(invalid(`values[${i}][${key}]`, JSON.stringify(value), bad.join('; ')));
  });
  if (complaints.length > 0) {
    const unique = [...new Set(complaints)];
    throw new SelectorError(unique.length === 1 ? unique.join('') : `[${unique.join(', ')}]`);
  }
  return requirement(key, operator, values);
}

function requirement(key: string, operator: Operator, values: readonly string[]): Requirement {
  return { key, operator, values, matches: matcher(key, operator, values) };
}

const lookup = (labels: Labels | undefined, key: string): string | undefined =>
  labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;

function matcher(key: string, operator: Operator, values: readonly string[]): Requirement['matches'] {
  const first = values[0] ?? '';
  const set = values.length > 8 ? new Set(values) : undefined;
  const has = set ? (value: string) => set.has(value) : (value: string) => values.includes(value);
  switch (operator) {
    case '=':
    case '==':
      return labels => lookup(labels, key) === first;
    case '!=':
      return labels => lookup(labels, key) !== first;
    case 'in':
      return labels => {
        const value = lookup(labels, key);
        return value !== undefined && has(value);
      };
    case 'notin':
      return labels => {
        const value = lookup(labels, key);
        return value === undefined || !has(value);
      };
    case 'exists':
      return labels => lookup(labels, key) !== undefined;
    case '!':
      return labels => lookup(labels, key) === undefined;
    default:
      return compareMatcher(key, operator, int64(first));
  }
}

function compareMatcher(key: string, operator: 'gt' | 'lt', bound: bigint | undefined): Requirement['matches'] {
  return labels => {
    const value = int64(lookup(labels, key) ?? '');
    if (value === undefined || bound === undefined) return false;
    return operator === 'gt' ? value > bound : value < bound;
  };
}

function formatRequirement({ key, operator, values }: Requirement): string {
  const joined = values.length > 1 ? [...values].sort().join(',') : (values[0] ?? '');
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${joined})`;
    case 'gt':
      return `${key}>${joined}`;
    case 'lt':
      return `${key}<${joined}`;
    default:
      return `${key}${operator}${joined}`;
  }
}

/** A selector that asks for all of the requirements. */
export function selectorOf(requirements: readonly Requirement[]): Selector {
  const sorted = [...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return {
    requirements: sorted,
    everything: sorted.length === 0,
    nothing: false,
    matches(labels) {
      for (const each of sorted) if (!each.matches(labels)) return false;
      return true;
    },
    toString: () => sorted.map(formatRequirement).join(','),
  };
}

export const everything: Selector = selectorOf([]);
export const nothing: Selector = {
  requirements: [],
  everything: false,
  nothing: true,
  matches: () => false,
  toString: () => '',
};

/** Exactly these labels, unchecked (upstream's SelectorFromSet). No labels select everything. */
export function selectorFromSet(labels: Labels | undefined): Selector {
  return selectorOf(Object.entries(labels ?? {}).map(([key, value]) => requirement(key, '=', [value])));
}

const objectOperators: Readonly<Record<string, Operator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** Missing: nothing. Empty: everything. @throws SelectorError */
export function selectorFromObject(selector: LabelSelector | null | undefined): Selector {
  if (!selector) return nothing;
  const requirements = Object.entries(selector.matchLabels ?? {}).map(([key, value]) =>
    newRequirement(key, '=', [value]),
  );
  for (const expression of selector.matchExpressions ?? []) {
    const name = String(expression.operator);
    const operator = Object.hasOwn(objectOperators, name) ? objectOperators[name] : undefined;
    if (!operator) throw new SelectorError(`${JSON.stringify(name)} is not a valid label selector operator`);
    requirements.push(newRequirement(expression.key, operator, expression.values ?? []));
  }
  return requirements.length === 0 ? everything : selectorOf(requirements);
}

/** As `kubectl get` prints a selector: "<none>" when empty or missing, "<error>" when wrong. */
export function formatLabelSelector(selector: LabelSelector | null | undefined): string {
  try {
    return selectorFromObject(selector).toString() || '<none>';
  } catch {
    return '<error>';
  }
}

/** The old form of a selector, for equality-based fields. @throws SelectorError when it cannot be said so. */
export function labelSelectorAsMap(selector: LabelSelector | null | undefined): Record<string, string> {
  const out: Record<string, string> = { ...selector?.matchLabels };
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    const quoted = JSON.stringify(operator);
    if (!Object.hasOwn(objectOperators, operator))
      throw new SelectorError(`${quoted} is not a valid selector operator`);
    if (operator !== 'In') {
      throw new SelectorError(`operator ${quoted} cannot be converted into the old label selector format`);
    }
    const [only] = values;
    if (values.length !== 1 || only === undefined) {
      throw new SelectorError(
        `operator ${quoted} without a single value cannot be converted into the old label selector format`,
      );
    }
    out[key] = only;
  }
  return out;
}

/** The `LabelSelector` object for a parsed selector. @throws SelectorError for gt and lt, which it cannot say. */
export function selectorAsObject(selector: Selector): LabelSelector {
  const matchLabels: Record<string, string> = {};
  const matchExpressions: NonNullable<LabelSelector['matchExpressions']> = [];
  const names: Partial<Record<Operator, string>> = {
    in: 'In',
    notin: 'NotIn',
    '!=': 'NotIn',
    exists: 'Exists',
    '!': 'DoesNotExist',
  };
  for (const { key, operator, values } of selector.requirements) {
    if (operator === '=' || operator === '==') {
      matchLabels[key] = values[0] ?? '';
      continue;
    }
    const name = names[operator];
    if (!name) throw new SelectorError(`${JSON.stringify(operator)} isn't supported in label selectors`);
    matchExpressions.push({ key, operator: name, ...(values.length > 0 && { values: [...values] }) });
  }
  return { matchLabels, matchExpressions };
}

/** The one value that the label must have, when the selector says so. */
export function exactLabel(selector: Selector, label: string): string | undefined {
  const found = selector.requirements.find(each => each.key === label);
  if (!found || !['=', '==', 'in'].includes(found.operator)) return undefined;
  return found.values.length === 1 ? found.values[0] : undefined;
}
