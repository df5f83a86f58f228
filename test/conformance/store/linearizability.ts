import { PersistentMap } from '../../../src/base/persistent-map.ts';
import { type Compare, prefixRange, type Store, StoreError, type WatchBatch } from '../../../src/store/contract.ts';
import { bytes, putOp, rangeOf, text } from './helpers.ts';

/**
 * A linearizability check that uses what the store says of itself: every answer carries the revision at which it claims to have taken
 * effect. The history (all changes, as a watch from the start reports them) is the model; an operation fits when its answer is what the
 * model says at its revision, and when the order of revisions agrees with real time: whatever had been answered before an operation
 * began is not newer than it. With a revision for every operation no search is needed, so histories of any length can be checked.
 */

export type Recorded = {
  /** Positions on one counter of the recording process. */
  readonly began: number;
  readonly ended: number;
  readonly key: string;
  readonly revision: number;
} & (
  | { readonly type: 'put'; readonly value: string }
  | { readonly type: 'delete'; readonly deleted: number }
  /** A compare-and-swap on the mod revision; `value` is what it wrote if it succeeded. */
  | { readonly type: 'swap'; readonly expected: number; readonly succeeded: boolean; readonly value: string }
  /** `modRevision` 0: not there. */
  | { readonly type: 'get'; readonly value: string; readonly modRevision: number }
);

/** One change of the history; `value` undefined for a deletion. */
export interface Change {
  readonly revision: number;
  readonly key: string;
  readonly value: string | undefined;
}

export function changesOf(batch: WatchBatch): Change[] {
  return batch.events.map(({ type, kv }) => ({
    revision: batch.revision,
    key: kv.key,
    value: type === 'put' ? text(kv.value) : undefined,
  }));
}

interface Cell {
  readonly value: string;
  readonly modRevision: number;
}
export type ModelState = PersistentMap<Cell>;
type Model = (revision: number) => ModelState;
export const nothing: ModelState = PersistentMap.empty();

/** The states that a history goes through, beginning with `start`. */
export function modelOf(history: readonly Change[], start: ModelState): Model {
  const states = new Map<number, ModelState>();
  const revisions: number[] = [];
  let state = start;
  for (const { revision, key, value } of history) {
    state = value === undefined ? state.delete(key) : state.set(key, { value, modRevision: revision });
    if (!states.has(revision)) revisions.push(revision);
    states.set(revision, state);
  }
  return revision => {
    let low = 0;
    let high = revisions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((revisions[middle] as number) <= revision) low = middle + 1;
      else high = middle;
    }
    return states.get(revisions[low - 1] ?? 0) ?? start;
  };
}

/** What is wrong with the recorded operations; empty when they are linearizable. The history may be the part after a known state. */
export function violations(operations: readonly Recorded[], history: readonly Change[], start = nothing): string[] {
  const model = modelOf(history, start);
  const byRevision = new Map<number, Change[]>();
  for (const change of history) byRevision.set(change.revision, [...(byRevision.get(change.revision) ?? []), change]);
  const wrong = [...orderViolations(operations), ...historyViolations(history)];
  const writers = new Map<number, Recorded>();
  for (const op of operations) {
    const problem = misfit(op, model, byRevision);
    if (problem) wrong.push(`${problem}: ${JSON.stringify(op)}`);
    if (!writes(op)) continue;
    const other = writers.get(op.revision);
    if (other) wrong.push(`two writes share a revision: ${JSON.stringify(op)} ${JSON.stringify(other)}`);
    writers.set(op.revision, op);
  }
  return wrong;
}

/** Whether the operation took a revision of its own. */
function writes(op: Recorded): boolean {
  if (op.type === 'get') return false;
  if (op.type === 'swap') return op.succeeded;
  return op.type === 'put' || op.deleted > 0;
}

function misfit(op: Recorded, model: Model, byRevision: ReadonlyMap<number, Change[]>): string | undefined {
  const written = byRevision.get(op.revision)?.find(change => change.key === op.key);
  const before = model(op.revision - 1).get(op.key);
  const at = model(op.revision).get(op.key);
  switch (op.type) {
    case 'put':
      return written?.value === op.value ? undefined : 'an acknowledged write is not in the history';
    case 'delete':
      if (at !== undefined || (op.deleted > 0 && !written)) return 'an acknowledged deletion is not in the history';
      return op.deleted > 0 && !before ? 'a deletion of nothing' : undefined;
    case 'get':
      if (op.modRevision === (at?.modRevision ?? 0) && op.value === (at?.value ?? '')) return undefined;
      return 'a read saw what was not there';
    case 'swap':
      if (!op.succeeded)
        return (at?.modRevision ?? 0) === op.expected ? 'a swap was refused without reason' : undefined;
      if (written?.value !== op.value) return 'an acknowledged swap is not in the history';
      return (before?.modRevision ?? 0) === op.expected ? undefined : 'a swap succeeded against its condition';
  }
}

/** Real time: an operation is not older than any that had ended before it began, and a write is newer. */
function orderViolations(operations: readonly Recorded[]): string[] {
  const wrong: string[] = [];
  const byEnd = operations.toSorted((a, b) => a.ended - b.ended);
  let ended = 0;
  let newest: Recorded | undefined;
  for (const op of operations.toSorted((a, b) => a.began - b.began)) {
    for (let other = byEnd[ended]; other && other.ended < op.began; other = byEnd[ended]) {
      if (!newest || other.revision > newest.revision) newest = other;
      ended += 1;
    }
    if (newest && (op.revision < newest.revision || (writes(op) && op.revision === newest.revision))) {
      wrong.push(`goes back in time: ${JSON.stringify(op)} after ${JSON.stringify(newest)}`);
    }
  }
  return wrong;
}

/** A watch tells of revisions in order, and of a key once in each. */
export function historyViolations(history: readonly Change[]): string[] {
  const wrong: string[] = [];
  let last = 0;
  let keys = new Set<string>();
  for (const change of history) {
    if (change.revision < last) wrong.push(`out of order: ${JSON.stringify(change)} after revision ${last}`);
    if (change.revision > last) keys = new Set();
    if (keys.has(change.key)) wrong.push(`told twice: ${JSON.stringify(change)}`);
    keys.add(change.key);
    last = change.revision;
  }
  return wrong;
}

/** What a watch told that the history does not hold, or did not tell of it between its first and last revision. */
export function watchViolations(told: readonly Change[], history: readonly Change[]): string[] {
  const wrong = historyViolations(told);
  const [first, last] = [told[0]?.revision ?? 0, told.at(-1)?.revision ?? 0];
  const expected = history.filter(change => change.revision >= first && change.revision <= last);
  const known = new Set(expected.map(change => JSON.stringify(change)));
  for (const change of told) {
    if (!known.delete(JSON.stringify(change)))
      wrong.push(`a watcher was told of a write that is gone: ${JSON.stringify(change)}`);
  }
  for (const missed of known) wrong.push(`a watcher was not told: ${missed}`);
  return wrong;
}

export interface Load {
  readonly store: Store;
  readonly prefix: string;
  /** Makes values unique over all clients and runs. */
  readonly client: string;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  readonly tick: () => number;
  readonly keys: number;
}

/** One random operation, and its record; undefined when the store could not say what became of it. Other errors are thrown. */
export async function randomOperation(load: Load, n: number): Promise<Recorded | undefined> {
  const { store, chance, tick } = load;
  const key = `${load.prefix}k${Math.floor(chance() * load.keys)}`;
  const value = `${load.client}-${n}`;
  const kind = chance();
  const expected = kind < 0.3 ? ((await tried(() => store.get(key)))?.kv?.modRevision ?? 0) : 0;
  const began = tick();
  const answer = await tried(() => perform(store, key, value, kind, expected));
  return answer && { ...answer, began, ended: tick(), key };
}

type Answer = Recorded extends infer R ? (R extends Recorded ? Omit<R, 'began' | 'ended' | 'key'> : never) : never;

async function perform(store: Store, key: string, value: string, kind: number, expected: number): Promise<Answer> {
  if (kind < 0.3) {
    const compare: Compare = { key, target: 'modRevision', op: '=', value: expected };
    const { succeeded, revision } = await store.txn({ compare: [compare], success: [putOp(key, value)] });
    return { type: 'swap', expected, succeeded, value, revision };
  }
  if (kind < 0.5) {
    const { kv, revision } = await store.get(key);
    return { type: 'get', value: text(kv?.value ?? bytes('')), modRevision: kv?.modRevision ?? 0, revision };
  }
  if (kind < 0.6) {
    const { revision, results } = await store.txn({ compare: [], success: [{ type: 'delete', range: rangeOf(key) }] });
    const [result] = results;
    return { type: 'delete', deleted: result?.type === 'delete' ? result.deleted : 0, revision };
  }
  const { revision } = await store.txn({ compare: [], success: [putOp(key, value)] });
  return { type: 'put', value, revision };
}

async function tried<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof StoreError && error.code === 'unavailable') return undefined;
    throw error;
  }
}

/** Every change in `prefix` from `fromRevision` on. A key written last tells where to stop; it is part of the history. */
export async function readHistory(store: Store, prefix: string, fromRevision: number): Promise<Change[]> {
  const { revision } = await store.txn({ compare: [], success: [putOp(`${prefix}~end`, '')] });
  const history: Change[] = [];
  for await (const batch of store.watch(prefixRange(prefix), { fromRevision })) {
    history.push(...changesOf(batch));
    if (batch.revision >= revision) break;
  }
  return history;
}
