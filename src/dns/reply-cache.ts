/**
 * Encoded replies by the bytes of their question. Most of a cluster's questions are the same few; decoding and encoding each costs ten times
 * what sending costs. The key holds everything but the id, so that options and the case of letters come back as they were sent.
 */
import type { AddressBlock } from './compact.ts';
import type { AnswerLabels } from './meter.ts';

export interface CachedReply {
  readonly bytes: Buffer;
  /** Each client gets these in another order. */
  readonly addresses?: AddressBlock;
  readonly labels: AnswerLabels;
  /** Of the zone when the reply was made. */
  readonly version: number;
}

export interface ReplyCache {
  /** A copy with the id of this query, when the zone is still what it was. */
  get(query: Buffer): CachedReply | undefined;
  put(query: Buffer, reply: CachedReply): void;
}

const maxEntries = 4096;
/** Longer questions are rare and not worth their memory. */
const maxQueryBytes = 512;

export function createReplyCache(zone: { readonly version: number }): ReplyCache {
  const entries = new Map<string, CachedReply>();
  let version = -1;
  let turn = 0;
  const keyOf = (query: Buffer) => query.toString('latin1', 2);
  return {
    get(query) {
      if (zone.version !== version || query.length > maxQueryBytes) return undefined;
      const entry = entries.get(keyOf(query));
      if (!entry) return undefined;
      const bytes = Buffer.allocUnsafe(entry.bytes.length);
      entry.bytes.copy(bytes, 2, 2);
      if (entry.addresses) rotate(entry.bytes, bytes, entry.addresses, turn++);
      bytes[0] = query[0] ?? 0;
      bytes[1] = query[1] ?? 0;
      return { ...entry, bytes };
    },
    put(query, reply) {
      if (reply.version !== zone.version || query.length > maxQueryBytes) return;
      if (zone.version !== version || entries.size >= maxEntries) entries.clear();
      version = zone.version;
      entries.set(keyOf(query), reply);
    },
  };
}

function rotate(from: Buffer, to: Buffer, { start, size, count }: AddressBlock, turn: number): void {
  const middle = start + (turn % count) * size;
  const end = start + count * size;
  from.copy(to, start, middle, end);
  from.copy(to, start + end - middle, start, middle);
}
