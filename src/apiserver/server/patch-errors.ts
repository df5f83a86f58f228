/** Patches that nobody can read, and what patches made of objects. */
import type { DecodeError } from '../../api/codec/decode-error.ts';
import { goMapJson, goPrint, goWord } from '../../api/util/go-text.ts';
import { type ApiError, errors } from '../../base/errors.ts';
import { aggregate, field } from '../registry/field-errors.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

/** What comes before the cause when a patch cannot be read. */
export const decodingPrefix = {
  json: 'error decoding patch: ',
  merge: 'error decoding patch: ',
  strategic: '',
  apply: 'error decoding YAML: ',
} as const satisfies Record<PatchType, string>;

export function assertObject(patch: unknown, prefix: string): asserts patch is object {
  if (typeof patch === 'object' && patch !== null && !Array.isArray(patch)) return;
  throw errors.badRequest(
    `${prefix}json: cannot unmarshal ${goWord(patch)} into Go value of type map[string]interface {}`,
  );
}

/** For a patch whose result is no object of the kind. The result is shown. */
export function unfitResult(result: unknown, e: DecodeError): ApiError {
  return invalidPatch(goMapJson(result), e.message);
}

/** The same for a strategic patch: it is shown itself, and fails in words of its own. */
export function unfitPatch(patch: unknown, e: DecodeError): ApiError {
  return invalidPatch(goPrint(patch), restoring(e.message));
}

function invalidPatch(shown: string, why: string): ApiError {
  const { causes, message } = aggregate([field.invalid('patch', shown, why)]);
  return errors.invalid({ group: '', kind: '' }, '', causes, message);
}

const kinds: Readonly<Record<string, string>> = { array: 'slice', object: 'map', number: 'int64' };

/** A decoder's complaint as that of upstream's converter, which turns maps into objects without text in between. */
function restoring(cause: string): string {
  const found = /^json: cannot unmarshal (\w+)( [\d.e+-]+)? into Go struct field \S+ of type (.+)$/.exec(cause);
  if (!found) return cause;
  const [, word = '', number, type = ''] = found;
  const from = number?.includes('.') ? 'float64' : (kinds[word] ?? word);
  if (type.startsWith('[]')) return `cannot restore slice from ${from}`;
  if (type.startsWith('map[')) return `cannot restore map from ${from}`;
  if (type.includes('.')) return `cannot restore struct from: ${from}`;
  const convertible = word === 'number' && type !== 'bool';
  return convertible ? `cannot convert ${from} to ${type}` : `unrecognized type: ${type}`;
}
