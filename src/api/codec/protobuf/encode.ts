import type { ObjectSchema } from '../../schema.ts';
import { fromBase64 } from '../base64.ts';
import { type Codec, type Message, messageOf } from './message.ts';
import { Writer, wire } from './wire.ts';

type Json = Record<string, unknown>;

/** The message of a JSON value, without envelope. Kind and apiVersion of an object are not part of it. */
export function encodeMessage(value: object, schema: ObjectSchema): Uint8Array {
  const writer = new Writer();
  writeMessage(writer, value as Json, messageOf(schema));
  return writer.finish();
}

function writeMessage(w: Writer, value: Json, message: Message): void {
  for (const field of message.descending) {
    if (field.inline) {
      const mark = w.size;
      writeMessage(w, value, field.inline);
      if (w.size > mark) w.delimit(field.number, mark);
      continue;
    }
    const inner = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
    if (inner !== undefined && inner !== null) writeField(w, field.number, inner, field.codec);
  }
}

function writeField(w: Writer, number: number, value: unknown, codec: Codec): void {
  if (codec.kind === 'list') {
    const list = value as unknown[];
    for (let i = list.length - 1; i >= 0; i--) writeField(w, number, list[i] ?? {}, codec.items);
  } else if (codec.kind === 'map') writeMap(w, number, value as Json, codec.values);
  else if (codec.kind === 'message') {
    const mark = w.size;
    writeMessage(w, value as Json, messageOf(codec.schema));
    w.delimit(number, mark);
  } else if (codec.kind === 'wrapped') {
    const mark = w.size;
    writeField(w, 1, value, { kind: 'list', items: codec.items });
    w.delimit(number, mark);
  } else writeScalar(w, number, value, codec);
}

/** Sorted by key, so that equal values have equal bytes. */
function writeMap(w: Writer, number: number, value: Json, values: Codec): void {
  for (const key of Object.keys(value).sort().reverse()) {
    const mark = w.size;
    const inner = value[key];
    // Go writes the value always; an empty one stands for the zero time.
    if (inner === undefined || inner === null) w.delimit(2, mark);
    else writeField(w, 2, inner, values);
    const keyMark = w.size;
    w.string(key);
    w.delimit(1, keyMark);
    w.delimit(number, mark);
  }
}

function writeScalar(w: Writer, number: number, value: unknown, codec: Codec & { kind: 'scalar' }): void {
  const { type } = codec;
  if (type === 'bool' || type === 'int32' || type === 'int64') {
    w.varint(Number(value));
    w.tag(number, wire.varint);
  } else if (type === 'double') {
    w.double(Number(value));
    w.tag(number, wire.fixed64);
  } else {
    const mark = w.size;
    writeDelimited(w, value, codec);
    w.delimit(number, mark);
  }
}

const string: Codec = { kind: 'scalar', type: 'string' };

function writeDelimited(w: Writer, value: unknown, codec: Codec & { kind: 'scalar' }): void {
  const { type } = codec;
  if (type === 'string') w.string(String(value));
  else if (type === 'bytes') w.bytes(fromBase64(String(value)));
  else if (type === 'quantity') writeField(w, 1, String(value), string);
  else if (type === 'intOrString') writeIntOrString(w, value);
  else if (type === 'time' || type === 'microTime') writeTime(w, String(value));
  else if (codec.union) writeUnion(w, value, codec.union);
  else writeField(w, 1, JSON.stringify(value), string);
}

function writeIntOrString(w: Writer, value: unknown): void {
  const isString = typeof value === 'string';
  writeField(w, 3, isString ? value : '', string);
  writeField(w, 2, isString ? 0 : value, { kind: 'scalar', type: 'int32' });
  writeField(w, 1, isString ? 1 : 0, { kind: 'scalar', type: 'int64' });
}

function writeTime(w: Writer, text: string): void {
  const ms = Date.parse(text);
  // An empty message is Go's zero time.
  if (Number.isNaN(ms)) return;
  const seconds = Math.floor(ms / 1000);
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? '';
  writeField(w, 2, Number(fraction.padEnd(9, '0')), { kind: 'scalar', type: 'int32' });
  writeField(w, 1, seconds, { kind: 'scalar', type: 'int64' });
}

function writeUnion(
  w: Writer,
  value: unknown,
  union: { or: 'array' | 'bool' | 'strings'; schema: ObjectSchema },
): void {
  const message: Codec = { kind: 'message', schema: union.schema };
  const isSchema = typeof value === 'object' && !Array.isArray(value);
  if (isSchema) writeField(w, union.or === 'bool' ? 2 : 1, value, message);
  else if (union.or === 'array') writeField(w, 2, value, { kind: 'list', items: message });
  else if (union.or === 'strings') writeField(w, 2, value, { kind: 'list', items: string });
  if (union.or === 'bool') writeField(w, 1, isSchema || value === true, { kind: 'scalar', type: 'bool' });
}
