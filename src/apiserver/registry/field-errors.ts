/** Field errors with upstream's wording (k8s.io/apimachinery/pkg/util/validation/field). */
import { goJson, goQuote } from '../../api/util/go-text.ts';
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
  if (typeof value === 'string') return goQuote(value);
  return goJson(value);
}
const quoted = (values: readonly string[]) => values.map(goQuote).join(', ');

/** How much text one answer complains in, about. More is of no use to anybody, and a body of commas could ask for gigabytes. */
const textLimit = 1 << 20;
const textOf = (e: FieldError) => e.field.length + e.message.length;

class EnoughSaid extends Error {}
let running: { said: FieldError[]; left: number } | undefined;

/** Counts what is found while `bounded` runs. */
function noted(error: FieldError): FieldError {
  if (!running) return error;
  running.said.push(error);
  running.left -= textOf(error);
  if (running.left < 0) throw new EnoughSaid();
  return error;
}

/** What `validate` finds; when that is too much for an answer, the beginning of it. */
export function bounded(validate: () => readonly FieldError[]): readonly FieldError[] {
  const before = running;
  const current = { said: [], left: textLimit };
  running = current;
  try {
    return validate();
  } catch (e) {
    if (e instanceof EnoughSaid) return current.said;
    throw e;
  } finally {
    running = before;
  }
}

export const field = {
  required: (path: string, detail = ''): FieldError =>
    noted({
      type: 'FieldValueRequired',
      field: path,
      message: `Required value${detail ? `: ${detail}` : ''}`,
    }),
  invalid: (path: string, value: unknown, detail: string): FieldError =>
    noted({
      type: 'FieldValueInvalid',
      field: path,
      message: `Invalid value: ${show(value)}${detail ? `: ${detail}` : ''}`,
    }),
  /** For values that upstream does not show (OmitValueType). */
  invalidUnshown: (path: string, detail: string): FieldError =>
    noted({
      type: 'FieldValueInvalid',
      field: path,
      message: `Invalid value: ${detail}`,
    }),
  typeInvalid: (path: string, value: unknown, detail: string): FieldError =>
    noted({
      type: 'FieldValueTypeInvalid',
      field: path,
      message: `Invalid value: ${show(value)}: ${detail}`,
    }),
  notSupported: (path: string, value: unknown, supported: readonly string[]): FieldError =>
    noted({
      type: 'FieldValueNotSupported',
      field: path,
      message: `Unsupported value: ${show(value)}${supported.length ? `: supported values: ${quoted(supported)}` : ''}`,
    }),
  forbidden: (path: string, detail: string): FieldError =>
    noted({
      type: 'FieldValueForbidden',
      field: path,
      message: `Forbidden${detail ? `: ${detail}` : ''}`,
    }),
  duplicate: (path: string, value: unknown, detail = ''): FieldError =>
    noted({
      type: 'FieldValueDuplicate',
      field: path,
      message: `Duplicate value: ${show(value)}${detail ? `: ${detail}` : ''}`,
    }),
  notFound: (path: string, value: unknown): FieldError =>
    noted({
      type: 'FieldValueNotFound',
      field: path,
      message: `Not found: ${show(value)}`,
    }),
  tooLong: (path: string, max: number): FieldError =>
    noted({
      type: 'FieldValueTooLong',
      field: path,
      message: `Too long: may not be more than ${max} ${max === 1 ? 'byte' : 'bytes'}`,
    }),
  tooMany: (path: string, actual: number, max: number): FieldError =>
    noted({
      type: 'FieldValueTooMany',
      field: path,
      message: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
    }),
  internal: (path: string, detail: string): FieldError =>
    noted({
      type: 'InternalError',
      field: path,
      message: `Internal error: ${detail}`,
    }),
};

/** The causes and the message part of an Invalid status: one error stands alone, several are bracketed. */
export function aggregate(list: readonly FieldError[]): { causes: StatusCause[]; message: string } {
  const shown = beginning(list);
  const causes = shown.map(e => ({ reason: e.type, message: e.message, field: e.field }));
  const texts = [...new Set(shown.map(e => `${e.field}: ${e.message}`))];
  return { causes, message: texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]` };
}

function beginning(list: readonly FieldError[]): readonly FieldError[] {
  let left = textLimit;
  const end = list.findIndex(e => {
    left -= textOf(e);
    return left < 0;
  });
  return end < 0 ? list : list.slice(0, Math.max(end, 1));
}
