import { messageOf } from '../../base/errors.ts';
import { type KeyRange, StoreError, type Watch, type WatchBatch, type WatchOptions } from '../contract.ts';

/** What a watch reads when it starts in the past or was too slow. */
export interface PastBatches {
  readonly batches: readonly WatchBatch[];
  /** Everything up to here has been read. */
  readonly through: number;
}
export interface WatchSource {
  /** The newest revision that watchers may know of. */
  revision(): number;
  /** Part of the history of `range` from `from` on. Throws "compacted". */
  past(range: KeyRange, from: number, prevKv: boolean): PastBatches | Promise<PastBatches>;
}

/**
 * One watch. New batches are handed to it while it keeps up; when its buffer is full it drops to reading the history, so that a slow
 * consumer costs bounded memory and loses nothing (short of a compaction).
 */
export class StoreWatch implements Watch, AsyncIterator<WatchBatch> {
  readonly ready: Promise<void> = Promise.resolve();
  readonly range: KeyRange;
  readonly prevKv: boolean;
  readonly progress: boolean;
  readonly #source: WatchSource;
  readonly #onEnd: (watch: StoreWatch) => void;
  readonly #capacity: number;
  #queue: WatchBatch[] = [];
  #head = 0;
  /** First revision not yet queued, while reading the history; undefined when batches are handed in. */
  #behindFrom: number | undefined;
  #minRevision: number;
  #progressAsked = false;
  #failure: StoreError | undefined;
  #ended = false;
  #waiting: (() => void)[] = [];
  #reading: Promise<void> | undefined;

  constructor(
    source: WatchSource,
    range: KeyRange,
    options: WatchOptions,
    capacity: number,
    onEnd: (watch: StoreWatch) => void,
  ) {
    this.#source = source;
    this.range = range;
    this.prevKv = options.prevKv ?? false;
    this.progress = options.progress ?? false;
    this.#capacity = capacity;
    this.#onEnd = onEnd;
    const from = options.fromRevision && options.fromRevision > 0 ? options.fromRevision : source.revision() + 1;
    this.#minRevision = from;
    if (from <= source.revision()) this.#behindFrom = from;
  }

  /** Hands in the batch of a new revision. */
  offer(batch: WatchBatch): void {
    if (this.#ended || batch.revision < this.#minRevision || this.#behindFrom !== undefined) return;
    if (this.#queue.length - this.#head >= this.#capacity) {
      this.#behindFrom = batch.revision;
      return;
    }
    this.#queue.push(batch);
    this.#wakeUp();
  }

  /** The notice follows all that is queued, so it needs no place in the queue. */
  requestProgress(): void {
    this.#progressAsked = true;
    this.#wakeUp();
  }

  cancel(): void {
    this.end();
  }

  /** Ends the iteration, with an error if given. */
  end(failure?: StoreError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#queue = [];
    this.#head = 0;
    this.#onEnd(this);
    this.#wakeUp();
  }

  #wakeUp(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchBatch> {
    return this;
  }

  next(): Promise<IteratorResult<WatchBatch>> {
    const value = this.take();
    return value ? Promise.resolve({ done: false, value }) : this.#later();
  }

  async #later(): Promise<IteratorResult<WatchBatch>> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#ended) return { done: true, value: undefined };
      const value = this.take();
      if (value) return { done: false, value };
      if (this.#behindFrom !== undefined) {
        await (this.#reading ??= this.#catchUp(this.#behindFrom).finally(() => {
          this.#reading = undefined;
        }));
      } else if (this.#progressAsked) {
        this.#progressAsked = false;
        return { done: false, value: { revision: this.#source.revision(), events: [] } };
      } else {
        await new Promise<void>(resolve => this.#waiting.push(resolve));
      }
    }
  }

  async return(): Promise<IteratorResult<WatchBatch>> {
    this.end();
    return { done: true, value: undefined };
  }

  take(): WatchBatch | undefined {
    const batch = this.#queue[this.#head];
    if (!batch) return undefined;
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    return batch;
  }

  async #catchUp(from: number): Promise<void> {
    try {
      const read = this.#source.past(this.range, from, this.prevKv);
      const { batches, through } = read instanceof Promise ? await read : read;
      if (this.#ended) return;
      this.#queue.push(...batches);
      if (through < this.#source.revision()) {
        this.#behindFrom = through + 1;
        return;
      }
      this.#behindFrom = undefined;
      this.#minRevision = Math.max(this.#minRevision, through + 1);
    } catch (error) {
      this.end(error instanceof StoreError ? error : new StoreError('io', messageOf(error)));
    }
  }
}
