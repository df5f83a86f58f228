/** Field errors with upstream's wording (k8s.io/apimachinery/pkg/util/validation/field). */
import type { StatusCause } from '../../base/errors.ts';

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'InternalError'
  | 'FieldValueTypeInvalid';

export interface FieldError {
  readonly type: FieldErrorType;
  readonly field: string;
  readonly message: string;
}

function show(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}
const quoted = (values: readonly string[]) => values.map(v => JSON.stringify(v)).join(', ');

export const field = {
  required: (path: string, detail = ''): FieldError => ({
    type: 'FieldValueRequired',
    field: path,
    message: `Required value${detail ? `: ${detail}` : ''}`,
  }),
  invalid: (path: string, value: unknown, detail: string): FieldError => ({
    type: 'FieldValueInvalid',
    field: path,
    message: `Invalid value: ${show(value)}${detail ? `: ${detail}` : ''}`,
  }),
  /** For values that upstream does not show (OmitValueType). */
  invalidUnshown: (path: string, detail: string): FieldError => ({
    type: 'FieldValueInvalid',
    field: path,
    message: `Invalid value: ${detail}`,
  }),
  typeInvalid: (path: string, value: unknown, detail: string): FieldError => ({
    type: 'FieldValueTypeInvalid',
    field: path,
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  notSupported: (path: string, value: unknown, supported: readonly string[]): FieldError => ({
    type: 'FieldValueNotSupported',
    field: path,
    message: `Unsupported value: ${show(value)}${supported.length ? `: supported values: ${quoted(supported)}` : ''}`,
  }),
  forbidden: (path: string, detail: string): FieldError => ({
    type: 'FieldValueForbidden',
    field: path,
    message: `Forbidden${detail ? `: ${detail}` : ''}`,
  }),
  duplicate: (path: string, value: unknown): FieldError => ({
    type: 'FieldValueDuplicate',
    field: path,
    message: `Duplicate value: ${show(value)}`,
  }),
  notFound: (path: string, value: unknown): FieldError => ({
    type: 'FieldValueNotFound',
    field: path,
    message: `Not found: ${show(value)}`,
  }),
  tooLong: (path: string, max: number): FieldError => ({
    type: 'FieldValueTooLong',
    field: path,
    message: `Too long: may not be more than ${max} ${max === 1 ? 'byte' : 'bytes'}`,
  }),
  tooMany: (path: string, actual: number, max: number): FieldError => ({
    type: 'FieldValueTooMany',
    field: path,
    message: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  }),
  internal: (path: string, detail: string): FieldError => ({
    type: 'InternalError',
    field: path,
    message: `Internal error: ${detail}`,
  }),
};

/** The causes and the message part of an Invalid status: one error stands alone, several are bracketed. */
export function aggregate(list: readonly FieldError[]): { causes: StatusCause[]; message: string } {
  const causes = list.map(e => ({ reason: e.type, message: e.message, field: e.field }));
  const texts = [...new Set(list.map(e => `${e.field}: ${e.message}`))];
  return { causes, message: texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]` };
}
