/** The codecs as handlers use them: one function per direction, whatever the format. */
import { schemaOfKind } from '../../api/catalog/index.ts';
import { coerce } from '../../api/codec/coerce.ts';
import { DecodeError } from '../../api/codec/decode-error.ts';
import { type Decoded, decodeJson, decodeValue, fitValue, jsonPrefix } from '../../api/codec/json.ts';
import { parseJson } from '../../api/codec/json-parse.ts';
import { decodeMessage } from '../../api/codec/protobuf/decode.ts';
import { encodeMessage } from '../../api/codec/protobuf/encode.ts';
import {
  decodeProtobuf,
  encodeProtobuf,
  encodeProtobufList,
  openEnvelope,
  protobufWatchFrame,
  wrapMessage,
} from '../../api/codec/protobuf/envelope.ts';
import { decodeYaml, encodeYaml, parseFirstYaml } from '../../api/codec/yaml.ts';
import type { Unstructured } from '../../api/object.ts';
import { type GroupVersionKind, type ObjectSchema, parseApiVersion } from '../../api/schema.ts';
import { errors } from '../../base/errors.ts';
import type { Format } from './negotiation.ts';
import type { WriteParameters } from './options.ts';

const modes = { Strict: 'strict', Warn: 'warn', Ignore: 'ignore' } as const;
const decoders = { json: decodeJson, yaml: decodeYaml, protobuf: decodeProtobuf } as const;

export interface DecodedObject {
  readonly object: Unstructured;
  readonly warnings: readonly string[];
}
const asObject = ({ value, warnings }: Decoded): DecodedObject => ({ object: value as Unstructured, warnings });

/** A body as an object of `kind`. Throws 400. */
export function decodeObjectBody(
  body: Uint8Array,
  format: Format,
  kind: GroupVersionKind,
  schema: ObjectSchema,
  validation: WriteParameters['fieldValidation'],
): DecodedObject {
  return asObject(decoders[format](body, { schema, mode: modes[validation], kind, keepsReset: true }));
}

/** The same for a value in memory. */
export function decodeObjectValue(
  value: unknown,
  kind: GroupVersionKind,
  schema: ObjectSchema,
  validation: WriteParameters['fieldValidation'],
): DecodedObject {
  return asObject(decodeValue(value, { schema, mode: modes[validation], kind, keepsReset: true }));
}

/** The same for what a patch made; `problems` are the patch's own. Throws DecodeError. */
export function fitObject(
  value: unknown,
  schema: ObjectSchema,
  validation: WriteParameters['fieldValidation'],
  problems: readonly string[],
): DecodedObject {
  return asObject(fitValue(value, { schema, mode: modes[validation], keepsReset: true }, problems));
}

/** Where upstream registers options, as its errors say. */
const optionsScheme = 'pkg/apis/meta/internalversion/scheme/register.go:27';
const knownOptions = new Set(['CreateOptions', 'UpdateOptions']);

/** Options of a request, in whichever version they say they are. Throws 400, with the bare cause. */
export function decodeOptions(body: Uint8Array, format: Format, kind: GroupVersionKind, schema: ObjectSchema): object {
  try {
    const value = documentOf(body, format, schema) ?? {};
    const { kind: named = kind.kind, apiVersion } = value as { kind?: unknown; apiVersion?: unknown };
    if (typeof named === 'string' && knownOptions.has(named))
      throw new DecodeError(`decoded object cannot be converted to ${kind.kind}`);
    if (named !== '' && named !== kind.kind)
      throw new DecodeError(
        `no kind "${named}" is registered for version "${apiVersion}" in scheme "${optionsScheme}"`,
      );
    return coerce(value, schema, { unknown: undefined });
  } catch (e) {
    throw e instanceof DecodeError ? errors.badRequest(e.message) : e;
  }
}

function documentOf(body: Uint8Array, format: Format, schema: ObjectSchema): unknown {
  if (format === 'yaml') return parseFirstYaml(body, false)?.value;
  if (format === 'protobuf') {
    const { kind, apiVersion, raw } = openEnvelope(body);
    return { kind, apiVersion, ...decodeMessage(raw, schema) };
  }
  try {
    return parseJson(body, false).value;
  } catch (e) {
    throw e instanceof DecodeError ? new DecodeError(`${jsonPrefix}${e.message}`) : e;
  }
}

export interface Document {
  readonly value: unknown;
  /** Repeated members. */
  readonly problems: readonly string[];
}

/** Any JSON or YAML document. Throws 400, with `prefix` before the cause. */
export function decodeDocument(body: Uint8Array, format: 'json' | 'yaml', prefix: string): Document {
  try {
    if (format === 'json') {
      const { value, duplicates } = parseJson(body, true);
      return { value, problems: duplicates };
    }
    const first = parseFirstYaml(body, true);
    return { value: first?.value ?? null, problems: first?.duplicates ?? [] };
  } catch (e) {
    if (!(e instanceof DecodeError)) throw e;
    throw errors.badRequest(`${prefix}${e.message}`);
  }
}

/** An object's protobuf message, without the envelope: what lists are made of. */
export function protobufMessage(value: object, schema: ObjectSchema | undefined): Uint8Array {
  return encodeMessage(value, schema ?? schemaFor(value));
}

export const envelope = wrapMessage;
export const protobufList = encodeProtobufList;
export const watchFrameProtobuf = protobufWatchFrame;

/** A whole value of a kind of the catalog. Throws 406 for others. */
export function protobufBytes(value: object): Uint8Array {
  return encodeProtobuf(value, schemaFor(value));
}

function schemaFor(value: object): ObjectSchema {
  const { apiVersion = '', kind = '' } = value as { apiVersion?: string; kind?: string };
  const schema = schemaOfKind({ ...parseApiVersion(apiVersion), kind });
  if (!schema) throw errors.notAcceptable(`${kind} in ${apiVersion} has no protobuf form`);
  return schema;
}

export function yamlText(value: object): string {
  return encodeYaml(value);
}
