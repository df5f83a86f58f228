/**
 * Kubernetes' protobuf: the bytes "k8s\0", then a runtime.Unknown with the kind and the object's message. Events of a watch are
 * bare WatchEvent messages, each after its length in four bytes, with an enveloped object inside.
 */
import { schemaOf } from '../../catalog/index.ts';
import { apiVersionOf, type ObjectSchema, parseApiVersion } from '../../schema.ts';
import { DecodeError } from '../decode-error.ts';
import { type Decoded, type DecodeOptions, decodeValue, unrecognized } from '../json.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessage } from './encode.ts';
import { Reader, Writer, wire } from './wire.ts';

const magic = new Uint8Array([0x6b, 0x38, 0x73, 0x00]);

export interface Envelope {
  apiVersion: string;
  kind: string;
  raw: Uint8Array;
  contentType: string;
}

export function isProtobuf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && magic.every((b, i) => bytes[i] === b);
}

export function wrapMessage(apiVersion: string, kind: string, message: Uint8Array): Uint8Array {
  const w = new Writer();
  writeString(w, 4, '');
  writeString(w, 3, '');
  w.bytes(message);
  w.delimit(2, w.size - message.length);
  const mark = w.size;
  writeString(w, 2, kind);
  writeString(w, 1, apiVersion);
  w.delimit(1, mark);
  w.bytes(magic);
  return w.finish();
}

function writeString(w: Writer, number: number, value: string): void {
  const mark = w.size;
  w.string(value);
  w.delimit(number, mark);
}

/** @throws DecodeError */
export function openEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length === 0) throw new DecodeError('empty data');
  if (!isProtobuf(bytes))
    throw new DecodeError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  if (bytes.length === 4) throw new DecodeError('empty body');
  const out: Envelope = { apiVersion: '', kind: '', raw: new Uint8Array(), contentType: '' };
  const r = new Reader(bytes, 4);
  while (!r.done) {
    const tag = r.tag();
    if (tag === 8 + wire.bytes) {
      const type = r.nested();
      while (!type.done) {
        const inner = type.tag();
        if (inner === 8 + wire.bytes) out.apiVersion = type.string();
        else if (inner === 16 + wire.bytes) out.kind = type.string();
        else type.skip(inner & 7);
      }
    } else if (tag === 16 + wire.bytes) out.raw = r.bytes();
    else if (tag === 32 + wire.bytes) out.contentType = r.string();
    else r.skip(tag & 7);
  }
  return out;
}

/** The enveloped bytes of an object or a list, which names its kind itself. */
export function encodeProtobuf(value: { kind?: string; apiVersion?: string }, schema: ObjectSchema): Uint8Array {
  return wrapMessage(value.apiVersion ?? '', value.kind ?? '', encodeMessage(value, schema));
}

/** A list from messages that were encoded before. `metadata` is ListMeta. */
export function encodeProtobufList(
  apiVersion: string,
  kind: string,
  metadata: object,
  items: readonly Uint8Array[],
): Uint8Array {
  const w = new Writer();
  for (let i = items.length - 1; i >= 0; i--) {
    const item = items[i] ?? new Uint8Array();
    w.bytes(item);
    w.delimit(2, w.size - item.length);
  }
  const meta = encodeMessage(metadata, schemaOf('meta.v1.ListMeta'));
  w.bytes(meta);
  w.delimit(1, w.size - meta.length);
  return wrapMessage(apiVersion, kind, w.finish());
}

/** Decodes an enveloped body of one kind. Protobuf drops unknown fields silently. @throws ApiError 400 */
export function decodeProtobuf(bytes: Uint8Array, options: DecodeOptions): Decoded {
  try {
    const { apiVersion, kind, raw, contentType } = openEnvelope(bytes);
    if (contentType && contentType !== 'application/vnd.kubernetes.protobuf')
      throw new DecodeError(`cannot decode an embedded ${contentType}`);
    const gv = apiVersion ? parseApiVersion(apiVersion) : options.kind;
    const value = {
      kind: kind || options.kind.kind,
      apiVersion: apiVersionOf(gv),
      ...decodeMessage(raw, options.schema),
    };
    return decodeValue(value, { ...options, mode: 'ignore' });
  } catch (e) {
    throw e instanceof DecodeError ? unrecognized(e.message, bytes, options.kind) : e;
  }
}

/** One frame of a watch. `object` is enveloped. */
export function protobufWatchFrame(type: string, object: Uint8Array): Uint8Array {
  const w = new Writer();
  w.bytes(object);
  w.delimit(1, w.size - object.length);
  w.delimit(2, 0);
  writeString(w, 1, type);
  const length = w.size;
  w.bytes(new Uint8Array([length >>> 24, length >>> 16, length >>> 8, length]));
  return w.finish();
}
