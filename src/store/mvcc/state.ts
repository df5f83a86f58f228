import { PersistentMap } from '../../base/persistent-map.ts';
import {
  type Compare,
  type KeyRange,
  type KeyValue,
  type Op,
  type OpResult,
  type RangeOptions,
  type RangeResult,
  StoreError,
  type Txn,
  type WatchEvent,
} from '../contract.ts';

/** A lease as the state keeps it. `deadline` is on the clock's monotonic scale, in milliseconds. */
export interface LeaseRecord {
  readonly id: number;
  readonly ttl: number;
  readonly deadline: number;
}

/** Everything a store knows at one revision. Immutable: a copy is a pointer. */
export interface State {
  readonly revision: number;
  readonly keys: PersistentMap<KeyValue>;
  readonly leases: PersistentMap<LeaseRecord>;
  /** `leaseKey(id)` + key, for each key that has a lease. */
  readonly leaseKeys: PersistentMap<string>;
}

export const emptyState: State = {
  revision: 1,
  keys: PersistentMap.empty(),
  leases: PersistentMap.empty(),
  leaseKeys: PersistentMap.empty(),
};

/** All the changes of one revision, with previous values. */
export interface Commit {
  readonly state: State;
  readonly events: readonly WatchEvent[];
}

export interface Outcome {
  readonly state: State;
  readonly succeeded: boolean;
  readonly results: readonly OpResult[];
  /** Empty when nothing changed; `state` is then the one given. */
  readonly events: readonly WatchEvent[];
}

/** Answers a range at an old revision, or throws "compacted" or "future-revision". */
export type StateAt = (revision: number) => State;

const noBytes = new Uint8Array(0);

export const leaseKey = (id: number): string => `${String(id).padStart(20, '0')}\0`;

/** Keys and values of `range` in `state`. */
export function readRange(state: State, range: KeyRange, options: RangeOptions, revision: number): RangeResult {
  const limit = options.limit && options.limit > 0 ? options.limit : Number.POSITIVE_INFINITY;
  if (range.end === undefined) {
    const kv = state.keys.get(range.start);
    const kvs = kv && !options.countOnly ? [options.keysOnly ? withoutValue(kv) : kv] : [];
    return { kvs, count: kv ? 1 : 0, more: false, revision };
  }
  const end = range.end === '' ? undefined : range.end;
  const count = state.keys.count(range.start, end);
  if (options.countOnly) return { kvs: [], count, more: false, revision };
  const kvs = state.keys.values(range.start, end, limit);
  return { kvs: options.keysOnly ? kvs.map(withoutValue) : kvs, count, more: kvs.length < count, revision };
}

const withoutValue = (kv: KeyValue): KeyValue => ({ ...kv, value: noBytes });

export const deletion = (key: string, modRevision: number): KeyValue => ({
  key,
  value: noBytes,
  createRevision: 0,
  modRevision,
  version: 0,
  lease: 0,
});

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function holds(state: State, compare: Compare): boolean {
  const kv = state.keys.get(compare.key);
  let difference: number;
  if (compare.target === 'value') {
    // As etcd: a missing key has no value, not even an empty one.
    if (!kv) return false;
    difference = compareBytes(kv.value, compare.value);
  } else {
    difference = (kv ? kv[compare.target] : 0) - compare.value;
  }
  switch (compare.op) {
    case '=':
      return difference === 0;
    case '!=':
      return difference !== 0;
    case '<':
      return difference < 0;
    case '>':
      return difference > 0;
  }
}

/** The working copy of a transaction. */
interface Draft {
  revision: number;
  keys: PersistentMap<KeyValue>;
  leaseKeys: PersistentMap<string>;
  events: WatchEvent[];
}

function put(draft: Draft, state: State, op: Op & { type: 'put' }): OpResult {
  const lease = op.lease ?? 0;
  if (lease !== 0 && !state.leases.has(leaseKey(lease))) {
    throw new StoreError('lease-not-found', 'requested lease not found');
  }
  const prevKv = draft.keys.get(op.key);
  const kv: KeyValue = {
    key: op.key,
    value: op.value,
    createRevision: prevKv ? prevKv.createRevision : draft.revision,
    modRevision: draft.revision,
    version: prevKv ? prevKv.version + 1 : 1,
    lease,
  };
  draft.keys = draft.keys.set(op.key, kv);
  if (prevKv && prevKv.lease !== 0 && prevKv.lease !== lease) {
    draft.leaseKeys = draft.leaseKeys.delete(leaseKey(prevKv.lease) + op.key);
  }
  if (lease !== 0) draft.leaseKeys = draft.leaseKeys.set(leaseKey(lease) + op.key, op.key);
  draft.events.push(prevKv ? { type: 'put', kv, prevKv } : { type: 'put', kv });
  return { type: 'put' };
}

function removeKey(draft: Draft, prevKv: KeyValue): void {
  draft.keys = draft.keys.delete(prevKv.key);
  if (prevKv.lease !== 0) draft.leaseKeys = draft.leaseKeys.delete(leaseKey(prevKv.lease) + prevKv.key);
  draft.events.push({ type: 'delete', kv: deletion(prevKv.key, draft.revision), prevKv });
}

function remove(draft: Draft, op: Op & { type: 'delete' }): OpResult {
  const { start, end } = op.range;
  const found =
    end === undefined
      ? [draft.keys.get(start)].filter(kv => kv !== undefined)
      : draft.keys.values(start, end === '' ? undefined : end);
  for (const kv of found) removeKey(draft, kv);
  return { type: 'delete', deleted: found.length, prevKvs: op.prevKv ? found : [] };
}

function runOp(draft: Draft, state: State, op: Op, stateAt: StateAt): OpResult {
  if (op.type === 'put') return put(draft, state, op);
  if (op.type === 'delete') return remove(draft, op);
  const revision = draft.events.length > 0 ? draft.revision : state.revision;
  const asked = op.options?.revision ?? 0;
  const seen = asked > 0 && asked !== revision ? stateAt(asked) : { ...state, ...draft, revision };
  return { type: 'range', ...readRange(seen, op.range, op.options ?? {}, revision) };
}

/** Runs a checked transaction. Throws "lease-not-found", "compacted" or "future-revision", and then nothing has changed. */
export function applyTxn(state: State, txn: Txn, stateAt: StateAt): Outcome {
  const succeeded = txn.compare.every(compare => holds(state, compare));
  const ops = succeeded ? txn.success : (txn.failure ?? []);
  const draft: Draft = { revision: state.revision + 1, keys: state.keys, leaseKeys: state.leaseKeys, events: [] };
  const results = ops.map(op => runOp(draft, state, op, stateAt));
  if (draft.events.length === 0) return { state, succeeded, results, events: [] };
  const { revision, keys, leaseKeys, events } = draft;
  return { state: { revision, keys, leases: state.leases, leaseKeys }, succeeded, results, events };
}

/** The state without a lease and its keys. Throws "lease-not-found". */
export function dropLease(state: State, id: number): Commit {
  const name = leaseKey(id);
  if (!state.leases.has(name)) throw new StoreError('lease-not-found', 'requested lease not found');
  const draft: Draft = { revision: state.revision + 1, keys: state.keys, leaseKeys: state.leaseKeys, events: [] };
  for (const key of keysOfLease(state, id)) {
    const kv = draft.keys.get(key);
    if (kv) removeKey(draft, kv);
  }
  const revision = draft.events.length > 0 ? draft.revision : state.revision;
  const { keys, leaseKeys, events } = draft;
  return { state: { revision, keys, leases: state.leases.delete(name), leaseKeys }, events };
}

export function keysOfLease(state: State, id: number): string[] {
  const name = leaseKey(id);
  return state.leaseKeys.values(name, `${name.slice(0, -1)}\u0001`);
}

export function withLease(state: State, lease: LeaseRecord): State {
  return { ...state, leases: state.leases.set(leaseKey(lease.id), lease) };
}
