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

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}
export function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** The JSON text of an object in storage order, without resourceVersion. */
export function storedText(obj: Unstructured): string {
  const { kind, apiVersion, metadata, ...rest } = obj;
  const { resourceVersion: _version, selfLink: _link, ...meta } = metadata;
  return JSON.stringify({ kind, apiVersion, metadata: meta, ...rest });
}
export function encodeStored(obj: Unstructured): Uint8Array {
  return encoder.encode(storedText(obj));
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

function splice(bytes: Uint8Array, start: number, end: number, middle: Uint8Array): Uint8Array {
  const out = new Uint8Array(start + middle.length + bytes.length - end);
  out.set(bytes.subarray(0, start), 0);
  out.set(middle, start);
  out.set(bytes.subarray(end), start + middle.length);
  return out;
}

/** Bytes to serve for a stored value at a revision. */
export function withRevision(value: Uint8Array, revision: number): Uint8Array {
  const at = metadataOffset(value);
  if (at < 0 || value[at] === 0x7d || matches(value, at, versionMember)) {
    const obj = decodeObject(value);
    const { kind, apiVersion, metadata, ...rest } = obj;
    const { resourceVersion: _old, ...meta } = metadata ?? {};
    return encoder.encode(
      JSON.stringify({ kind, apiVersion, metadata: { resourceVersion: String(revision), ...meta }, ...rest }),
    );
  }
  return splice(value, at, at, encoder.encode(`"resourceVersion":"${revision}",`));
}

/** Served bytes with another revision (a deletion's, for the DELETED event). */
export function replaceRevision(served: Uint8Array, revision: number): Uint8Array {
  const at = metadataOffset(served);
  const start = at + versionMember.length;
  let end = start;
  while (served[end] !== 0x22) end++;
  return splice(served, start, end, encoder.encode(String(revision)));
}

/** The inverse of `withRevision`: what is (or would be) in the store. */
export function withoutRevision(served: Uint8Array): Uint8Array {
  const at = metadataOffset(served);
  let end = at + versionMember.length;
  while (served[end] !== 0x22) end++;
  return splice(served, at, end + 2, new Uint8Array(0));
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
