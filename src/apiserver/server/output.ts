/** Objects to bytes, in the shape, version and format that was negotiated. Encodings are memoized on the cache's entries. */
import type { Unstructured } from '../../api/object.ts';
import { apiVersionOf } from '../../api/schema.ts';
import type { ApiResponse } from '../../api/transport.ts';
import type { FailureStatus } from '../../base/errors.ts';
import { utf8 } from '../storage/encoding.ts';
import type { Entry } from '../storage/kind-cache.ts';
import { envelope, protobufBytes, protobufMessage, yamlText } from './codec.ts';
import type { Negotiated } from './negotiation.ts';
import type { Served } from './scope.ts';

/** The stored object in the served version. A fresh value. */
export function servedObject(served: Served, entry: Entry): Unstructured {
  return toServed(served, entry.object());
}

/** A decoded object of the store in the served version. May change and give back its argument. */
export function toServed(served: Served, stored: Unstructured): Unstructured {
  const wanted = apiVersionOf(served.info);
  if (served.conversion) return served.conversion.fromStorage(stored) as Unstructured;
  if (served.read) return served.read(stored);
  if (stored.apiVersion !== wanted) stored.apiVersion = wanted;
  return stored;
}

/** True when the cached bytes are what a client of this version reads. */
function sameAsStored(served: Served, entry: Entry): boolean {
  return served.conversion === undefined && served.storedAs(entry);
}

export interface PartialObject {
  kind: 'PartialObjectMetadata';
  apiVersion: 'meta.k8s.io/v1';
  metadata: Unstructured['metadata'];
}
export function partialOf({ strategy }: Partial<Pick<Served, 'strategy'>>, { metadata }: Unstructured): PartialObject {
  const left = strategy?.conversionAnnotations;
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: left ? without(metadata, left) : metadata,
  };
}

function without(metadata: Unstructured['metadata'], names: readonly string[]): Unstructured['metadata'] {
  const { annotations = {}, ...rest } = metadata;
  const kept = Object.entries(annotations).filter(([name]) => !names.includes(name));
  return kept.length > 0 ? { ...rest, annotations: Object.fromEntries(kept) } : rest;
}

/** Bytes of one object for one media type. */
export interface EntryEncoder {
  /** Names the encoding, for memos: version, shape and format. */
  readonly name: string;
  encode(entry: Entry): Uint8Array;
  /** For lists: the length, and writing without a copy in between. Both or none. */
  size?(entry: Entry): number;
  write?(entry: Entry, target: Uint8Array, at: number): number;
  /** Protobuf only: without the envelope, for lists. */
  message?(entry: Entry): Uint8Array;
}

function memoized(name: string, make: (entry: Entry) => Uint8Array): EntryEncoder {
  return {
    name,
    encode(entry) {
      entry.variants ??= new Map();
      let bytes = entry.variants.get(name);
      if (!bytes) {
        bytes = make(entry);
        entry.variants.set(name, bytes);
      }
      return bytes;
    },
  };
}

/** An encoder for whole objects or their metadata (not tables). Compact JSON and protobuf are memoized. */
export function entryEncoder(served: Served, negotiated: Negotiated): EntryEncoder {
  const { format, shape, pretty } = negotiated;
  const partial = shape === 'partial' || shape === 'partial-list';
  const name = `${apiVersionOf(served.info)}|${partial ? 'partial' : 'object'}|${format}|${served.memo ?? ''}`;
  const value = (entry: Entry) => {
    const obj = servedObject(served, entry);
    return partial ? partialOf(served, obj) : obj;
  };
  if (format === 'json' && pretty)
    return { name: '', encode: entry => utf8(`${JSON.stringify(value(entry), undefined, 2)}\n`) };
  if (format === 'yaml') return { name: '', encode: entry => utf8(yamlText(value(entry))) };
  if (format === 'protobuf') {
    const schema = partial ? undefined : served.info.schema;
    const message = memoized(name, entry => protobufMessage(value(entry), schema));
    const apiVersion = partial ? 'meta.k8s.io/v1' : apiVersionOf(served.info);
    const kind = partial ? 'PartialObjectMetadata' : served.info.kind;
    return { name, message: message.encode, encode: entry => envelope(apiVersion, kind, message.encode(entry)) };
  }
  const compact = memoized(name, entry => utf8(JSON.stringify(value(entry))));
  if (partial) return compact;
  return {
    name,
    encode: entry => (sameAsStored(served, entry) ? entry.bytes : compact.encode(entry)),
    size: entry => (sameAsStored(served, entry) ? entry.size : compact.encode(entry).length),
    write(entry, target, at) {
      if (sameAsStored(served, entry)) return entry.writeTo(target, at);
      const bytes = compact.encode(entry);
      target.set(bytes, at);
      return at + bytes.length;
    },
  };
}

/** A whole value in a negotiated format. `schema` is needed for protobuf of kinds outside the catalog. */
function encodeValue(value: object, negotiated: Negotiated): Uint8Array {
  switch (negotiated.format) {
    case 'yaml':
      return utf8(yamlText(value));
    case 'protobuf':
      return protobufBytes(value);
    case 'json':
      return utf8(negotiated.pretty ? `${JSON.stringify(value, undefined, 2)}\n` : `${JSON.stringify(value)}\n`);
  }
}

export function respond(status: number, contentType: string, body: ApiResponse['body']): ApiResponse {
  const headers: Record<string, string> = { 'content-type': contentType };
  if (body instanceof Uint8Array) headers['content-length'] = String(body.length);
  return { status, headers, body };
}

export function respondValue(status: number, value: object, negotiated: Negotiated): ApiResponse {
  return respond(status, negotiated.contentType, encodeValue(value, negotiated));
}

export const plainJson: Negotiated = {
  format: 'json',
  shape: 'object',
  contentType: 'application/json',
  pretty: false,
};

/** The answer for an error, in the format the client reads. */
export function statusResponse(status: FailureStatus, negotiated: Negotiated): ApiResponse {
  const response = respondValue(status.code, status, negotiated);
  const retry = status.details?.retryAfterSeconds;
  if (retry && (status.code === 429 || status.code >= 500)) response.headers['retry-after'] = String(retry);
  return response;
}
