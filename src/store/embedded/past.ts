import type { KeyRange, KeyValue, WatchBatch, WatchEvent } from '../contract.ts';
import { batchOf, compactedError, futureError, History } from '../mvcc/history.ts';
import type { Commit, State } from '../mvcc/state.ts';
import type { PastBatches } from '../mvcc/watch.ts';
import type { Channel } from './channel.ts';
import { keyValueOf, type Packed, unpack } from './codec.ts';

export interface MemoryBounds {
  /** Revisions held in memory. */
  revisions: number;
  /** Bytes of values held in memory for old revisions only. */
  bytes: number;
}

const commitsAtOnce = 1000;
const rowsAtOnce = 1000;

/** The store's history: the newest part in memory, all of it on disk. */
export class Past {
  readonly #channel: Channel;
  readonly #bounds: MemoryBounds;
  readonly #recent: History;
  /** Bytes of the changes in memory. */
  #bytes = 0;
  #compacted: number;
  /** The old state rebuilt last: a paginated list reads the same one again and again. */
  #rebuilt: State | undefined;

  constructor(channel: Channel, state: State, compacted: number, bounds: Partial<MemoryBounds> = {}) {
    this.#channel = channel;
    this.#recent = History.startingAt(state);
    this.#compacted = compacted;
    this.#bounds = { revisions: 10_000, bytes: 64 * 1024 * 1024, ...bounds };
  }

  get compacted(): number {
    return this.#compacted;
  }

  append(commit: Commit): void {
    this.#recent.append(commit);
    this.#bytes += sizeOf(commit.events);
    while (
      this.#recent.length > 1 &&
      (this.#recent.length > this.#bounds.revisions || this.#bytes > this.#bounds.bytes)
    ) {
      this.#dropOldest();
    }
  }

  compactTo(revision: number): void {
    this.#compacted = Math.max(this.#compacted, revision);
    while (this.#recent.oldest < revision && this.#recent.length > 1) this.#dropOldest();
    if (this.#rebuilt && this.#rebuilt.revision < revision) this.#rebuilt = undefined;
  }

  #dropOldest(): void {
    const { oldest } = this.#recent;
    this.#bytes -= sizeOf(this.#recent.eventsAt(oldest) ?? []);
    this.#recent.dropBefore(oldest + 1);
  }

  /** Throws "compacted" or "future-revision". */
  stateAt(revision: number, newest: number): State | Promise<State> {
    if (revision > newest) throw futureError();
    if (revision < this.#compacted) throw compactedError(this.#compacted);
    return this.#recent.stateAt(revision) ?? this.#rebuild(revision);
  }

  /** Undoes, change by change, what lies between the oldest state in memory and the one asked for. */
  async #rebuild(revision: number): Promise<State> {
    const known = this.#rebuilt;
    if (known?.revision === revision) return known;
    const oldest = this.#recent.stateAt(this.#recent.oldest) as State;
    const from = known && known.revision > revision && known.revision < oldest.revision ? known : oldest;
    let { keys } = from;
    const changes: OldChange[] = [];
    for (let next = revision + 1; next <= from.revision; ) {
      const read = await this.#read(next, from.revision);
      changes.push(...read.changes);
      next = read.through + 1;
    }
    for (const { events } of changes.reverse()) {
      for (const { kv, prevKv } of events) keys = prevKv ? keys.set(kv.key, prevKv) : keys.delete(kv.key);
    }
    if (revision < this.#compacted) throw compactedError(this.#compacted);
    this.#rebuilt = { ...from, revision, keys };
    return this.#rebuilt;
  }

  async #read(from: number, through: number): Promise<{ changes: OldChange[]; through: number }> {
    const answer = await this.#channel.history(from, through, rowsAtOnce);
    return { changes: changesOf(answer.packed), through: answer.through };
  }

  batches(range: KeyRange, from: number, newest: number, prevKv: boolean): PastBatches | Promise<PastBatches> {
    if (from < this.#compacted) throw compactedError(this.#compacted);
    // The oldest commit in memory may be the state that was loaded, whose events are on disk only.
    if (from <= this.#recent.oldest) return this.#batchesOnDisk(range, from, newest, prevKv);
    const through = Math.min(from + commitsAtOnce - 1, newest);
    const batches: WatchBatch[] = [];
    for (let revision = from; revision <= through; revision++) {
      const events = this.#recent.eventsAt(revision);
      const batch = events && batchOf(revision, events, range, prevKv);
      if (batch) batches.push(batch);
    }
    return { batches, through };
  }

  async #batchesOnDisk(range: KeyRange, from: number, newest: number, prevKv: boolean): Promise<PastBatches> {
    const { changes, through } = await this.#read(from, newest);
    // Compacted meanwhile: what was read may have holes.
    if (from < this.#compacted) throw compactedError(this.#compacted);
    const batches = changes
      .map(({ revision, events }) => batchOf(revision, events, range, prevKv))
      .filter(batch => batch !== undefined);
    return { batches, through };
  }
}

function sizeOf(events: readonly WatchEvent[]): number {
  let bytes = 200;
  for (const { kv, prevKv } of events) bytes += 200 + kv.key.length + (prevKv?.value.length ?? 0);
  return bytes;
}

/** What a revision changed, read from disk. */
interface OldChange {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}

function changesOf(packed: Packed): OldChange[] {
  const changes: { revision: number; events: WatchEvent[] }[] = [];
  let prevKv: KeyValue | undefined;
  for (const row of unpack(packed)) {
    if (row.kind === 'previous') {
      prevKv = keyValueOf(row);
      continue;
    }
    const kv = keyValueOf(row);
    const event: WatchEvent = { type: row.kind === 'put' ? 'put' : 'delete', kv, ...(prevKv && { prevKv }) };
    prevKv = undefined;
    const last = changes.at(-1);
    if (last?.revision === row.revision) last.events.push(event);
    else changes.push({ revision: row.revision, events: [event] });
  }
  return changes;
}
