/** Reads of many objects at one revision: from the cache's snapshots, or from the store for what the cache has forgotten. */
import { errors } from '../../base/errors.ts';
import { type Store, StoreError } from '../../store/contract.ts';
import type { Cacher } from './cacher.ts';
import { decodeContinue, encodeContinue, expiredContinue } from './continue-token.ts';
import { Entry } from './entry.ts';
import type { KindCache } from './kind-cache.ts';
import { toApiError } from './object-store.ts';

export interface ListQuery {
  /** Key range within the kind. */
  readonly start: string;
  readonly end: string | undefined;
  readonly exactKey: string | undefined;
  readonly unfiltered: boolean;
  matches(entry: Entry): boolean;
  readonly limit: number;
  readonly continueToken: string;
  /** As the client sent it; undefined for "the newest". */
  readonly resourceVersion: number | undefined;
  readonly match: 'Exact' | 'NotOlderThan' | undefined;
}

export interface ListResult {
  readonly items: readonly Entry[];
  readonly revision: number;
  readonly continueToken: string | undefined;
  readonly remaining: number | undefined;
}

export async function listEntries(
  cacher: Cacher,
  cache: KindCache,
  store: Store,
  query: ListQuery,
): Promise<ListResult> {
  if (query.continueToken) return continueList(cacher, cache, store, query);
  const { resourceVersion, match, limit } = query;
  // Any state will do, and then upstream gives all of it.
  if (resourceVersion === 0) return newest(cacher, cache, { ...query, limit: 0 }, query.start);
  if (resourceVersion === undefined) await fresh(cacher);
  else {
    await cacher.waitFor(resourceVersion);
    if (match === 'Exact' || (match === undefined && limit > 0))
      return at(cacher, cache, store, query, resourceVersion);
  }
  return newest(cacher, cache, query, query.start);
}

async function fresh(cacher: Cacher): Promise<void> {
  try {
    await cacher.fresh();
  } catch (e) {
    throw toApiError(e);
  }
}

function newest(cacher: Cacher, cache: KindCache, query: ListQuery, start: string): ListResult {
  const { root } = cache;
  if (!query.unfiltered || query.limit > 0 || query.exactKey !== undefined)
    return fromRoot(root, query, start, cacher.revision);
  const known = recent.get(cache);
  const items = known?.root.deref() === root && known.start === start ? known.items.deref() : undefined;
  if (items) return finish(items, cacher.revision, undefined, undefined);
  const result = fromRoot(root, query, start, cacher.revision);
  recent.set(cache, { root: new WeakRef(root), start, items: new WeakRef(result.items) });
  return result;
}

/** The last whole list of each kind, while it is in memory anyway: who lists the same state gets the same array. */
const recent = new WeakMap<
  KindCache,
  { readonly root: WeakRef<KindCache['root']>; readonly start: string; readonly items: WeakRef<readonly Entry[]> }
>();

async function continueList(cacher: Cacher, cache: KindCache, store: Store, query: ListQuery): Promise<ListResult> {
  const { revision, start } = decodeContinue(query.continueToken);
  if (query.resourceVersion !== undefined && query.resourceVersion !== 0)
    throw errors.badRequest('specifying resource version is not allowed when using continue');
  if (start < query.start || (query.end !== undefined && start >= query.end))
    throw errors.badRequest(`invalid continue token: continue key is not valid: ${start}`);
  if (revision < 0) {
    await fresh(cacher);
    return newest(cacher, cache, query, start);
  }
  try {
    return await at(cacher, cache, store, query, revision, start);
  } catch (e) {
    throw e instanceof Error && 'code' in e && e.code === 410 ? expiredContinue(start) : e;
  }
}

async function at(
  cacher: Cacher,
  cache: KindCache,
  store: Store,
  query: ListQuery,
  revision: number,
  start = query.start,
): Promise<ListResult> {
  await cacher.waitFor(revision);
  const root = cache.rootAt(revision);
  if (root) return fromRoot(root, query, start, revision);
  return fromStore(cache, store, query, revision, start);
}

function fromRoot(root: KindCache['root'], query: ListQuery, start: string, revision: number): ListResult {
  const { limit, end } = query;
  if (query.exactKey !== undefined) {
    const entry = root.get(query.exactKey);
    return finish(entry && query.matches(entry) ? [entry] : [], revision, undefined, undefined);
  }
  if (query.unfiltered) {
    const items = root.values(start, end, limit > 0 ? limit + 1 : undefined);
    if (limit === 0 || items.length <= limit) return finish(items, revision, undefined, undefined);
    const next = items.pop() as Entry;
    return finish(items, revision, next.key, root.count(next.key, end));
  }
  const items: Entry[] = [];
  let next: string | undefined;
  root.scan(
    (key, entry) => {
      if (!query.matches(entry)) return true;
      if (limit > 0 && items.length === limit) {
        next = key;
        return false;
      }
      items.push(entry);
      return true;
    },
    start,
    end,
  );
  return finish(items, revision, next, undefined);
}

function finish(
  items: readonly Entry[],
  revision: number,
  next: string | undefined,
  remaining: number | undefined,
): ListResult {
  return { items, revision, continueToken: next && encodeContinue({ revision, start: next }), remaining };
}

async function fromStore(
  cache: KindCache,
  store: Store,
  query: ListQuery,
  revision: number,
  start: string,
): Promise<ListResult> {
  const end = query.end === undefined ? `${cache.prefix.slice(0, -1)}0` : cache.prefix + query.end;
  const items: Entry[] = [];
  let from = cache.prefix + start;
  for (;;) {
    const page = await store
      .range({ start: from, end }, { revision, ...(query.limit > 0 && { limit: query.limit + 1 }) })
      .catch(e => {
        throw e instanceof StoreError ? toApiError(e) : e;
      });
    for (const kv of page.kvs) {
      const key = kv.key.slice(cache.prefix.length);
      const entry = new Entry(key, kv);
      if (!query.matches(entry) || (query.exactKey !== undefined && key !== query.exactKey)) continue;
      if (query.limit > 0 && items.length === query.limit)
        return finish(items, revision, key, query.unfiltered ? page.count - items.length : undefined);
      items.push(entry);
    }
    const last = page.kvs.at(-1);
    if (!page.more || !last) return finish(items, revision, undefined, undefined);
    from = `${last.key}\0`;
  }
}
