/**
 * Stored values are an object's JSON without its resourceVersion, with kind, apiVersion and metadata first. What is served is the
 * same bytes with the resourceVersion put in as the first member of metadata: one copy per revision, no parsing.
 */
import type { Unstructured } from '../../api/object.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const marker = encoder.encode('"metadata":{');
const versionMember = encoder.encode('"resourceVersion":"');
/** The marker stands within this distance of the start in every value written by this server. */
const searchLimit = 512;

/** Cuts small pieces from larger ones, because the host's own bookkeeping makes each buffer dear. Any piece keeps its slab alive. */
class Slabs {
  /** Longer pieces stand alone. */
  readonly largest: number;
  readonly #size: number;
  #slab = new ArrayBuffer(0);
  #used = 0;

  constructor(size: number, largest: number) {
    this.#size = size;
    this.largest = largest;
  }
  take(size: number): Uint8Array {
    if (size > this.largest) return new Uint8Array(size);
    if (this.#used + size > this.#slab.byteLength) {
      this.#slab = new ArrayBuffer(this.#size);
      this.#used = 0;
    }
    this.#used += size;
    return new Uint8Array(this.#slab, this.#used - size, size);
  }
}
/** For answers, which are gone soon. */
const brief = new Slabs(64 << 10, 8 << 10);
/** For what is stored: small, because one value that stays keeps the room of those that went. */
const kept = new Slabs(8 << 10, 2 << 10);

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}
export function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** The JSON text of an object in storage order, without resourceVersion. */
function storedText(obj: Unstructured): string {
  const { kind, apiVersion, metadata, ...rest } = obj;
  const { resourceVersion: _version, selfLink: _link, ...meta } = metadata;
  return JSON.stringify({ kind, apiVersion, metadata: meta, ...rest });
}
export function encodeStored(obj: Unstructured): Uint8Array {
  const text = storedText(obj);
  if (text.length > kept.largest) return encoder.encode(text);
  // ASCII, as nearly all is: a byte for each code unit.
  const bytes = kept.take(text.length);
  return encoder.encodeInto(text, bytes).read === text.length ? bytes : encoder.encode(text);
}

/** Any bytes of this module, decoded. */
export function decodeObject(bytes: Uint8Array): Unstructured {
  return JSON.parse(decoder.decode(bytes)) as Unstructured;
}

function matches(bytes: Uint8Array, at: number, pattern: Uint8Array): boolean {
  for (let i = 0; i < pattern.length; i++) if (bytes[at + i] !== pattern[i]) return false;
  return true;
}

/** Offset of the first byte inside `"metadata":{`, or -1 when the value was not written by `encodeStored`. */
function metadataOffset(bytes: Uint8Array): number {
  const end = Math.min(bytes.length - marker.length, searchLimit);
  for (let i = 1; i <= end; i++) {
    if (bytes[i] === 0x22 && bytes[i + 1] === 0x6d && matches(bytes, i, marker)) return i + marker.length;
    // The first nested value other than metadata means that the order is foreign.
    if (bytes[i] === 0x7b || bytes[i] === 0x5b) return -1;
  }
  return -1;
}

/** Where the resourceVersion goes in a value of `encodeStored`; -1 for others, which are brought into its order first. */
export function versionOffset(value: Uint8Array): number {
  const at = metadataOffset(value);
  return at >= 0 && value[at] !== 0x7d && !matches(value, at, versionMember) ? at : -1;
}

function normalized(value: Uint8Array): { bytes: Uint8Array; at: number } {
  const bytes = encodeStored(decodeObject(value));
  return { bytes, at: metadataOffset(bytes) };
}

function digitsOf(revision: number): number {
  let digits = 1;
  for (let limit = 10; revision >= limit; limit *= 10) digits += 1;
  return digits;
}

/** `"resourceVersion":"` and `",` around the digits. */
const around = versionMember.length + 2;

/** Length of what `writeServed` writes. `offset` is the value's `versionOffset`. */
export function servedSize(value: Uint8Array, revision: number, offset = versionOffset(value)): number {
  const length = offset < 0 ? normalized(value).bytes.length : value.length;
  return length + around + digitsOf(revision);
}

/** Puts a stored value, with its resourceVersion, into a buffer that has the room; gives where it ends. */
export function writeServed(
  value: Uint8Array,
  revision: number,
  target: Uint8Array,
  start: number,
  offset = versionOffset(value),
): number {
  const { bytes, at } = offset < 0 ? normalized(value) : { bytes: value, at: offset };
  target.set(bytes, start);
  const tail = start + at;
  const shift = around + digitsOf(revision);
  target.copyWithin(tail + shift, tail, start + bytes.length);
  target.set(versionMember, tail);
  let digit = tail + shift - 2;
  target[digit] = 0x22;
  target[digit + 1] = 0x2c;
  for (let rest = revision, first = true; first || rest > 0; first = false) {
    const next = Math.floor(rest / 10);
    target[--digit] = 0x30 + (rest - next * 10);
    rest = next;
  }
  return start + bytes.length + shift;
}

/** Room for bytes that do not live long. */
export const slice = (size: number): Uint8Array => brief.take(size);

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
