/**
 * The state of the cluster: etcd's key-value semantics. The properties below hold for every implementation and are checked by
 * `test/conformance/store`.
 *
 * - Revisions: one global counter, starting at 1 for an empty store; each transaction that changes anything adds exactly one.
 * - Serializability: transactions take effect one after another in revision order; reads without a revision are linearizable.
 * - Durability: a transaction's promise resolves, and watchers are told of it, only when it would survive SIGKILL and power loss
 *   (`memory` keeps it as long as the process lives).
 * - Watch: events come in revision order, each exactly once, all events of one revision in one batch, none skipped; a watch from
 *   revision r starts with the first change whose revision is ≥ r. A watch on `memory` or `embedded` has been handed every batch up to a
 *   transaction's revision before that transaction's promise resolves.
 * - Compaction: reads and watches below the compacted revision fail with `StoreError` code "compacted"; reads at a revision in the
 *   future with "future-revision".
 * - A lease deletes its keys, in one transaction, when it expires or is revoked.
 *
 * Keys are strings ordered by their UTF-8 bytes. Values are bytes and are never changed after being handed in or out.
 */
import type { Awaitable } from '../base/awaitable.ts';

export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** Revision of the last creation of the key. */
  readonly createRevision: number;
  /** Revision of the last change. */
  readonly modRevision: number;
  /** 1 after creation, +1 with each change. */
  readonly version: number;
  /** 0 for none. */
  readonly lease: number;
}

/** Keys in [start, end). `prefixRange` makes the usual one. */
export interface KeyRange {
  readonly start: string;
  /** Exclusive. Absent: the single key `start`. The empty string: no upper bound. */
  readonly end?: string;
}

export interface RangeOptions {
  /** At most so many key-values; 0 or absent for all. `count` still tells how many there are. */
  limit?: number;
  /** Read as of this revision; absent for the newest, linearizable. */
  revision?: number;
  keysOnly?: boolean;
  countOnly?: boolean;
}
export interface RangeResult {
  readonly kvs: readonly KeyValue[];
  /** Keys in the range, whatever the limit. */
  readonly count: number;
  readonly more: boolean;
  /** The store's revision when the read was made (not the one asked for). */
  readonly revision: number;
}

export type Compare =
  | {
      readonly key: string;
      readonly target: 'modRevision' | 'createRevision' | 'version' | 'lease';
      readonly op: '=' | '!=' | '<' | '>';
      readonly value: number;
    }
  | { readonly key: string; readonly target: 'value'; readonly op: '=' | '!=' | '<' | '>'; readonly value: Uint8Array };

export type Op =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array; readonly lease?: number }
  | { readonly type: 'delete'; readonly range: KeyRange; readonly prevKv?: boolean }
  | { readonly type: 'range'; readonly range: KeyRange; readonly options?: RangeOptions };

export type OpResult =
  | { readonly type: 'put' }
  | { readonly type: 'delete'; readonly deleted: number; readonly prevKvs: readonly KeyValue[] }
  | ({ readonly type: 'range' } & RangeResult);

export interface Txn {
  /** All must hold for `success` to run; a missing key compares as revision 0, version 0, lease 0, and fails any comparison of its value. */
  readonly compare: readonly Compare[];
  readonly success: readonly Op[];
  readonly failure?: readonly Op[];
}
export interface TxnResult {
  readonly succeeded: boolean;
  /** The store's revision after the transaction. */
  readonly revision: number;
  readonly results: readonly OpResult[];
}

export type WatchEvent =
  | { readonly type: 'put'; readonly kv: KeyValue; readonly prevKv?: KeyValue }
  /** `kv` carries the key and the revision of the deletion only. */
  | { readonly type: 'delete'; readonly kv: KeyValue; readonly prevKv?: KeyValue };

/** All changes of one revision in the watched range, or (no events) a progress notice: nothing up to `revision` is still to come. */
export interface WatchBatch {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}
export interface WatchOptions {
  /** First revision to report; absent for "from now on". */
  fromRevision?: number;
  prevKv?: boolean;
  /** Ask for progress notices every so often. */
  progress?: boolean;
}

export interface Watch extends AsyncIterable<WatchBatch> {
  /** Resolves when the watch is in place: changes after this point are reported. */
  readonly ready: Promise<void>;
  /** Asks for a progress notice as soon as possible. An etcd before 3.4.25 or 3.5.8 is not asked, because its answer could not be believed. */
  requestProgress(): void;
  /**
   * The next batch of the iteration if it is at hand already: who follows many writes need not wait a turn for each. Absent where every
   * batch is worked on first.
   */
  take?(): WatchBatch | undefined;
  /** Ends the iteration. Iteration throws `StoreError` "compacted" when the history asked for is gone. */
  cancel(): void;
}

export interface Lease {
  readonly id: number;
  /** Seconds. */
  readonly ttl: number;
}

export interface Store {
  get(key: string, options?: { revision?: number }): Promise<{ kv: KeyValue | undefined; revision: number }>;
  range(range: KeyRange, options?: RangeOptions): Promise<RangeResult>;
  txn(txn: Txn): Promise<TxnResult>;
  watch(range: KeyRange, options?: WatchOptions): Watch;
  /** Forgets history below `revision`; the newest value of each key stays. */
  compact(revision: number): Promise<void>;
  /** The newest revision. */
  revision(): Awaitable<number>;
  grantLease(ttlSeconds: number, id?: number): Promise<Lease>;
  keepAlive(id: number): Promise<Lease>;
  revokeLease(id: number): Promise<void>;
  timeToLive(id: number): Promise<{ ttl: number; grantedTtl: number; keys: readonly string[] }>;
  /** Resolves when the store can answer; rejects with "unavailable" otherwise. */
  health(): Promise<void>;
  close(): Promise<void>;
}

export type StoreErrorCode =
  | 'compacted'
  | 'future-revision'
  | 'lease-not-found'
  | 'lease-exists'
  | 'too-large'
  /** The disk refused (ENOSPC, EIO); the write did not happen. */
  | 'no-space'
  | 'io'
  /** No answer in time: the write may or may not have happened. */
  | 'unavailable'
  | 'corrupt'
  | 'locked'
  | 'closed'
  | 'invalid';

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  /** For "compacted": the oldest revision still readable. */
  readonly compactRevision: number | undefined;
  constructor(code: StoreErrorCode, message: string, compactRevision?: number) {
    super(message);
    this.name = 'StoreError';
    this.code = code;
    this.compactRevision = compactRevision;
  }
}

/** The range of all keys that start with `prefix`. */
export function prefixRange(prefix: string): KeyRange {
  const points = Array.from(prefix);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const next = (last.codePointAt(0) ?? 0) + 1;
    if (next > 0x10ffff) continue;
    return { start: prefix, end: points.join('') + String.fromCodePoint(next === 0xd800 ? 0xe000 : next) };
  }
  return { start: prefix, end: '' };
}
