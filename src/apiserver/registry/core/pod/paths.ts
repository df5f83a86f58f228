import type { Check } from '../../checks.ts';
import { field } from '../../field-errors.ts';

export const noBacksteps: Check<string> = (value, path) =>
  value.split('/').includes('..') ? [field.invalid(path, value, "must not contain '..'")] : [];

/** Relative, and never leaving its root. */
export const descendingPath: Check<string> = (value, path) => [
  ...(value.startsWith('/') ? [field.invalid(path, value, 'must be a relative path')] : []),
  ...noBacksteps(value, path),
];

/** As `descendingPath`, and not hidden among the `..data` names that volumes keep for themselves. */
export const localNonReservedPath: Check<string> = (value, path) => [
  ...descendingPath(value, path),
  ...(value.startsWith('..') && !value.startsWith('../')
    ? [field.invalid(path, value, "must not start with '..'")]
    : []),
];

export const fileMode: Check<number> = (value, path) =>
  value < 0 || value > 0o777
    ? [field.invalid(path, value, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];
