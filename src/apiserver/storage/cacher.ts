/**
 * Keeps every kind's cache in step with the store over one watch of the whole registry, so that all kinds share one order and one
 * revision. A lost watch is resumed; when history is compacted away, everything is read again and client watches end.
 */
import type { Unstructured } from '../../api/object.ts';
import { type Awaitable, after } from '../../base/awaitable.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { ApiError, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { type KeyValue, prefixRange, type Store, type Watch, type WatchBatch } from '../../store/contract.ts';
import { registryPrefix, splitStoreKey } from './keys.ts';
import { createKindCache, type Entry, type KindCache, type WindowLimits, type WriteHint } from './kind-cache.ts';

export interface Cacher {
  /** Loads everything and follows from there. Resolves when caches hold the store's state. */
  start(): Promise<void>;
  /** The cache of one kind, by store prefix; made when first asked for. */
  kind(prefix: string): KindCache;
  /** The revision up to which all caches are complete. */
  readonly revision: number;
  /** Resolves when caches hold everything up to `revision`. Throws 504 "Too large resource version" after 3 s. */
  waitFor(revision: number): Awaitable<void>;
  /** Resolves when caches hold every write that was acknowledged before the call; gives the revision. */
  fresh(): Awaitable<number>;
  /** Announces a value about to be written at a store key, to spare the decode. Gives the way to take it back. */
  hint(storeKey: string, value: Uint8Array, object: Unstructured): () => void;
  /** The entry at `revision` if the cache has it already. */
  entryAt(prefix: string, key: string, revision: number): Entry | undefined;
  /** Called at times for watchers that want bookmarks. */
  readonly ready: boolean;
  close(): Promise<void>;
}

interface Waiter {
  revision: number;
  resolve(): void;
}

const pageSize = 10_000;
const waitLimitMs = 3_000;
/** A watch that was asked how far it is and has said nothing for so long is made to say it. */
const nudgeAfterMs = 250;
/** Under the registry, so that the watch sees it, and no kind's. */
const progressKey = `${registryPrefix}tsukube.io`;
const emptyObject = new TextEncoder().encode('{}');

export function createCacher(options: {
  store: Store;
  clock: Clock;
  log: Logger;
  corePlurals: ReadonlySet<string>;
  window?: WindowLimits;
}): Cacher {
  const { store, clock, log, corePlurals } = options;
  const kinds = new Map<string, KindCache>();
  const hints = new Map<string, WriteHint>();
  const closed = new AbortController();
  let waiters: Waiter[] = [];
  let revision = 0;
  let ready = false;
  let watch: Watch | undefined;
  let running: Promise<void> | undefined;

  function kind(prefix: string): KindCache {
    let cache = kinds.get(prefix);
    if (!cache) {
      cache = createKindCache(prefix, revision, options.window);
      kinds.set(prefix, cache);
    }
    return cache;
  }
  function advance(to: number): void {
    if (to <= revision) return;
    revision = to;
    if (waiters.length === 0) return;
    const due = waiters.filter(w => w.revision <= to);
    waiters = waiters.filter(w => w.revision > to);
    for (const waiter of due) waiter.resolve();
  }
  function apply(batch: WatchBatch): void {
    for (const { type, kv } of batch.events) {
      const split = splitStoreKey(kv.key, corePlurals);
      if (!split) continue;
      if (type === 'put' && !readable(kv)) {
        log.error('a value in the store is not an object; it is ignored', { key: kv.key });
        continue;
      }
      if (type === 'delete') kind(split.prefix).remove(split.rest, kv.modRevision);
      else {
        const hint = hints.get(kv.key);
        kind(split.prefix).put(kv, hint && hint.value === kv.value ? hint : undefined);
      }
    }
    advance(batch.revision);
  }

  async function readAll(): Promise<number> {
    const { end } = prefixRange(registryPrefix);
    const byPrefix = new Map<string, KeyValue[]>();
    let start = registryPrefix;
    let at: number | undefined;
    for (;;) {
      const page = await store.range(
        { start, ...(end !== undefined && { end }) },
        { limit: pageSize, ...(at !== undefined && { revision: at }) },
      );
      at ??= page.revision;
      for (const kv of page.kvs) {
        const split = splitStoreKey(kv.key, corePlurals);
        if (!split || !readable(kv)) continue;
        const list = byPrefix.get(split.prefix);
        if (list) list.push(kv);
        else byPrefix.set(split.prefix, [kv]);
      }
      const last = page.kvs.at(-1);
      if (!page.more || !last) break;
      start = `${last.key}\0`;
    }
    for (const prefix of new Set([...kinds.keys(), ...byPrefix.keys()]))
      kind(prefix).reset(byPrefix.get(prefix) ?? [], at);
    return at;
  }

  /** One watch, from the revision reached, until it ends or fails. */
  async function follow(onReady: () => void): Promise<void> {
    watch = store.watch(prefixRange(registryPrefix), { fromRevision: revision + 1, progress: true });
    await watch.ready;
    onReady();
    for await (const batch of watch) {
      apply(batch);
      // All that is there, before its writers go on: they find what they wrote.
      for (let next = watch.take?.(); next; next = watch.take?.()) apply(next);
    }
  }

  async function load(): Promise<void> {
    const at = await readAll();
    revision = 0;
    advance(at);
    ready = true;
  }

  async function run(onReady: () => void): Promise<void> {
    for (let delay = 50; !closed.signal.aborted; delay = Math.min(delay * 2, 5_000)) {
      try {
        if (!ready) await load();
        await follow(() => {
          delay = 50;
          onReady();
        });
      } catch (e) {
        if (closed.signal.aborted) return;
        log.warn('the watch of the store ended; it is opened again', { error: messageOf(e) });
        if ((e as { code?: string }).code === 'compacted') ready = false;
        await sleep(clock, delay, closed.signal).catch(() => {});
      }
    }
  }

  function waitFor(wanted: number): Awaitable<void> {
    if (wanted <= revision) return;
    return new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        revision: wanted,
        resolve() {
          timer.cancel();
          resolve();
        },
      };
      const timer = clock.setTimer(
        () => {
          waiters = waiters.filter(w => w !== waiter);
          reject(tooLarge(wanted, revision));
        },
        waitLimitMs,
        { background: true },
      );
      waiters.push(waiter);
      watch?.requestProgress();
    });
  }

  let nudging = false;
  /**
   * Not every etcd answers progress requests (before 3.4.25 and 3.5.8 it may answer wrongly, so it is not asked). When others write to
   * it outside of the registry, only a write of our own shows that the watch has passed their revisions.
   */
  async function nudge(): Promise<void> {
    if (nudging || closed.signal.aborted) return;
    nudging = true;
    try {
      await store.txn({ compare: [], success: [{ type: 'put', key: progressKey, value: emptyObject }], failure: [] });
    } catch (e) {
      log.warn('the watch of the store could not be made to tell its progress', { error: messageOf(e) });
    } finally {
      nudging = false;
    }
  }

  async function catchUp(wanted: number): Promise<number> {
    const timer = clock.setTimer(() => void nudge(), nudgeAfterMs, { background: true });
    try {
      await waitFor(wanted);
    } finally {
      timer.cancel();
    }
    return wanted;
  }

  return {
    async start() {
      await new Promise<void>((resolve, reject) => {
        running = run(resolve);
        running.then(() => reject(new Error('closed before it was ready')), reject);
      });
    },
    kind,
    get revision() {
      return revision;
    },
    get ready() {
      return ready;
    },
    waitFor,
    fresh: () => after(store.revision(), wanted => (wanted <= revision ? wanted : catchUp(wanted))),
    hint(storeKey, value, object) {
      const hint = { value, object };
      hints.set(storeKey, hint);
      return () => {
        if (hints.get(storeKey) === hint) hints.delete(storeKey);
      };
    },
    entryAt(prefix, key, at) {
      const entry = kinds.get(prefix)?.get(key);
      return entry?.modRevision === at ? entry : undefined;
    },
    async close() {
      closed.abort(new Error('closed'));
      watch?.cancel();
      for (const cache of kinds.values()) cache.reset([], revision);
      await running?.catch(() => {});
    },
  };
}

/** Objects are JSON; anything else under the registry (protobuf of a real kube-apiserver, say) is not ours. */
function readable({ value }: KeyValue): boolean {
  return value[0] === 0x7b && value[value.length - 1] === 0x7d;
}

/** Upstream's NewTooLargeResourceVersionError. */
function tooLarge(wanted: number, current: number): ApiError {
  return new ApiError(504, 'Timeout', `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}
