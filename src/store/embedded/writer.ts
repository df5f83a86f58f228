import type { Logger } from '../../base/log.ts';
import type { Counter, Histogram, Metrics } from '../../base/metrics.ts';
import type { StoreError } from '../contract.ts';
import type { Commit, State } from '../mvcc/state.ts';
import type { Channel } from './channel.ts';
import { type Change, packChanges } from './codec.ts';
import type { Soon } from './protocol.ts';

interface Waiter {
  resolve(): void;
  reject(error: StoreError): void;
}
interface Pending extends Waiter {
  readonly commit: Commit;
  readonly change: Change;
  /** Who only waits for this write, without having written. */
  readers?: Waiter[];
}
interface Sent {
  readonly sequence: number;
  readonly writes: readonly Pending[];
}

/** Writers told at a time, at least. */
const leastRelease = 16;

/**
 * Group commit. Transactions run at once against `pending`, the state as it will be when all that is queued is on disk; their callers
 * hear of it when it is. When the disk refuses, everything that was built on the refused write is refused too.
 */
export class Writer {
  readonly #channel: Channel;
  readonly #soon: Soon;
  readonly #publish: (commit: Commit) => void;
  readonly #log: Logger;
  readonly #commits: Counter;
  readonly #seconds: Histogram;
  readonly #failures: Counter;
  #pending: State;
  #durable: State;
  #queue: Pending[] = [];
  readonly #sent: Sent[] = [];
  /** On disk, and not yet told to the writers. */
  #confirmed: Pending[] = [];
  #releasing = false;
  #sequence = 0;
  /** Writes in the last message. */
  #lastCount = 0;
  #epoch = 0;
  #flushing = false;
  #dead: StoreError | undefined;

  constructor(
    channel: Channel,
    soon: Soon,
    metrics: Metrics,
    log: Logger,
    state: State,
    publish: (commit: Commit) => void,
  ) {
    this.#channel = channel;
    this.#soon = soon;
    this.#publish = publish;
    this.#log = log;
    this.#pending = state;
    this.#durable = state;
    this.#commits = metrics.counter('tsukube_store_writes_total', 'Transactions written to disk.');
    this.#failures = metrics.counter('tsukube_store_write_failures_total', 'Commits that the disk refused.');
    this.#seconds = metrics.histogram(
      'tsukube_store_commit_duration_seconds',
      'Time of one durable commit of many writes.',
    );
    channel.listen({
      written: (sequence, seconds) => this.#written(sequence, seconds),
      failed: (epoch, error) => this.#failed(epoch, error),
      died: error => this.#died(error),
    });
  }

  get pending(): State {
    return this.#pending;
  }

  /** Resolves when the commit is on disk and watchers have been told. */
  write(commit: Commit, change: Change): Promise<void> {
    if (this.#dead) return Promise.reject(this.#dead);
    this.#pending = commit.state;
    return new Promise((resolve, reject) => {
      this.#queue.push({ commit, change, resolve, reject });
      if (this.#flushing) return;
      this.#flushing = true;
      // One who writes alone need not wait; where there are others, all that is written in this turn goes into one message.
      if (this.#sent.length === 0 && this.#lastCount <= 1) queueMicrotask(() => this.#flush());
      else this.#soon(() => this.#flush());
    });
  }

  /** Resolves when everything in `pending` is on disk; rejects when it never will be. */
  async settled(): Promise<void> {
    const last = this.#queue.at(-1) ?? this.#sent.at(-1)?.writes.at(-1) ?? this.#confirmed.at(-1);
    if (!last) return;
    await new Promise<void>((resolve, reject) => {
      last.readers ??= [];
      last.readers.push({ resolve, reject });
    });
  }

  async close(): Promise<void> {
    // A failure has been told to the writers.
    await this.settled().catch(() => undefined);
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#queue.length === 0) return;
    const writes = this.#queue;
    this.#queue = [];
    this.#lastCount = writes.length;
    this.#sequence += 1;
    this.#sent.push({ sequence: this.#sequence, writes });
    this.#channel.write(this.#sequence, this.#epoch, packChanges(writes.map(write => write.change)));
  }

  #written(sequence: number, seconds: number): void {
    this.#seconds.observe(seconds);
    for (let sent = this.#sent[0]; sent && sent.sequence <= sequence; sent = this.#sent[0]) {
      this.#sent.shift();
      this.#commits.inc(undefined, sent.writes.length);
      this.#confirmed.push(...sent.writes);
    }
    if (this.#releasing) return;
    // While the disk has other work, nobody needs to be quick.
    const all = this.#confirmed.length;
    this.#release(this.#sent.length > 0 ? all : Math.max(leastRelease, Math.ceil(all / 2)));
  }

  /** Tells part of the writers, and sends what they write next before telling the rest: so the disk works meanwhile. */
  #release(count: number): void {
    for (const write of this.#confirmed.splice(0, count)) this.#complete(write);
    this.#releasing = this.#confirmed.length > 0;
    if (!this.#releasing) return;
    const next = () => {
      this.#flush();
      this.#release(count);
    };
    this.#soon(next);
  }

  #complete({ commit, resolve, readers }: Pending): void {
    this.#durable = commit.state;
    this.#publish(commit);
    resolve();
    for (const reader of readers ?? []) reader.resolve();
  }

  #failed(epoch: number, error: StoreError): void {
    if (epoch !== this.#epoch) return;
    this.#failures.inc();
    this.#log.error('The disk refused a write', { error });
    this.#refuseAll(error);
  }

  #died(error: StoreError): void {
    this.#dead = error;
    this.#refuseAll(error);
  }

  #refuseAll(error: StoreError): void {
    this.#epoch += 1;
    for (const write of this.#confirmed.splice(0)) this.#complete(write);
    this.#pending = this.#durable;
    const refused = [...this.#sent.flatMap(sent => sent.writes), ...this.#queue];
    this.#sent.length = 0;
    this.#queue = [];
    for (const { reject, readers } of refused) {
      reject(error);
      for (const reader of readers ?? []) reader.reject(error);
    }
  }
}
