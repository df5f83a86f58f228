/**
 * A small protobuf codec driven by a table of field numbers.
 *
 * Notation, one declaration per line: `Message field=number:type …`, `@Enum NAME0 NAME1 …` (numbered from 0).
 * Types: `s` string, `y` bytes, `b` bool, `i` signed varint (int32, int64), `u` unsigned varint, `d` double, `m` map of string to
 * string, `@Enum`, or a message; a trailing `*` means repeated. Values in code carry camelCase names.
 *
 * Decoding fills absent fields as proto3 does: '' / 0 / false / [] / {} / the first enum name; absent messages are undefined.
 * 64-bit integers become numbers: above 2^53 (nanosecond timestamps) the last bits are lost, which no caller minds.
 */

interface FieldRow {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly repeated: boolean;
}
interface MessageRow {
  readonly fields: readonly FieldRow[];
  readonly byNumber: ReadonlyMap<number, FieldRow>;
}
type Value = Record<string, unknown>;

export interface Codec {
  encode(message: string, value: object): Uint8Array;
  decode<T>(message: string, bytes: Uint8Array): T;
}

const wrappers = 'BoolValue value=1:b';
const utf8 = new TextDecoder();
const toUtf8 = new TextEncoder();
const camel = (name: string) => name.replace(/_([a-zA-Z])/g, (_, c: string) => c.toUpperCase());

function parseTable(table: string): { messages: Map<string, MessageRow>; enums: Map<string, readonly string[]> } {
  const messages = new Map<string, MessageRow>();
  const enums = new Map<string, readonly string[]>();
  for (const line of `${wrappers}\n${table}`.split('\n')) {
    const [name, ...rest] = line.trim().split(' ');
    if (!name) continue;
    if (name.startsWith('@')) enums.set(name, rest);
    else {
      const fields = rest.map(parseField);
      messages.set(name, { fields, byNumber: new Map(fields.map(f => [f.number, f])) });
    }
  }
  return { messages, enums };
}

function parseField(text: string): FieldRow {
  const match = /^(\w+)=(\d+):(.+?)(\*?)$/.exec(text);
  if (!match) throw new Error(`bad field declaration: ${text}`);
  const [, name = '', number = '', type = '', star] = match;
  return { name: camel(name), number: Number(number), type, repeated: star === '*' };
}

class Writer {
  private bytes = new Uint8Array(256);
  private length = 0;
  private room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const next = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    next.set(this.bytes.subarray(0, this.length));
    this.bytes = next;
  }
  varint(value: number): void {
    this.room(10);
    if (value >= 0 && value <= 0x7fffffff) {
      let v = value;
      while (v > 0x7f) {
        this.bytes[this.length++] = (v & 0x7f) | 0x80;
        v >>>= 7;
      }
      this.bytes[this.length++] = v;
      return;
    }
    let v = BigInt.asUintN(64, BigInt(Math.trunc(value)));
    while (v > 0x7fn) {
      this.bytes[this.length++] = Number(v & 0x7fn) | 0x80;
      v >>= 7n;
    }
    this.bytes[this.length++] = Number(v);
  }
  raw(chunk: Uint8Array): void {
    this.room(chunk.length);
    this.bytes.set(chunk, this.length);
    this.length += chunk.length;
  }
  delimited(number: number, chunk: Uint8Array): void {
    this.varint(number * 8 + 2);
    this.varint(chunk.length);
    this.raw(chunk);
  }
  double(value: number): void {
    const chunk = new Uint8Array(8);
    new DataView(chunk.buffer).setFloat64(0, value, true);
    this.raw(chunk);
  }
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

class Reader {
  at = 0;
  private readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  get done(): boolean {
    return this.at >= this.bytes.length;
  }
  private byte(): number {
    const b = this.bytes[this.at++];
    if (b === undefined) throw new Error('protobuf message is cut short');
    return b;
  }
  varint(signed: boolean): number {
    let result = 0;
    let shift = 0;
    const start = this.at;
    for (let b = this.byte(); ; b = this.byte()) {
      if (shift >= 28) return this.longVarint(start, signed);
      result |= (b & 0x7f) << shift;
      if (b < 0x80) return result;
      shift += 7;
    }
  }
  private longVarint(start: number, signed: boolean): number {
    this.at = start;
    let result = 0n;
    let shift = 0n;
    for (let b = this.byte(); ; b = this.byte()) {
      result |= BigInt(b & 0x7f) << shift;
      shift += 7n;
      if (b < 0x80 || shift >= 70n) break;
    }
    return Number(signed ? BigInt.asIntN(64, result) : BigInt.asUintN(64, result));
  }
  delimited(): Uint8Array {
    const length = this.varint(false);
    const end = this.at + length;
    if (end > this.bytes.length) throw new Error('protobuf message is cut short');
    const chunk = this.bytes.subarray(this.at, end);
    this.at = end;
    return chunk;
  }
  double(): number {
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8);
    this.at += 8;
    return view.getFloat64(0, true);
  }
  skip(wire: number): void {
    if (wire === 0) this.varint(false);
    else if (wire === 1) this.at += 8;
    else if (wire === 2) this.delimited();
    else if (wire === 5) this.at += 4;
    else throw new Error(`unknown protobuf wire type ${wire}`);
  }
}

/** Builds the codec of one table. Parsing is lazy: the first use pays. */
export function createCodec(table: string): Codec {
  let parsed: ReturnType<typeof parseTable> | undefined;
  const schema = () => (parsed ??= parseTable(table));
  const rowOf = (name: string): MessageRow => {
    const row = schema().messages.get(name);
    if (!row) throw new Error(`unknown message ${name}`);
    return row;
  };
  const enumOf = (name: string) => schema().enums.get(name) ?? [];

  function writeScalar(out: Writer, field: FieldRow, value: unknown, keepDefault: boolean): void {
    const { type, number } = field;
    if (type === 's') {
      if (value !== '' || keepDefault) out.delimited(number, toUtf8.encode(String(value)));
    } else if (type === 'y') {
      const chunk = value as Uint8Array;
      if (chunk.length > 0 || keepDefault) out.delimited(number, chunk);
    } else if (type === 'd') {
      out.varint(number * 8 + 1);
      out.double(Number(value));
    } else {
      const n = type.startsWith('@') ? enumOf(type).indexOf(String(value)) : Number(value);
      if (n < 0 && type.startsWith('@')) throw new Error(`${type} has no value ${String(value)}`);
      if (n === 0 && !keepDefault) return;
      out.varint(number * 8);
      out.varint(n);
    }
  }
  const isScalar = (type: string) => type.length === 1 || type.startsWith('@');

  function writeMap(out: Writer, number: number, value: Record<string, string>): void {
    for (const [k, v] of Object.entries(value)) {
      const entry = new Writer();
      entry.delimited(1, toUtf8.encode(k));
      entry.delimited(2, toUtf8.encode(v));
      out.delimited(number, entry.finish());
    }
  }
  function writeField(out: Writer, field: FieldRow, value: unknown): void {
    if (field.type === 'm') {
      writeMap(out, field.number, value as Record<string, string>);
      return;
    }
    const values = field.repeated ? (value as readonly unknown[]) : [value];
    for (const item of values) {
      if (isScalar(field.type)) writeScalar(out, field, item, field.repeated);
      else out.delimited(field.number, encode(field.type, item as object));
    }
  }
  function encode(message: string, value: object): Uint8Array {
    const out = new Writer();
    for (const field of rowOf(message).fields) {
      const item = (value as Value)[field.name];
      if (item !== undefined && item !== null) writeField(out, field, item);
    }
    return out.finish();
  }

  function empty(row: MessageRow): Value {
    const value: Value = {};
    for (const { name, type, repeated } of row.fields) {
      if (repeated) value[name] = [];
      else if (type === 'm') value[name] = {};
      else if (type === 's') value[name] = '';
      else if (type === 'b') value[name] = false;
      else if (type === 'y') value[name] = new Uint8Array(0);
      else if (type.startsWith('@')) value[name] = enumOf(type)[0];
      else if (type.length === 1) value[name] = 0;
    }
    return value;
  }
  function readScalar(input: Reader, type: string): unknown {
    if (type === 's') return utf8.decode(input.delimited());
    if (type === 'y') return input.delimited().slice();
    if (type === 'd') return input.double();
    if (type === 'b') return input.varint(false) !== 0;
    if (type.startsWith('@')) {
      const n = input.varint(false);
      return enumOf(type)[n] ?? String(n);
    }
    return input.varint(type === 'i');
  }
  function readEntry(chunk: Uint8Array, into: Record<string, string>): void {
    const input = new Reader(chunk);
    const pair = ['', ''];
    while (!input.done) {
      const tag = input.varint(false);
      if (tag >> 3 === 1 || tag >> 3 === 2) pair[(tag >> 3) - 1] = utf8.decode(input.delimited());
      else input.skip(tag & 7);
    }
    into[pair[0] ?? ''] = pair[1] ?? '';
  }
  function readField(input: Reader, field: FieldRow, wire: number, value: Value): void {
    const { name, type, repeated } = field;
    if (type === 'm') readEntry(input.delimited(), value[name] as Record<string, string>);
    else if (!isScalar(type)) {
      const item = decode<unknown>(type, input.delimited());
      if (repeated) (value[name] as unknown[]).push(item);
      else value[name] = item;
    } else if (!repeated) value[name] = readScalar(input, type);
    else if (wire === 2 && type !== 's' && type !== 'y') {
      const packed = new Reader(input.delimited());
      while (!packed.done) (value[name] as unknown[]).push(readScalar(packed, type));
    } else (value[name] as unknown[]).push(readScalar(input, type));
  }
  function decode<T>(message: string, bytes: Uint8Array): T {
    const row = rowOf(message);
    const value = empty(row);
    const input = new Reader(bytes);
    while (!input.done) {
      const tag = input.varint(false);
      const field = row.byNumber.get(tag >>> 3);
      if (field) readField(input, field, tag & 7, value);
      else input.skip(tag & 7);
    }
    return value as T;
  }
  return { encode, decode };
}
