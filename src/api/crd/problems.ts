/** Violations, in upstream's words (k8s.io/apimachinery/pkg/util/validation/field). Of the same shape as the registry's field errors. */
import { goMapJson, goQuote } from '../util/go-text.ts';

export interface Problem {
  readonly type:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueTypeInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueDuplicate'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany';
  readonly field: string;
  readonly message: string;
}

/** So many are enough to tell: a body of commas could break millions of rules. */
export const enough = 10_000;

const show = (value: unknown) => (typeof value === 'string' ? goQuote(value) : goMapJson(value));

export const problem = {
  required: (field: string, detail = ''): Problem => ({
    type: 'FieldValueRequired',
    field,
    message: `Required value${detail && `: ${detail}`}`,
  }),
  invalid: (field: string, value: unknown, detail: string): Problem => ({
    type: 'FieldValueInvalid',
    field,
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  typeInvalid: (field: string, value: unknown, detail: string): Problem => ({
    type: 'FieldValueTypeInvalid',
    field,
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  forbidden: (field: string, detail: string): Problem => ({
    type: 'FieldValueForbidden',
    field,
    message: `Forbidden: ${detail}`,
  }),
  notSupported: (field: string, value: unknown, allowed: readonly unknown[]): Problem => {
    const list = allowed.map(v => goQuote(typeof v === 'string' ? v : goMapJson(v))).join(', ');
    return {
      type: 'FieldValueNotSupported',
      field,
      message: `Unsupported value: ${show(value)}: supported values: ${list}`,
    };
  },
  duplicate: (field: string, value: unknown): Problem => ({
    type: 'FieldValueDuplicate',
    field,
    message: `Duplicate value: ${show(value)}`,
  }),
  tooLong: (field: string, max: number): Problem => ({
    type: 'FieldValueTooLong',
    field,
    message: `Too long: may not be more than ${max} ${max === 1 ? 'byte' : 'bytes'}`,
  }),
  tooMany: (field: string, actual: number, max: number): Problem => ({
    type: 'FieldValueTooMany',
    field,
    message: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  }),
};

/** One text for values that are equal. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
