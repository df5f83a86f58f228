import { StoreError } from '../contract.ts';
import { type Packed, transfers } from './codec.ts';
import type { Failure, FromWorker, HistoryAnswer, Host, Sizes, StorePort, ToWorker } from './protocol.ts';

export interface ChannelEvents {
  written(sequence: number, seconds: number): void;
  failed(epoch: number, error: StoreError): void;
  /** The worker ended by itself: nothing can be written any more. */
  died(error: StoreError): void;
}

type Question =
  | { type: 'history'; from: number; through: number; limit: number }
  | { type: 'compact'; revision: number };

const errorOf = (failure: Failure) => new StoreError(failure.code, failure.message);

/** The store's end of the line to the worker. */
export class Channel {
  readonly #port: StorePort;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: StoreError): void }>();
  readonly #ended = Promise.withResolvers<void>();
  #next = 1;
  #events: ChannelEvents | undefined;
  #dead: StoreError | undefined;

  private constructor(port: StorePort) {
    this.#port = port;
  }

  /** Starts the worker and lets it read the whole store to `rows`. Rejects when the store cannot be opened. */
  static async open(
    directory: string,
    host: Host,
    rows: (packed: Packed) => void,
  ): Promise<{ channel: Channel; revision: number; compacted: number }> {
    const port = host.start(directory);
    const channel = new Channel(port);
    const loaded = await new Promise<{ revision: number; compacted: number }>((resolve, reject) => {
      const take = (message: FromWorker) => {
        if (message.type === 'rows') rows(message.packed);
        else if (message.type === 'loaded') resolve(message);
        else if (message.type === 'refused') reject(errorOf(message.failure));
        else channel.#receive(message);
      };
      const ended = (why: string) => {
        const error = new StoreError('unavailable', `the store's worker ended: ${why}`);
        reject(error);
        channel.#die(error);
      };
      port.listen(take, ended);
    });
    return { channel, ...loaded };
  }

  listen(events: ChannelEvents): void {
    this.#events = events;
  }

  write(sequence: number, epoch: number, packed: Packed): void {
    this.#post({ type: 'write', sequence, epoch, packed }, transfers(packed));
  }
  async history(from: number, through: number, limit: number): Promise<HistoryAnswer> {
    return (await this.#ask({ type: 'history', from, through, limit })) as HistoryAnswer;
  }
  async compact(revision: number): Promise<void> {
    await this.#ask({ type: 'compact', revision });
  }
  async sizes(): Promise<Sizes> {
    return (await this.#ask({ type: 'sizes' })) as Sizes;
  }
  async tidy(): Promise<void> {
    await this.#ask({ type: 'tidy' });
  }
  /** Ends the worker after all that was asked before. */
  async close(): Promise<void> {
    if (this.#dead) return;
    // A worker that ends before it answers, or that cannot close the file in order, has ended all the same.
    await this.#ask({ type: 'close' }).catch(() => undefined);
    await this.#ended.promise;
  }

  #ask(question: Question | { type: 'sizes' | 'tidy' | 'close' }): Promise<unknown> {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post({ ...question, id });
    });
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#port.post(message, transfer);
  }

  #receive(message: FromWorker): void {
    if (message.type === 'written') this.#events?.written(message.sequence, message.seconds);
    else if (message.type === 'failed') this.#events?.failed(message.epoch, errorOf(message.failure));
    else if (message.type === 'answer') {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.failure) waiting?.reject(errorOf(message.failure));
      else waiting?.resolve(message.result);
    }
  }

  #die(error: StoreError): void {
    this.#ended.resolve();
    if (this.#dead) return;
    this.#dead = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#events?.died(error);
  }
}
