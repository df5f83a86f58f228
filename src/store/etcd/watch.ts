import {
  type KeyRange,
  StoreError,
  type Watch,
  type WatchBatch,
  type WatchEvent,
  type WatchOptions,
} from '../contract.ts';
import type { Connection, Stream } from './connection.ts';
import { isTransient, storeError } from './errors.ts';
import { headerRevision, keyValue, number, rangeKeys } from './messages.ts';
import type { Message } from './protobuf.ts';

/** Batches queued before the stream is paused. */
const queueLimit = 1000;
const retryMs = 100;

/**
 * A watch that outlives its stream: it remembers the next revision that it has not handed out and goes on from there, at the next member.
 * What a broken stream had sent in part is asked for again; what was handed out already is left out.
 */
export class EtcdWatch implements Watch, AsyncIterator<WatchBatch> {
  readonly ready: Promise<void>;
  readonly #connection: Connection;
  readonly #range: KeyRange;
  readonly #options: WatchOptions;
  readonly #onEnd: (watch: EtcdWatch) => void;
  #next = 0;
  #queue: WatchBatch[] = [];
  #head = 0;
  #waiting: (() => void)[] = [];
  /** Events of a revision whose last fragment has not come. */
  #fragments: Message[] = [];
  #stream: Stream | undefined;
  #member = 0;
  #progressAsked = false;
  #ended = false;
  #failure: StoreError | undefined;
  #isReady: () => void = () => undefined;
  #isNotReady: (error: StoreError) => void = () => undefined;

  constructor(
    connection: Connection,
    range: KeyRange,
    options: WatchOptions,
    newest: () => Promise<number>,
    onEnd: (watch: EtcdWatch) => void,
  ) {
    this.#connection = connection;
    this.#range = range;
    this.#options = options;
    this.#onEnd = onEnd;
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#isNotReady = reject;
    });
    // Who does not wait for it sees the failure in the iteration.
    this.ready.catch(() => undefined);
    void this.#run(newest);
  }

  async #run(newest: () => Promise<number>): Promise<void> {
    try {
      const from = this.#options.fromRevision ?? 0;
      // Asked of the cluster, because a member that lags would start earlier.
      this.#next = from > 0 ? from : (await newest()) + 1;
      while (!this.#ended) {
        await this.#oneStream();
        if (!this.#ended) await this.#connection.pause(retryMs);
      }
    } catch (error) {
      this.end(storeError(error));
    }
  }

  /** Follows one stream to its end. Throws what no other stream would mend. */
  async #oneStream(): Promise<void> {
    const opened = await this.#connection.stream('Watch/Watch', 'WatchRequest', 'WatchResponse');
    if (!opened) return;
    const { call, member } = opened;
    this.#stream = call;
    this.#member = member;
    this.#fragments = [];
    if (this.#ended) return void call.cancel();
    const finished = new Promise<void>((resolve, reject) => {
      call.on('data', (message: Message) => {
        if (this.#stream !== call) return;
        try {
          if (!this.#take(message)) call.cancel();
        } catch (error) {
          reject(error);
          call.cancel();
        }
      });
      call.on('error', error => (isTransient(error) ? resolve() : reject(error)));
      call.on('end', resolve);
    });
    call.write({ create: this.#createRequest() });
    try {
      await finished;
    } finally {
      this.#stream = undefined;
      if (!this.#ended) this.#connection.leave(member);
    }
  }

  #createRequest(): Message {
    const { prevKv = false, progress = false } = this.#options;
    return {
      ...rangeKeys(this.#range),
      start_revision: this.#next,
      prev_kv: prevKv,
      progress_notify: progress,
      fragment: true,
    };
  }

  /** False when the stream is of no more use. */
  #take(message: Message): boolean {
    if (message['canceled']) {
      const compacted = number(message, 'compact_revision');
      if (compacted > 0) {
        this.#isReady();
        throw new StoreError('compacted', 'required revision has been compacted', compacted);
      }
      return false;
    }
    if (message['created']) {
      this.#isReady();
      if (this.#progressAsked) void this.#askProgress();
      return true;
    }
    const events = (message['events'] as Message[] | undefined) ?? [];
    if (message['fragment']) {
      this.#fragments.push(...events);
      return true;
    }
    const all = this.#fragments.length > 0 ? [...this.#fragments, ...events] : events;
    this.#fragments = [];
    if (all.length === 0) this.#progress(headerRevision(message));
    else this.#deliver(all);
    return true;
  }

  #progress(revision: number): void {
    this.#progressAsked = false;
    this.#next = Math.max(this.#next, revision + 1);
    this.#push({ revision, events: [] });
  }

  #deliver(messages: readonly Message[]): void {
    let events: WatchEvent[] = [];
    let revision = 0;
    const flush = () => {
      if (events.length > 0) this.#push({ revision, events });
      events = [];
    };
    for (const message of messages) {
      const event = eventOf(message);
      if (event.kv.modRevision < this.#next) continue;
      if (event.kv.modRevision !== revision) flush();
      revision = event.kv.modRevision;
      events.push(event);
    }
    flush();
    this.#next = Math.max(this.#next, revision + 1);
  }

  #push(batch: WatchBatch): void {
    this.#queue.push(batch);
    if (this.#queue.length - this.#head >= queueLimit) this.#stream?.pause();
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  requestProgress(): void {
    this.#progressAsked = true;
    void this.#askProgress();
  }

  async #askProgress(): Promise<void> {
    const stream = this.#stream;
    if (!stream) return;
    // A member that does not even say its version: the stream will break, and the next one asks again.
    const safe = await this.#connection.progressIsSafe(this.#member).catch(() => false);
    if (safe && this.#stream === stream) stream.write({ progress: {} });
  }

  cancel(): void {
    this.end();
  }

  end(failure?: StoreError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    // What came before a failure is still handed out.
    if (!failure) this.#queue = [];
    this.#isNotReady(failure ?? new StoreError('closed', 'the watch was cancelled'));
    this.#stream?.cancel();
    this.#onEnd(this);
    this.#wake();
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchBatch> {
    return this;
  }

  take(): WatchBatch | undefined {
    const batch = this.#queue[this.#head];
    if (!batch) return undefined;
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
      this.#stream?.resume();
    }
    return batch;
  }

  async next(): Promise<IteratorResult<WatchBatch>> {
    for (;;) {
      const value = this.take();
      if (value) return { done: false, value };
      if (this.#failure) throw this.#failure;
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
  }

  async return(): Promise<IteratorResult<WatchBatch>> {
    this.end();
    return { done: true, value: undefined };
  }
}

function eventOf(message: Message): WatchEvent {
  const kv = keyValue(message['kv'] as Message);
  const prev = message['prev_kv'] as Message | undefined;
  return { type: number(message, 'type') === 1 ? 'delete' : 'put', kv, ...(prev && { prevKv: keyValue(prev) }) };
}
