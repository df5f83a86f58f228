/** Protocol buffers for a handful of messages, driven by a table of field numbers. Integers are safe integers; defaults are left out. */

type Scalar = 'bytes' | 'string' | 'int' | 'bool';
export interface Field {
  readonly name: string;
  readonly number: number;
  /** A scalar or the name of a message. */
  readonly type: Scalar | (string & {});
  readonly repeated: boolean;
}
export type Message = Readonly<Record<string, unknown>>;
export type Schema = Readonly<Record<string, readonly Field[]>>;

/** Reads `name number type` triples, separated by commas; a `*` after the type means repeated. */
export function fields(spec: string): Field[] {
  return spec
    .split(',')
    .filter(part => part.trim() !== '')
    .map(part => {
      const [name = '', number = '', type = ''] = part.trim().split(' ');
      return { name, number: Number(number), type: type.replace('*', ''), repeated: type.endsWith('*') };
    });
}

const varint = 0;
const fixed64 = 1;
const delimited = 2;
const fixed32 = 5;
const utf8 = new TextEncoder();
const text = new TextDecoder();

class Output {
  #buffer = Buffer.allocUnsafe(256);
  #length = 0;

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
  int(value: number): void {
    this.#reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    if (value >= 0 && value < 0x80) this.#buffer[this.#length++] = value;
    else {
      while (rest >= 0x80n) {
        this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
        rest >>= 7n;
      }
      this.#buffer[this.#length++] = Number(rest);
    }
  }
  bytes(value: Uint8Array): void {
    this.int(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** Throws for a message or field that the schema does not know. */
export function encode(schema: Schema, name: string, message: Message): Buffer {
  const out = new Output();
  const known = fieldsOf(schema, name);
  for (const [key, value] of Object.entries(message)) {
    const field = known.find(f => f.name === key);
    if (!field) throw new Error(`${name} has no field ${key}`);
    const values = field.repeated ? (value as readonly unknown[]) : [value];
    for (const item of values) if (item !== undefined) encodeField(schema, out, field, item);
  }
  return out.finish();
}

function encodeField(schema: Schema, out: Output, field: Field, value: unknown): void {
  const isVarint = field.type === 'int' || field.type === 'bool';
  out.int((field.number << 3) | (isVarint ? varint : delimited));
  if (isVarint) out.int(Number(value));
  else if (field.type === 'bytes') out.bytes(value as Uint8Array);
  else if (field.type === 'string') out.bytes(utf8.encode(value as string));
  else out.bytes(encode(schema, field.type, value as Message));
}

function fieldsOf(schema: Schema, name: string): readonly Field[] {
  const known = schema[name];
  if (!known) throw new Error(`unknown message ${name}`);
  return known;
}

class Input {
  readonly #bytes: Uint8Array;
  at = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  get done(): boolean {
    return this.at >= this.#bytes.length;
  }
  int(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    let value = BigInt(first & 0x7f);
    for (let shift = 7n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return Number(BigInt.asIntN(64, value));
  }
  take(length: number): Uint8Array {
    const end = this.at + length;
    if (length < 0 || end > this.#bytes.length) throw new Error('truncated message');
    const part = this.#bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }
  #byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new Error('truncated message');
    return byte;
  }
}

/** Unknown fields are skipped. Throws for bytes that are no message. */
export function decode(schema: Schema, name: string, bytes: Uint8Array): Message {
  const known = fieldsOf(schema, name);
  const input = new Input(bytes);
  const message: Record<string, unknown> = {};
  while (!input.done) {
    const tag = input.int();
    const value = wireValue(input, tag & 7);
    const field = known.find(f => f.number === tag >>> 3);
    if (!field) continue;
    const decoded = decodeValue(schema, field, value);
    if (!field.repeated) message[field.name] = decoded;
    else if (message[field.name]) (message[field.name] as unknown[]).push(decoded);
    else message[field.name] = [decoded];
  }
  return message;
}

function wireValue(input: Input, type: number): number | Uint8Array {
  switch (type) {
    case varint:
      return input.int();
    case fixed64:
      return input.take(8);
    case delimited:
      return input.take(input.int());
    case fixed32:
      return input.take(4);
    default:
      throw new Error(`wire type ${type}`);
  }
}

function decodeValue(schema: Schema, field: Field, value: number | Uint8Array): unknown {
  if (typeof value === 'number') return field.type === 'bool' ? value !== 0 : value;
  if (field.type === 'bytes') return value;
  if (field.type === 'string') return text.decode(value);
  return decode(schema, field.type, value);
}
