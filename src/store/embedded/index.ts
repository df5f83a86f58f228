import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import {
  type KeyRange,
  type KeyValue,
  type Lease,
  type Op,
  type RangeOptions,
  type RangeResult,
  type Store,
  StoreError,
  type Txn,
  type TxnResult,
  type Watch,
  type WatchOptions,
} from '../contract.ts';
import { checkRange, checkTxn, defaultLimits, type Limits } from '../mvcc/check.ts';
import { LeaseTimer, newLeaseId } from '../mvcc/deadlines.ts';
import { compactedError, futureError } from '../mvcc/history.ts';
import { ProgressTimer } from '../mvcc/progress.ts';
import {
  applyTxn,
  type Commit,
  dropLease,
  keysOfLease,
  leaseKey,
  readRange,
  type State,
  withLease,
} from '../mvcc/state.ts';
import { StoreWatch } from '../mvcc/watch.ts';
import { Watchers } from '../mvcc/watchers.ts';
import { Channel } from './channel.ts';
import { rowsPerRevision } from './codec.ts';
import { AutoCompaction, type CompactionPolicy } from './compaction.ts';
import { Loader } from './loader.ts';
import { type MemoryBounds, Past } from './past.ts';
import type { Host, Sizes, Soon } from './protocol.ts';
import { threadHost } from './thread.ts';
import { Writer } from './writer.ts';

export interface EmbeddedStoreOptions {
  /** Made when it is missing; readable by its owner only. One store at a time may have it open. */
  directory: string;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  /** Where the worker's code is, when it is not the file beside this one (a bundle). */
  workerUrl?: URL | string;
  /** Where the worker runs; default a thread. */
  host?: Host;
  limits?: Partial<Limits>;
  compaction?: Partial<CompactionPolicy>;
  /** How much history is held in memory; the rest is read from disk. */
  memory?: Partial<MemoryBounds>;
  progressIntervalMs?: number;
}

/** A store on one disk: SQLite in a worker thread, with the newest state and the recent history in memory. */
export interface EmbeddedStore extends Store {
  /** What the store takes on disk. */
  sizes(): Promise<Sizes>;
  /** Resolves when what the last compaction made superfluous is removed and the space given back. */
  tidy(): Promise<void>;
}

/**
 * Opens the store, making it when the directory is empty. Rejects with "locked" when it is open elsewhere, "corrupt" when the file is
 * damaged or not a store, "io" or "no-space" when the disk refuses.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const started = options.clock.monotonic();
  const loader = new Loader();
  const host = options.host ?? threadHost(options.workerUrl ?? new URL('./worker.ts', import.meta.url));
  const opened = await Channel.open(options.directory, host, packed => loader.take(packed));
  const state = loader.finish(opened.revision);
  options.log.info('Opened the embedded store', {
    directory: options.directory,
    keys: state.keys.size,
    revision: state.revision,
    ms: Math.round(options.clock.monotonic() - started),
  });
  return new Embedded(options, opened.channel, host.soon, state, opened.compacted);
}

/** Batches that a watch may be behind before it reads from the history. */
const watchCapacity = 1000;
const leaseRetryMs = 1000;

class Embedded implements EmbeddedStore {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #limits: Limits;
  readonly #channel: Channel;
  readonly #writer: Writer;
  readonly #past: Past;
  readonly #watchers = new Watchers();
  readonly #leases: LeaseTimer;
  readonly #deadlines = new Map<number, number>();
  readonly #progress: ProgressTimer;
  readonly #compaction: AutoCompaction;
  /** What is on disk, and what readers and watchers may see. */
  #state: State;
  #closed: Promise<void> | undefined;

  constructor(options: EmbeddedStoreOptions, channel: Channel, soon: Soon, state: State, compacted: number) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#channel = channel;
    this.#state = state;
    this.#past = new Past(channel, state, compacted, options.memory);
    this.#writer = new Writer(channel, soon, options.metrics, options.log, state, commit => this.#publish(commit));
    this.#progress = new ProgressTimer(options.clock, this.#watchers, options.progressIntervalMs);
    this.#leases = new LeaseTimer(
      options.clock,
      () => this.#leasesNow(),
      id => void this.#expire(id),
    );
    for (const { id, ttl } of state.leases.values()) this.#prolong(id, ttl);
    this.#compaction = new AutoCompaction(
      options.clock,
      options.compaction,
      () => this.#state.revision,
      revision => this.#compactIfOld(revision),
    );
    this.#exposeSizes(options.metrics);
  }

  #exposeSizes(metrics: Metrics): void {
    const keys = metrics.gauge('tsukube_store_keys', 'Keys in the store.');
    const revision = metrics.gauge('tsukube_store_revision', 'The newest revision.');
    const watchers = metrics.gauge('tsukube_store_watchers', 'Watches on the store.');
    metrics.onCollect(() => {
      keys.set(this.#state.keys.size);
      revision.set(this.#state.revision);
      watchers.set(this.#watchers.size);
    });
  }

  async get(key: string, options: { revision?: number } = {}): Promise<{ kv: KeyValue | undefined; revision: number }> {
    this.#check();
    checkRange({ start: key });
    const state = await this.#stateAt(options.revision ?? 0);
    return { kv: state.keys.get(key), revision: this.#state.revision };
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    this.#check();
    checkRange(range);
    const { revision } = this.#state;
    return readRange(await this.#stateAt(options.revision ?? 0), range, options, revision);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    this.#check();
    checkTxn(txn, this.#limits);
    const old = readsThePast(txn) ? await this.#oldStates(txn) : undefined;
    this.#check();
    const pending = this.#writer.pending;
    const outcome = applyTxn(pending, txn, revision => this.#oldState(old, pending, revision));
    if (outcome.events.length > rowsPerRevision) {
      throw new StoreError('too-large', `a transaction may change at most ${rowsPerRevision} keys`);
    }
    const { state, succeeded, results, events } = outcome;
    if (events.length > 0) await this.#writer.write({ state, events }, { events });
    // What it read may not be on disk yet: then the answer waits until it is.
    else await this.#writer.settled();
    return { succeeded, revision: state.revision, results };
  }

  watch(range: KeyRange, options: WatchOptions = {}): Watch {
    this.#check();
    checkRange(range);
    const source = {
      revision: () => this.#state.revision,
      past: (of: KeyRange, from: number, prevKv: boolean) => this.#past.batches(of, from, this.#state.revision, prevKv),
    };
    const watch = new StoreWatch(source, range, options, watchCapacity, ended => this.#watchers.remove(ended));
    this.#watchers.add(watch);
    const { compacted } = this.#past;
    if (options.fromRevision && options.fromRevision < compacted) watch.end(compactedError(compacted));
    else if (options.progress) this.#progress.start();
    return watch;
  }

  async compact(revision: number): Promise<void> {
    this.#check();
    if (revision > this.#state.revision) throw futureError();
    if (revision <= this.#past.compacted) throw compactedError(this.#past.compacted);
    this.#past.compactTo(revision);
    await this.#channel.compact(revision);
  }

  revision(): number {
    this.#check();
    return this.#state.revision;
  }

  async grantLease(ttlSeconds: number, id = 0): Promise<Lease> {
    this.#check();
    if (!(ttlSeconds > 0)) throw new StoreError('invalid', 'lease TTL must be positive');
    const { pending } = this.#writer;
    const taken = (other: number) => pending.leases.has(leaseKey(other));
    if (id !== 0 && taken(id)) throw new StoreError('lease-exists', 'lease already exists');
    const granted = { id: id === 0 ? newLeaseId(this.#clock, taken) : id, ttl: ttlSeconds, deadline: 0 };
    await this.#writer.write({ state: withLease(pending, granted), events: [] }, { events: [], granted });
    this.#prolong(granted.id, ttlSeconds);
    return { id: granted.id, ttl: ttlSeconds };
  }

  async keepAlive(id: number): Promise<Lease> {
    this.#check();
    const ttl = this.#ttl(id);
    this.#prolong(id, ttl);
    return { id, ttl };
  }

  async revokeLease(id: number): Promise<void> {
    this.#check();
    const commit = dropLease(this.#writer.pending, id);
    await this.#writer.write(commit, { events: commit.events, revoked: id });
    this.#deadlines.delete(id);
  }

  async timeToLive(id: number): Promise<{ ttl: number; grantedTtl: number; keys: readonly string[] }> {
    this.#check();
    const grantedTtl = this.#ttl(id);
    const left = (this.#deadlines.get(id) ?? 0) - this.#clock.monotonic();
    return { ttl: Math.max(0, Math.ceil(left / 1000)), grantedTtl, keys: keysOfLease(this.#state, id) };
  }

  async health(): Promise<void> {
    this.#check();
    await this.#channel.sizes();
  }

  sizes(): Promise<Sizes> {
    return this.#channel.sizes();
  }

  tidy(): Promise<void> {
    return this.#channel.tidy();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#leases.stop();
    this.#progress.stop();
    this.#compaction.stop();
    await this.#writer.close();
    this.#watchers.end(new StoreError('closed', 'the store is closed'));
    await this.#channel.close();
  }

  #check(): void {
    if (this.#closed) throw new StoreError('closed', 'the store is closed');
  }

  /** Makes visible what has reached the disk. */
  #publish(commit: Commit): void {
    this.#state = commit.state;
    if (commit.events.length === 0) return;
    this.#past.append(commit);
    this.#watchers.publish(commit);
    this.#compaction.grown(this.#state.revision - this.#past.compacted);
  }

  #stateAt(revision: number): State | Promise<State> {
    if (revision <= 0 || revision === this.#state.revision) return this.#state;
    return this.#past.stateAt(revision, this.#state.revision);
  }

  /** The old states that a transaction may read, fetched before it runs, because it must run at one instant. */
  async #oldStates(txn: Txn): Promise<Map<number, State>> {
    const found = new Map<number, State>();
    for (const op of [...txn.success, ...(txn.failure ?? [])]) {
      const revision = op.type === 'range' ? (op.options?.revision ?? 0) : 0;
      if (revision <= 0 || revision > this.#state.revision) continue;
      found.set(revision, await this.#stateAt(revision));
    }
    return found;
  }

  #oldState(old: Map<number, State> | undefined, pending: State, revision: number): State {
    const state = old?.get(revision);
    if (state) return state;
    if (revision === pending.revision) return pending;
    // What is not on disk yet is the future, for everyone who did not write it.
    throw futureError();
  }

  *#leasesNow(): Generator<{ id: number; ttl: number; deadline: number }> {
    for (const lease of this.#state.leases.values()) {
      yield { ...lease, deadline: this.#deadlines.get(lease.id) ?? Number.POSITIVE_INFINITY };
    }
  }

  #ttl(id: number): number {
    const lease = this.#state.leases.get(leaseKey(id));
    if (!lease) throw new StoreError('lease-not-found', 'requested lease not found');
    return lease.ttl;
  }

  #prolong(id: number, ttl: number): void {
    const deadline = this.#clock.monotonic() + ttl * 1000;
    this.#deadlines.set(id, deadline);
    this.#leases.note(deadline);
  }

  async #expire(id: number): Promise<void> {
    try {
      await this.revokeLease(id);
    } catch (error) {
      if (this.#closed || (error instanceof StoreError && error.code === 'lease-not-found')) return;
      this.#log.warn('Could not remove the keys of an expired lease; trying again', { lease: id, error });
      const deadline = this.#clock.monotonic() + leaseRetryMs;
      this.#deadlines.set(id, deadline);
      this.#leases.note(deadline);
    }
  }

  async #compactIfOld(revision: number): Promise<void> {
    if (this.#closed || revision <= this.#past.compacted) return;
    try {
      await this.compact(revision);
    } catch (error) {
      this.#log.warn('Could not compact the store; trying again later', { revision, error });
    }
  }
}

const readsThePast = ({ success, failure = [] }: Txn): boolean => success.some(atRevision) || failure.some(atRevision);
const atRevision = (op: Op): boolean => op.type === 'range' && (op.options?.revision ?? 0) > 0;
