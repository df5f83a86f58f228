import {
  type KeyRange,
  type Op,
  prefixRange,
  type Store,
  type TxnResult,
  type Watch,
  type WatchBatch,
} from '../../../src/store/contract.ts';

/** A store under test. Nobody else writes to it; it may serve many tests one after another. */
export interface StoreFixture {
  store: Store;
  /** Lets `ms` go by on the store's clock. */
  pass(ms: number): Promise<void>;
  /** False for a server that does not answer requests for progress (or answers too early, so that they are not sent). */
  answersProgress?: boolean;
  close(): Promise<void>;
}

export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (value: Uint8Array) => new TextDecoder().decode(value);

export const putOp = (key: string, value: string, lease?: number): Op => ({
  type: 'put',
  key,
  value: bytes(value),
  ...(lease !== undefined && { lease }),
});
export const rangeOf = (key: string): KeyRange => ({ start: key });

export async function put(store: Store, key: string, value: string, lease?: number): Promise<number> {
  return (await store.txn({ compare: [], success: [putOp(key, value, lease)] })).revision;
}
export async function remove(store: Store, range: KeyRange, prevKv = false): Promise<TxnResult> {
  return store.txn({ compare: [], success: [{ type: 'delete', range, prevKv }] });
}
export async function contents(store: Store, prefix: string, revision = 0): Promise<string[]> {
  const { kvs } = await store.range(prefixRange(prefix), { revision });
  return kvs.map(kv => `${kv.key.slice(prefix.length)}=${text(kv.value)}`);
}

/** Reads a watch batch by batch, leaving out progress notices. */
export class Reader {
  readonly watch: Watch;
  readonly #iterator: AsyncIterator<WatchBatch>;
  constructor(watch: Watch) {
    this.watch = watch;
    this.#iterator = watch[Symbol.asyncIterator]();
  }
  async any(): Promise<WatchBatch> {
    const { done, value } = await this.#iterator.next();
    if (done) throw new Error('the watch ended');
    return value;
  }
  async batch(): Promise<WatchBatch> {
    for (;;) {
      const batch = await this.any();
      if (batch.events.length > 0) return batch;
    }
  }
  /** The batch as `revision: put key=value (previous) …`. */
  async line(): Promise<string> {
    return describe(await this.batch());
  }
  next(): Promise<IteratorResult<WatchBatch>> {
    return this.#iterator.next();
  }
}

export function describe(batch: WatchBatch): string {
  const events = batch.events.map(({ type, kv, prevKv }) => {
    const key = kv.key.slice(kv.key.lastIndexOf('/') + 1);
    const what = type === 'put' ? `put ${key}=${text(kv.value)}` : `delete ${key}`;
    return prevKv ? `${what} (${text(prevKv.value)})` : what;
  });
  return `${batch.revision}: ${events.join(', ')}`;
}
