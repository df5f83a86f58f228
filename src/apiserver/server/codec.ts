/** The codecs as handlers use them: one function per direction, whatever the format. */
import { decodeJson, decodeValue } from '../../api/codec/json.ts';
import { parseJson } from '../../api/codec/json-parse.ts';
import type { Unstructured } from '../../api/object.ts';
import { apiVersionOf, type GroupVersionKind, type ObjectSchema } from '../../api/schema.ts';
import { errors } from '../../base/errors.ts';
import type { Format } from './negotiation.ts';
import type { WriteParameters } from './options.ts';

const modes = { Strict: 'strict', Warn: 'warn', Ignore: 'ignore' } as const;

/** A body as an object of `kind`. Throws 400. */
export function decodeObjectBody(
  body: Uint8Array,
  format: Format,
  kind: GroupVersionKind,
  schema: ObjectSchema,
  validation: WriteParameters['fieldValidation'],
): { object: Unstructured; warnings: readonly string[] } {
  const options = { schema, mode: modes[validation], kind };
  if (format !== 'json') throw errors.unsupportedMediaType(format);
  const { value, warnings } = decodeJson(body, options);
  return { object: value as Unstructured, warnings };
}

/** The same for a value in memory (the result of a patch). */
export function decodeObjectValue(
  value: unknown,
  kind: GroupVersionKind,
  schema: ObjectSchema,
  validation: WriteParameters['fieldValidation'],
  problems: string[] = [],
): { object: Unstructured; warnings: readonly string[] } {
  const decoded = decodeValue(value, { schema, mode: modes[validation], kind }, problems);
  return { object: decoded.value as Unstructured, warnings: decoded.warnings };
}

/** Any JSON or YAML document. Throws 400. */
export function decodeDocument(body: Uint8Array, format: Format): unknown {
  if (format !== 'json') throw errors.unsupportedMediaType(format);
  try {
    return parseJson(body).value;
  } catch (e) {
    throw errors.badRequest(e instanceof Error ? e.message : String(e));
  }
}

export function protobufBytes(_value: object, _schema: ObjectSchema | undefined): Uint8Array {
  throw errors.notAcceptable('protobuf');
}
export function protobufList(
  _apiVersion: string,
  _kind: string,
  _metadata: object,
  _items: readonly Uint8Array[],
): Uint8Array {
  throw errors.notAcceptable('protobuf');
}
export function watchFrameProtobuf(_type: string, _object: Uint8Array): Uint8Array {
  throw errors.notAcceptable('protobuf');
}
export function yamlText(_value: object): string {
  throw errors.notAcceptable('yaml');
}

export function expectedKind(kind: GroupVersionKind): string {
  return `${apiVersionOf(kind)}, Kind=${kind.kind}`;
}
