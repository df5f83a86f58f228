import { isPercent } from '../../../api/validation/names.ts';
import { type Check, invalidAll, nonNegative } from '../checks.ts';
import { field } from '../field-errors.ts';

const percentOf = (value: number | string) =>
  typeof value === 'string' && /^\d+%$/.test(value) ? Number(value.slice(0, -1)) : undefined;

/** A count that is not negative, or a percentage (ValidatePositiveIntOrPercent). */
export const intOrPercent: Check<number | string> = (value, path) =>
  typeof value === 'number' ? nonNegative(value, path) : invalidAll(path, value, isPercent(value));

/** A percentage has its limit, a count has none. */
export const atMost100Percent: Check<number | string> = (value, path) =>
  (percentOf(value) ?? 0) > 100 ? [field.invalid(path, value, 'must not be greater than 100%')] : [];

/** Text that is neither a number nor a percentage counts as zero, as upstream reads it. */
export function isZeroIntOrPercent(value: number | string): boolean {
  if (typeof value === 'number') return value === 0;
  return (percentOf(value) ?? (/^[+-]?\d+$/.test(value) ? Number(value) : 0)) === 0;
}
