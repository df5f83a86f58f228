/** What options of requests must satisfy (apimachinery pkg/apis/meta/v1/validation). */
import { byteLength, longerThan } from '../../../api/validation/names.ts';
import type { Errors } from '../checks.ts';
import { field } from '../field-errors.ts';

const maxManager = 128;
/** The opposite of Go's unicode.IsPrint. */
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;

export function validateFieldManager(manager: string, path: string): Errors {
  const errors: Errors = longerThan([manager], maxManager) ? [field.tooLong(path, maxManager)] : [];
  let [position, before] = [0, 0];
  for (const { 0: character, index } of manager.matchAll(unprintable)) {
    position += byteLength(manager.slice(before, index));
    before = index;
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    errors.push(field.invalid(path, manager, `invalid character U+${code} (at position ${position})`));
  }
  return errors;
}

export function validateDryRun(dryRun: readonly string[]): Errors {
  return dryRun.every(value => value === 'All') ? [] : [field.notSupported('dryRun', dryRun, ['All'])];
}

const validations = ['', 'Ignore', 'Strict', 'Warn'];
export function validateFieldValidation(value: string): Errors {
  return validations.includes(value) ? [] : [field.notSupported('fieldValidation', value, validations)];
}

const policies = ['Foreground', 'Background', 'Orphan'];
export function validatePropagation(policy: string | undefined, orphanDependents: boolean | undefined): Errors {
  const path = 'propagationPolicy';
  if (policy === undefined) return [];
  const both = 'orphanDependents and deletionPropagation cannot be both set';
  return [
    ...(orphanDependents === undefined ? [] : [field.invalid(path, policy, both)]),
    ...(policies.includes(policy) ? [] : [field.notSupported(path, policy, [...policies, 'nil'])]),
  ];
}
