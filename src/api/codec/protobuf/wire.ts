/** Protobuf's wire format: a writer that fills its buffer from the end (lengths are known when they are needed) and a reader. */
import { DecodeError } from '../decode-error.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** The last writer's buffer, for the next one: most messages fit in it. */
let spare: Uint8Array<ArrayBuffer> | undefined;
const spareLimit = 1 << 20;

export class Writer {
  #buffer: Uint8Array<ArrayBuffer>;
  #at: number;
  constructor() {
    this.#buffer = spare ?? new Uint8Array(8192);
    this.#at = this.#buffer.length;
    spare = undefined;
  }

  /** Bytes written so far; also the mark to take before a nested message. */
  get size(): number {
    return this.#buffer.length - this.#at;
  }
  #reserve(n: number): number {
    if (this.#at < n) {
      const size = this.size;
      const grown = new Uint8Array(Math.max(this.#buffer.length * 2, size + n + 1024));
      grown.set(this.#buffer.subarray(this.#at), grown.length - size);
      this.#at = grown.length - size;
      this.#buffer = grown;
    }
    this.#at -= n;
    return this.#at;
  }
  bytes(value: Uint8Array): void {
    // Reserving may replace the buffer.
    const at = this.#reserve(value.length);
    this.#buffer.set(value, at);
  }
  string(value: string): void {
    const length = value.length;
    const at = this.#reserve(length);
    const buffer = this.#buffer;
    for (let i = 0; i < length; i++) {
      const c = value.charCodeAt(i);
      if (c > 0x7f) {
        this.#at += length;
        this.bytes(encoder.encode(value));
        return;
      }
      buffer[at + i] = c;
    }
  }
  /** A safe integer; negative ones take ten bytes, as protobuf's int32 and int64 do. */
  varint(value: number): void {
    if (value < 0) {
      this.#bigVarint(BigInt.asUintN(64, BigInt(value)));
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
    let at = this.#reserve(length);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#buffer[at++] = (rest % 128) | 0x80;
    this.#buffer[at] = rest;
  }
  #bigVarint(value: bigint): void {
    const out: number[] = [];
    let rest = value;
    for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
    out.push(Number(rest));
    const at = this.#reserve(out.length);
    this.#buffer.set(out, at);
  }
  double(value: number): void {
    const at = this.#reserve(8);
    new DataView(this.#buffer.buffer).setFloat64(at, value, true);
  }
  tag(field: number, type: number): void {
    this.varint(field * 8 + type);
  }
  /** Ends a length-delimited field whose content was written since `mark`. */
  delimit(field: number, mark: number): void {
    this.varint(this.size - mark);
    this.tag(field, wire.bytes);
  }
  /** The bytes; ends the writer's life. */
  finish(): Uint8Array {
    const bytes = this.#buffer.slice(this.#at);
    if (this.#buffer.length <= spareLimit) spare = this.#buffer;
    return bytes;
  }
}

/** Cheaper than a TextDecoder for short texts; undefined when a byte is not ASCII. */
function ascii(bytes: Uint8Array): string | undefined {
  let out = '';
  for (const b of bytes) {
    if (b > 0x7f) return undefined;
    out += String.fromCharCode(b);
  }
  return out;
}

export class Reader {
  readonly #buffer: Uint8Array;
  at: number;
  readonly end: number;
  constructor(buffer: Uint8Array, at = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.at = at;
    this.end = end;
  }
  get done(): boolean {
    return this.at >= this.end;
  }
  #byte(): number {
    if (this.at >= this.end) throw new DecodeError('unexpected EOF');
    return this.#buffer[this.at++] as number;
  }
  /** Signed 64 bits. @throws DecodeError when a double cannot hold it. */
  int(): number {
    let value = 0;
    for (let shift = 0; shift < 42; shift += 7) {
      const b = this.#byte();
      value += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return value;
    }
    return this.#longInt(value);
  }
  #longInt(low: number): number {
    let value = BigInt(low);
    for (let shift = 42n; shift < 70n; shift += 7n) {
      const b = this.#byte();
      value += BigInt(b & 0x7f) << shift;
      if (b < 0x80) {
        const signed = BigInt.asIntN(64, value);
        const number = Number(signed);
        if (!Number.isSafeInteger(number))
          throw new DecodeError(`integer ${signed} is beyond 2^53, which is not supported`);
        return number;
      }
    }
    throw new DecodeError('proto: integer overflow');
  }
  /** A field's tag: number and wire type. */
  tag(): number {
    const tag = this.int();
    if (tag < 8) throw new DecodeError(`proto: illegal tag ${tag >> 3} (wire type ${tag & 7})`);
    return tag;
  }
  double(): number {
    if (this.end - this.at < 8) throw new DecodeError('unexpected EOF');
    const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset);
    const value = view.getFloat64(this.at, true);
    this.at += 8;
    return value;
  }
  #length(): number {
    const length = this.int();
    if (length < 0) throw new DecodeError('proto: negative length found during unmarshaling');
    if (length > this.end - this.at) throw new DecodeError('unexpected EOF');
    return length;
  }
  bytes(): Uint8Array {
    const length = this.#length();
    const value = this.#buffer.subarray(this.at, this.at + length);
    this.at += length;
    return value;
  }
  string(): string {
    const bytes = this.bytes();
    const short = bytes.length <= 32 ? ascii(bytes) : undefined;
    if (short !== undefined) return short;
    try {
      return decoder.decode(bytes);
    } catch {
      throw new DecodeError('proto: string field contains invalid UTF-8');
    }
  }
  nested(): Reader {
    const length = this.#length();
    const reader = new Reader(this.#buffer, this.at, this.at + length);
    this.at += length;
    return reader;
  }
  /** A reader at this place. */
  here(): Reader {
    return new Reader(this.#buffer, this.at, this.end);
  }
  skip(type: number): void {
    if (type === wire.varint) {
      let b = this.#byte();
      for (let i = 1; b >= 0x80; i++) {
        if (i >= 10) throw new DecodeError('proto: integer overflow');
        b = this.#byte();
      }
    } else if (type === wire.bytes) this.bytes();
    else if (type === wire.fixed64) this.#advance(8);
    else if (type === wire.fixed32) this.#advance(4);
    else throw new DecodeError(`proto: illegal wireType ${type}`);
  }
  #advance(n: number): void {
    if (this.end - this.at < n) throw new DecodeError('unexpected EOF');
    this.at += n;
  }
}
