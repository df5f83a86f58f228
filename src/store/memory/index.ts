import type { Clock } from '../../base/clock.ts';
import {
  type KeyRange,
  type KeyValue,
  type Lease,
  type RangeOptions,
  type RangeResult,
  type Store,
  StoreError,
  type Txn,
  type TxnResult,
  type Watch,
  type WatchBatch,
  type WatchOptions,
} from '../contract.ts';
import { checkRange, checkTxn, defaultLimits, type Limits } from '../mvcc/check.ts';
import { LeaseTimer, newLeaseId } from '../mvcc/deadlines.ts';
import { batchOf, compactedError, futureError, History } from '../mvcc/history.ts';
import { ProgressTimer } from '../mvcc/progress.ts';
import {
  applyTxn,
  type Commit,
  dropLease,
  emptyState,
  keysOfLease,
  type LeaseRecord,
  leaseKey,
  readRange,
  type State,
  withLease,
} from '../mvcc/state.ts';
import { type PastBatches, StoreWatch } from '../mvcc/watch.ts';
import { Watchers } from '../mvcc/watchers.ts';

export interface MemoryStoreOptions {
  clock: Clock;
  /** How many revisions of history are kept; the default is 10,000. Infinity keeps all until `compact`. */
  compaction?: { revisions: number };
  limits?: Partial<Limits>;
  /** Milliseconds between progress notices; the default is 10 s. */
  progressIntervalMs?: number;
}

/** A store in memory. It uses no time but the clock's and only promise reactions, so that it runs deterministically on virtual time. */
export interface MemoryStore extends Store {
  /** An independent store with this one's state and history. Costs a pointer, whatever the size. Leases run on. */
  fork(): MemoryStore;
  /** The store as it was at `revision`, to read or to go on from. Throws "compacted" or "future-revision". */
  at(revision: number): MemoryStore;
}

interface Past {
  state: State;
  history: History;
  compacted: number;
}

/** Commits read at a time by a watch that catches up. */
const catchUpCommits = 1000;
/** Batches that a watch may be behind before it reads from the history. */
const watchCapacity = 1000;

export function createMemoryStore(options: MemoryStoreOptions): MemoryStore {
  return new InMemory(options, { state: emptyState, history: History.startingAt(emptyState), compacted: 0 });
}

class InMemory implements MemoryStore {
  readonly #options: MemoryStoreOptions;
  readonly #limits: Limits;
  readonly #retain: number;
  readonly #watchers = new Watchers();
  readonly #leases: LeaseTimer;
  readonly #progress: ProgressTimer;
  readonly #history: History;
  #state: State;
  #compacted: number;
  #closed = false;

  constructor(options: MemoryStoreOptions, past: Past) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#retain = options.compaction?.revisions ?? 10_000;
    this.#state = past.state;
    this.#history = past.history;
    this.#compacted = past.compacted;
    this.#progress = new ProgressTimer(options.clock, this.#watchers, options.progressIntervalMs);
    this.#leases = new LeaseTimer(
      options.clock,
      () => this.#state.leases.values(),
      id => this.#commit(dropLease(this.#state, id)),
    );
    for (const lease of this.#state.leases.values()) this.#leases.note(lease.deadline);
  }

  async get(key: string, options: { revision?: number } = {}): Promise<{ kv: KeyValue | undefined; revision: number }> {
    this.#check();
    checkRange({ start: key });
    return { kv: this.#stateAt(options.revision ?? 0).keys.get(key), revision: this.#state.revision };
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    this.#check();
    checkRange(range);
    return readRange(this.#stateAt(options.revision ?? 0), range, options, this.#state.revision);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    this.#check();
    checkTxn(txn, this.#limits);
    const outcome = applyTxn(this.#state, txn, revision => this.#stateAt(revision));
    if (outcome.events.length > 0) this.#commit(outcome);
    return { succeeded: outcome.succeeded, revision: this.#state.revision, results: outcome.results };
  }

  watch(range: KeyRange, options: WatchOptions = {}): Watch {
    this.#check();
    checkRange(range);
    const source = {
      revision: () => this.#state.revision,
      past: (of: KeyRange, from: number, prevKv: boolean) => this.#past(of, from, prevKv),
    };
    const watch = new StoreWatch(source, range, options, watchCapacity, ended => this.#watchers.remove(ended));
    this.#watchers.add(watch);
    if (options.fromRevision && options.fromRevision < this.#compacted) watch.end(compactedError(this.#compacted));
    else if (options.progress) this.#progress.start();
    return watch;
  }

  async compact(revision: number): Promise<void> {
    this.#check();
    if (revision > this.#state.revision) throw futureError();
    if (revision <= this.#compacted) throw compactedError(this.#compacted);
    this.#compactTo(revision);
  }

  revision(): number {
    this.#check();
    return this.#state.revision;
  }

  async grantLease(ttlSeconds: number, id = 0): Promise<Lease> {
    this.#check();
    if (!(ttlSeconds > 0)) throw new StoreError('invalid', 'lease TTL must be positive');
    const taken = (other: number) => this.#state.leases.has(leaseKey(other));
    if (id !== 0 && taken(id)) throw new StoreError('lease-exists', 'lease already exists');
    const lease = this.#leaseFor(id === 0 ? newLeaseId(this.#options.clock, taken) : id, ttlSeconds);
    this.#state = withLease(this.#state, lease);
    this.#leases.note(lease.deadline);
    return { id: lease.id, ttl: lease.ttl };
  }

  async keepAlive(id: number): Promise<Lease> {
    this.#check();
    const { ttl } = this.#lease(id);
    this.#state = withLease(this.#state, this.#leaseFor(id, ttl));
    return { id, ttl };
  }

  async revokeLease(id: number): Promise<void> {
    this.#check();
    this.#commit(dropLease(this.#state, id));
  }

  async timeToLive(id: number): Promise<{ ttl: number; grantedTtl: number; keys: readonly string[] }> {
    this.#check();
    const lease = this.#lease(id);
    const left = Math.max(0, Math.ceil((lease.deadline - this.#options.clock.monotonic()) / 1000));
    return { ttl: left, grantedTtl: lease.ttl, keys: keysOfLease(this.#state, id) };
  }

  async health(): Promise<void> {
    this.#check();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leases.stop();
    this.#progress.stop();
    this.#watchers.end(new StoreError('closed', 'the store is closed'));
  }

  fork(): MemoryStore {
    this.#check();
    return new InMemory(this.#options, {
      state: this.#state,
      history: this.#history.fork(),
      compacted: this.#compacted,
    });
  }

  at(revision: number): MemoryStore {
    this.#check();
    const state = this.#stateAt(revision);
    return new InMemory(this.#options, {
      state,
      history: this.#history.fork(state.revision),
      compacted: this.#compacted,
    });
  }

  #check(): void {
    if (this.#closed) throw new StoreError('closed', 'the store is closed');
  }

  #stateAt(revision: number): State {
    if (revision <= 0 || revision === this.#state.revision) return this.#state;
    if (revision > this.#state.revision) throw futureError();
    const state = revision < this.#compacted ? undefined : this.#history.stateAt(revision);
    if (!state) throw compactedError(this.#compacted);
    return state;
  }

  #commit(commit: Commit): void {
    this.#state = commit.state;
    if (commit.events.length === 0) return;
    this.#history.append(commit);
    this.#watchers.publish(commit);
    // A quarter more than asked for, so that the work is done rarely.
    if (this.#history.length > this.#retain * 1.25) this.#compactTo(this.#state.revision - this.#retain);
  }

  #compactTo(revision: number): void {
    this.#compacted = revision;
    this.#history.dropBefore(revision);
  }

  #past(range: KeyRange, from: number, prevKv: boolean): PastBatches {
    if (from < this.#compacted) throw compactedError(this.#compacted);
    const through = Math.min(from + catchUpCommits - 1, this.#state.revision);
    const batches: WatchBatch[] = [];
    for (let revision = from; revision <= through; revision++) {
      const events = this.#history.eventsAt(revision);
      const batch = events && batchOf(revision, events, range, prevKv);
      if (batch) batches.push(batch);
    }
    return { batches, through };
  }

  #lease(id: number): LeaseRecord {
    const lease = this.#state.leases.get(leaseKey(id));
    if (!lease) throw new StoreError('lease-not-found', 'requested lease not found');
    return lease;
  }

  #leaseFor(id: number, ttl: number): LeaseRecord {
    return { id, ttl, deadline: this.#options.clock.monotonic() + ttl * 1000 };
  }
}
