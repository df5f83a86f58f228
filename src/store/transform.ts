import {
  type KeyValue,
  type OpResult,
  type Store,
  StoreError,
  type Txn,
  type Watch,
  type WatchBatch,
  type WatchEvent,
} from './contract.ts';

/**
 * Changes values on their way to the store and back, for encryption at rest. The key is authenticated data: a value that was moved to
 * another key must not decrypt.
 */
export interface ValueTransformer {
  toStorage(key: string, value: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Throws when the value was not made by `toStorage` for this key. */
  fromStorage(key: string, value: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Picks the transformer of a key; undefined leaves its value as it is. */
export type TransformerFor = (key: string) => ValueTransformer | undefined;

/**
 * A view of `store` through transformers. Values cannot be compared in transactions where a transformer applies ("invalid"), because
 * equal values need not be stored equally. A value that cannot be read back rejects with "corrupt".
 */
export function transformingStore(store: Store, transformerFor: TransformerFor): Store {
  const view = new View(transformerFor);
  return {
    async get(key, options) {
      const { kv, revision } = await store.get(key, options);
      return { kv: kv && (await view.read(kv)), revision };
    },
    async range(range, options) {
      const result = await store.range(range, options);
      return options?.keysOnly || options?.countOnly ? result : { ...result, kvs: await view.readAll(result.kvs) };
    },
    async txn(txn) {
      const result = await store.txn(await view.writeTxn(txn));
      const ops = result.succeeded ? txn.success : (txn.failure ?? []);
      return { ...result, results: await Promise.all(result.results.map((r, i) => view.readResult(r, ops[i]))) };
    },
    watch: (range, options) => view.watch(store.watch(range, options)),
    compact: revision => store.compact(revision),
    revision: () => store.revision(),
    grantLease: (ttl, id) => store.grantLease(ttl, id),
    keepAlive: id => store.keepAlive(id),
    revokeLease: id => store.revokeLease(id),
    timeToLive: id => store.timeToLive(id),
    health: () => store.health(),
    close: () => store.close(),
  };
}

class View {
  readonly #transformerFor: TransformerFor;
  constructor(transformerFor: TransformerFor) {
    this.#transformerFor = transformerFor;
  }

  async read(kv: KeyValue): Promise<KeyValue> {
    const transformer = this.#transformerFor(kv.key);
    if (!transformer) return kv;
    try {
      return { ...kv, value: await transformer.fromStorage(kv.key, kv.value) };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new StoreError('corrupt', `cannot read the value of ${kv.key}: ${why}`);
    }
  }

  readAll(kvs: readonly KeyValue[]): Promise<KeyValue[]> {
    return Promise.all(kvs.map(kv => this.read(kv)));
  }

  async readResult(result: OpResult, op: Txn['success'][number] | undefined): Promise<OpResult> {
    if (result.type === 'delete') return { ...result, prevKvs: await this.readAll(result.prevKvs) };
    if (result.type !== 'range' || (op?.type === 'range' && op.options?.keysOnly)) return result;
    return { ...result, kvs: await this.readAll(result.kvs) };
  }

  async writeTxn(txn: Txn): Promise<Txn> {
    for (const { target, key } of txn.compare) {
      if (target === 'value' && this.#transformerFor(key)) {
        throw new StoreError('invalid', `the value of ${key} is transformed and cannot be compared`);
      }
    }
    const success = await this.#writeOps(txn.success);
    return txn.failure ? { ...txn, success, failure: await this.#writeOps(txn.failure) } : { ...txn, success };
  }

  #writeOps(ops: Txn['success']): Promise<Txn['success'][number][]> {
    return Promise.all(
      ops.map(async op => {
        const transformer = op.type === 'put' ? this.#transformerFor(op.key) : undefined;
        if (op.type !== 'put' || !transformer) return op;
        return { ...op, value: await transformer.toStorage(op.key, op.value) };
      }),
    );
  }

  watch(inner: Watch): Watch {
    const readBatch = async (batch: WatchBatch): Promise<WatchBatch> => ({
      ...batch,
      events: await Promise.all(batch.events.map(event => this.#readEvent(event))),
    });
    async function* batches(): AsyncGenerator<WatchBatch> {
      for await (const batch of inner) yield batch.events.length > 0 ? await readBatch(batch) : batch;
    }
    return {
      ready: inner.ready,
      requestProgress: () => inner.requestProgress(),
      cancel: () => inner.cancel(),
      [Symbol.asyncIterator]: batches,
    };
  }

  async #readEvent(event: WatchEvent): Promise<WatchEvent> {
    const kv = event.type === 'put' ? await this.read(event.kv) : event.kv;
    return { type: event.type, kv, ...(event.prevKv && { prevKv: await this.read(event.prevKv) }) };
  }
}
