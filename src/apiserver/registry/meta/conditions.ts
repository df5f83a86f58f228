/** Conditions of the shared type (ValidateConditions of apimachinery). */
import type { Condition } from '../../../api/types/meta-v1.ts';
import { byteLength, regexError } from '../../../api/validation/names.ts';
import { type Errors, each, oneOf, optional, required, unique } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateLabelName } from './object-meta.ts';

const maxReason = 1024;
const maxMessage = 32 * 1024;
const reasonPattern = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const reasonFormat = new RegExp(`^${reasonPattern}$`);
const reasonComplaint = regexError(
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
  reasonPattern,
  'my_name',
  'MY_NAME',
  'MyName',
  'ReasonA,ReasonB',
  'ReasonA:ReasonB',
);

function validateReason(reason: string | undefined, path: string): Errors {
  if (!reason) return [field.required(path)];
  return [
    ...(reasonFormat.test(reason) ? [] : [field.invalid(path, reason, reasonComplaint)]),
    ...(byteLength(reason) > maxReason ? [field.tooLong(path, maxReason)] : []),
  ];
}

function validateCondition(condition: Condition, path: string): Errors {
  const { type, status, observedGeneration, lastTransitionTime, reason, message = '' } = condition;
  return [
    ...validateLabelName(type, `${path}.type`),
    ...oneOf(['False', 'True', 'Unknown'])(status, `${path}.status`),
    ...optional(observedGeneration, `${path}.observedGeneration`, (value, at) =>
      value < 0 ? [field.invalid(at, value, 'must be greater than or equal to zero')] : [],
    ),
    ...required(lastTransitionTime, `${path}.lastTransitionTime`),
    ...validateReason(reason, `${path}.reason`),
    ...(byteLength(message) > maxMessage ? [field.tooLong(`${path}.message`, maxMessage)] : []),
  ];
}

export function validateConditions(conditions: readonly Condition[] | undefined, path: string): Errors {
  return [
    ...unique(
      conditions,
      path,
      condition => condition.type,
      at => `${at}.type`,
    ),
    ...each(conditions, path, validateCondition),
  ];
}
