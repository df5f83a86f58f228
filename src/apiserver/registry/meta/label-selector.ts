import type { LabelSelector, LabelSelectorRequirement } from '../../../api/types/meta-v1.ts';
import { isLabelValue } from '../../../api/validation/names.ts';
import { type Errors, each, forbidden, invalidAll } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateLabelName, validateLabels } from './object-meta.ts';

/** What In, NotIn, Exists and DoesNotExist say about their values, for label and node selectors alike. */
export function validateOperator(
  operator: string,
  values: readonly string[] | undefined,
  path: string,
): Errors | undefined {
  const count = values?.length ?? 0;
  if (operator === 'In' || operator === 'NotIn') {
    return count === 0
      ? [field.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
      : [];
  }
  if (operator === 'Exists' || operator === 'DoesNotExist') {
    return forbidden(count, `${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  }
  return undefined;
}

/** With `anyOperator`, operators of later versions are let through. */
export function validateLabelRequirement(
  { key, operator = '', values }: LabelSelectorRequirement,
  path: string,
  { anyOperator = false } = {},
): Errors {
  const unknown = anyOperator ? [] : [field.invalid(`${path}.operator`, operator, 'not a valid selector operator')];
  return [
    ...(validateOperator(operator, values, path) ?? unknown),
    ...validateLabelName(key, `${path}.key`),
    ...each(values, `${path}.values`, (value, at) => invalidAll(at, value, isLabelValue(value))),
  ];
}

/** An absent selector is fine. */
export function validateLabelSelector(selector: LabelSelector | undefined, path: string): Errors {
  if (!selector) return [];
  return [
    ...validateLabels(selector.matchLabels, `${path}.matchLabels`),
    ...each(selector.matchExpressions, `${path}.matchExpressions`, (r, at) => validateLabelRequirement(r, at)),
  ];
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0) === 0;
}
