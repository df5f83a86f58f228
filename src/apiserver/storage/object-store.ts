/** Reads and optimistic writes of one kind's objects. Objects here are in the storage version. */
import type { Unstructured } from '../../api/object.ts';
import { type Awaitable, settle } from '../../base/awaitable.ts';
import { ApiError, errors, type GroupResource, messageOf } from '../../base/errors.ts';
import { type KeyValue, type Op, type Store, StoreError } from '../../store/contract.ts';
import type { Cacher } from './cacher.ts';
import { encodeStored, equalBytes } from './encoding.ts';
import { Entry } from './entry.ts';
import { objectKey } from './keys.ts';
import type { KindCache } from './kind-cache.ts';

/** What is stored at a key: bytes to serve, and the decoded object on demand. */
export interface Stored {
  readonly entry: Entry;
  /** A fresh copy on each call. */
  decode(): Unstructured;
}

export type Change =
  | { readonly type: 'put'; readonly object: Unstructured; readonly ttlSeconds?: number | undefined }
  /** `last` is what the writer made of the object in the moment of its end, for the answer. */
  | { readonly type: 'delete'; readonly last?: Unstructured }
  /** Leave it as it is. */
  | { readonly type: 'none' };

export interface WriteResult {
  readonly entry: Entry;
  /** False when nothing was written because nothing changed. */
  readonly changed: boolean;
}

export interface ObjectStore {
  readonly cache: KindCache;
  /** Linearizable: sees every write acknowledged before the call; with a revision, all up to that one at least. */
  get(namespace: string, name: string, notOlderThan?: number): Awaitable<Entry | undefined>;
  /** Throws 409 AlreadyExists. With `dryRun` only checks. */
  create(obj: Unstructured, options?: { ttlSeconds?: number | undefined; dryRun?: boolean }): Promise<Entry>;
  /**
   * Reads the newest state, asks `change` what to make of it and writes that if nobody wrote meanwhile; else asks again. `change` may
   * run several times. `missing` is asked when there is no object; without it that is 404.
   */
  update(
    namespace: string,
    name: string,
    change: (current: Stored) => Promise<Change>,
    options?: { dryRun?: boolean; missing?: () => Promise<Unstructured> },
  ): Promise<WriteResult & { created: boolean }>;
}

const encodedMax = 3 << 19; // 1.5 MiB, etcd's request limit, which upstream answers for with 413
const maxAttempts = 1_000;

export function toApiError(e: unknown): unknown {
  if (!(e instanceof StoreError)) return e;
  switch (e.code) {
    case 'compacted':
      return errors.expired('The resourceVersion for the provided list is too old.');
    case 'too-large':
      return errors.requestEntityTooLarge(`etcdserver: request is too large: ${e.message}`);
    case 'future-revision':
      return new ApiError(504, 'Timeout', `Timeout: Too large resource version: ${e.message}`, {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      });
    case 'unavailable':
    case 'closed':
      return errors.serviceUnavailable(`the store does not answer: ${e.message}`);
    default:
      return errors.internal(`${e.code}: ${messageOf(e)}`);
  }
}

export function createObjectStore(options: {
  store: Store;
  cacher: Cacher;
  prefix: string;
  resource: GroupResource;
  lease: (ttlSeconds: number) => Promise<number>;
}): ObjectStore {
  const { store, cacher, prefix, resource, lease } = options;
  const cache = cacher.kind(prefix);
  const keyOf = (namespace: string, name: string) => objectKey(namespace, name);
  const decodable = (entry: Entry): Stored => ({ entry, decode: () => entry.object() });

  /** Writes if the key is still at `expected` (0: absent). Gives the entry, or what was found instead. */
  async function put(
    key: string,
    value: Uint8Array,
    object: Unstructured,
    expected: number,
    leaseId: number,
  ): Promise<{ entry: Entry } | { found: KeyValue | undefined }> {
    if (value.length > encodedMax) throw errors.requestEntityTooLarge('etcdserver: request is too large');
    const storeKey = prefix + key;
    const unhint = cacher.hint(storeKey, value, object);
    try {
      const op: Op = { type: 'put', key: storeKey, value, ...(leaseId && { lease: leaseId }) };
      const result = await store.txn({
        compare: [{ key: storeKey, target: 'modRevision', op: '=', value: expected }],
        success: [op],
        failure: [{ type: 'range', range: { start: storeKey } }],
      });
      if (!result.succeeded) return { found: foundIn(result.results) };
      return {
        entry:
          cacher.entryAt(prefix, key, result.revision) ??
          new Entry(key, { value, modRevision: result.revision, lease: leaseId }),
      };
    } catch (e) {
      throw toApiError(e);
    } finally {
      unhint();
    }
  }
  async function remove(key: string, expected: number): Promise<KeyValue | undefined | number> {
    const storeKey = prefix + key;
    try {
      const result = await store.txn({
        compare: [{ key: storeKey, target: 'modRevision', op: '=', value: expected }],
        success: [{ type: 'delete', range: { start: storeKey } }],
        failure: [{ type: 'range', range: { start: storeKey } }],
      });
      return result.succeeded ? result.revision : foundIn(result.results);
    } catch (e) {
      throw toApiError(e);
    }
  }
  function get(namespace: string, name: string, notOlderThan?: number): Awaitable<Entry | undefined> {
    return settle<unknown, Entry | undefined>(
      () => (notOlderThan === undefined ? cacher.fresh() : cacher.waitFor(notOlderThan)),
      () => cache.get(keyOf(namespace, name)),
      e => {
        throw toApiError(e);
      },
    );
  }
  async function create(obj: Unstructured, opts: { ttlSeconds?: number | undefined; dryRun?: boolean } = {}) {
    const key = keyOf(obj.metadata.namespace ?? '', obj.metadata.name);
    if (opts.dryRun) {
      if (await get(obj.metadata.namespace ?? '', obj.metadata.name))
        throw errors.alreadyExists(resource, obj.metadata.name);
      return new Entry(key, { value: encodeStored(obj), modRevision: 0 });
    }
    const leaseId = opts.ttlSeconds ? await lease(opts.ttlSeconds) : 0;
    const result = await put(key, encodeStored(obj), obj, 0, leaseId);
    if ('found' in result) throw errors.alreadyExists(resource, obj.metadata.name);
    return result.entry;
  }

  /** One attempt to carry out a change. Undefined: somebody was faster. */
  async function attempt(current: Entry, change: Change, dryRun: boolean) {
    if (change.type === 'none') return { entry: current, changed: false };
    if (change.type === 'delete') {
      const entry = change.last ? new Entry(current.key, { ...current, value: encodeStored(change.last) }) : current;
      if (dryRun) return { entry, changed: true };
      const outcome = await remove(current.key, current.modRevision);
      if (typeof outcome !== 'number') return { found: outcome };
      return { entry, changed: true, revision: outcome };
    }
    const value = encodeStored(change.object);
    if (equalBytes(value, current.value)) return { entry: current, changed: false };
    if (dryRun) return { entry: new Entry(current.key, { ...current, value }), changed: true };
    const leaseId = change.ttlSeconds ? await lease(change.ttlSeconds) : current.lease;
    const result = await put(current.key, value, change.object, current.modRevision, leaseId);
    if ('found' in result) return result;
    return { entry: result.entry, changed: true };
  }

  return {
    cache,
    get,
    create,
    async update(namespace, name, change, opts = {}) {
      const key = keyOf(namespace, name);
      let current = await get(namespace, name);
      for (let i = 0; i < maxAttempts; i++) {
        if (!current) {
          if (!opts.missing) throw errors.notFound(resource, name);
          const entry = await create(await opts.missing(), { dryRun: opts.dryRun ?? false });
          return { entry, changed: true, created: true };
        }
        const result = await attempt(current, await change(decodable(current)), opts.dryRun ?? false);
        if (!('found' in result)) return { ...result, created: false };
        const { found } = result as { found: KeyValue | undefined };
        current = found && new Entry(key, found);
      }
      throw errors.conflict(resource, name, 'the object changes too often to be updated; please try again');
    },
  };
}

function foundIn(results: readonly { type: string }[]): KeyValue | undefined {
  const [first] = results as { type: string; kvs?: readonly KeyValue[] }[];
  return first?.kvs?.[0];
}
