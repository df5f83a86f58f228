import type { ObjectSchema } from '../../schema.ts';
import { toBase64 } from '../base64.ts';
import { setOwn } from '../coerce.ts';
import { DecodeError } from '../decode-error.ts';
import { parseJson } from '../json-parse.ts';
import { type Codec, type Message, messageOf } from './message.ts';
import { Reader, wire } from './wire.ts';

type Json = Record<string, unknown>;

/** Deeper than any schema of a custom resource needs, and far from the end of the stack. */
const maxNesting = 500;

/** The JSON value of a message; not yet coerced (zero values are still there). @throws DecodeError */
export function decodeMessage(bytes: Uint8Array, schema: ObjectSchema): Json {
  const out: Json = {};
  readMessage(new Reader(bytes), messageOf(schema), out, 0);
  return out;
}

function readMessage(r: Reader, message: Message, out: Json, depth: number): Json {
  if (depth > maxNesting) throw new DecodeError('proto: nesting is too deep');
  while (!r.done) {
    const tag = r.tag();
    const type = tag % 8;
    const field = message.byNumber.get((tag - type) / 8);
    if (!field) r.skip(type);
    else if (field.inline) {
      expect(type, wire.bytes);
      readMessage(r.nested(), field.inline, out, depth + 1);
    } else readInto(r, type, field.name, field.codec, out, depth);
  }
  for (const { name, isList } of message.collections) out[name] ??= isList ? [] : {};
  return out;
}

function expect(type: number, wanted: number): void {
  if (type !== wanted) throw new DecodeError(`proto: wrong wireType = ${type}`);
}

function readInto(r: Reader, type: number, name: string, codec: Codec, out: Json, depth: number): void {
  if (codec.kind === 'list') {
    const list = (out[name] ??= []) as unknown[];
    const packed = type === wire.bytes && codec.items.kind === 'scalar' && isVarint(codec.items.type);
    if (!packed) list.push(readValue(r, type, codec.items, depth));
    else for (const inner = r.nested(); !inner.done; ) list.push(readValue(inner, wire.varint, codec.items, depth));
  } else if (codec.kind === 'map') {
    expect(type, wire.bytes);
    readEntry(r.nested(), (out[name] ??= {}) as Json, codec.values, depth);
  } else {
    const value = readValue(r, type, codec, depth);
    if (value !== undefined) out[name] = value;
  }
}

const isVarint = (type: string) => type === 'int32' || type === 'int64' || type === 'bool';

function readEntry(r: Reader, map: Json, values: Codec, depth: number): void {
  let key = '';
  let value: unknown;
  while (!r.done) {
    const tag = r.tag();
    if (tag >> 3 === 1) key = r.string();
    else if (tag >> 3 === 2) value = readValue(r, tag & 7, values, depth + 1);
    else r.skip(tag & 7);
  }
  setOwn(map, key, value === undefined ? null : value);
}

function readValue(r: Reader, type: number, codec: Codec, depth: number): unknown {
  if (codec.kind === 'message') {
    expect(type, wire.bytes);
    return readMessage(r.nested(), messageOf(codec.schema), {}, depth + 1);
  }
  if (codec.kind === 'wrapped') {
    expect(type, wire.bytes);
    return readWrapped(r.nested(), codec.items, depth);
  }
  if (codec.kind !== 'scalar') throw new DecodeError('proto: lists of lists have no form');
  switch (codec.type) {
    case 'bool':
      expect(type, wire.varint);
      return r.int() !== 0;
    case 'int32':
    case 'int64':
      expect(type, wire.varint);
      return r.int();
    case 'double':
      expect(type, wire.fixed64);
      return r.double();
    default:
      expect(type, wire.bytes);
      return readDelimited(r, codec, depth);
  }
}

function readWrapped(r: Reader, items: Codec, depth: number): unknown[] {
  const out: unknown[] = [];
  while (!r.done) {
    const tag = r.tag();
    if (tag >> 3 === 1) out.push(readValue(r, tag & 7, items, depth));
    else r.skip(tag & 7);
  }
  return out;
}

function readDelimited(r: Reader, codec: Codec & { kind: 'scalar' }, depth: number): unknown {
  switch (codec.type) {
    case 'string':
      return r.string();
    case 'bytes':
      return toBase64(r.bytes());
    case 'quantity':
      return fieldsOf(r.nested()).get(1)?.string() ?? '0';
    case 'intOrString': {
      const fields = fieldsOf(r.nested());
      return fields.get(1)?.int() === 1 ? (fields.get(3)?.string() ?? '') : (fields.get(2)?.int() ?? 0);
    }
    case 'time':
    case 'microTime':
      return readTime(r.nested(), codec.type === 'microTime');
    default:
      return codec.union ? readUnion(r.nested(), codec.union, depth) : readJson(r.nested());
  }
}

/** A reader at the value of each field; the last one wins. */
function fieldsOf(r: Reader): Map<number, Reader> {
  const out = new Map<number, Reader>();
  while (!r.done) {
    const tag = r.tag();
    out.set(tag >> 3, r.here());
    r.skip(tag & 7);
  }
  return out;
}

/** An empty message is Go's zero time. */
function readTime(r: Reader, micro: boolean): string | undefined {
  if (r.done) return undefined;
  const fields = fieldsOf(r);
  const seconds = fields.get(1)?.int() ?? 0;
  const nanos = micro ? (fields.get(2)?.int() ?? 0) : 0;
  if (Math.abs(seconds) > 8.64e12) throw new DecodeError(`time ${seconds} is out of range`);
  const text = new Date(seconds * 1000).toISOString().slice(0, -5);
  return micro ? `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${text}Z`;
}

function readJson(r: Reader): unknown {
  const bytes = fieldsOf(r).get(1)?.bytes();
  return bytes === undefined || bytes.length === 0 ? undefined : parseJson(bytes).value;
}

function readUnion(
  r: Reader,
  union: { or: 'array' | 'bool' | 'strings'; schema: ObjectSchema },
  depth: number,
): unknown {
  const list: unknown[] = [];
  let allows = false;
  let schema: Json | undefined;
  const schemaNumber = union.or === 'bool' ? 2 : 1;
  while (!r.done) {
    const tag = r.tag();
    const number = tag >> 3;
    if (number === schemaNumber) schema = readMessage(r.nested(), messageOf(union.schema), {}, depth + 1);
    else if (number === 1) allows = r.int() !== 0;
    else if (number === 2 && union.or === 'strings') list.push(r.string());
    else if (number === 2) list.push(readMessage(r.nested(), messageOf(union.schema), {}, depth + 1));
    else r.skip(tag & 7);
  }
  return schema ?? (union.or === 'bool' ? allows : list);
}
