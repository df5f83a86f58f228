import { isPercent } from '../../../api/validation/names.ts';
import { type Errors, invalidAll, nonNegative } from '../checks.ts';
import { field } from '../field-errors.ts';

const percentOf = (value: number | string) =>
  typeof value === 'string' && /^\d+%$/.test(value) ? Number(value.slice(0, -1)) : undefined;

/** A count that is not negative, or a percentage, which `max` may limit. */
export function intOrPercent(value: number | string, path: string, max?: number): Errors {
  if (typeof value === 'number') return nonNegative(value, path);
  const complaints = isPercent(value);
  if (complaints.length > 0) return invalidAll(path, value, complaints);
  return max !== undefined && (percentOf(value) ?? 0) > max
    ? [field.invalid(path, value, `must not be greater than ${max}%`)]
    : [];
}

export const isZeroIntOrPercent = (value: number | string): boolean => value === 0 || percentOf(value) === 0;
