import { type KubeObject, keyOf } from '../../api/object.ts';
import type { Informer } from '../../client/contract.ts';
import { atLeast } from '../../controller/ledger.ts';

/** A cache with what this process wrote on top, until the cache has caught up: upstream's assume cache. For loops of one worker. */
export interface Overlay<T> {
  get(key: string): T | undefined;
  list(): T[];
  /** Call with what the server answered to a write; gives it back. */
  wrote(obj: T): T;
}

export function overlay<T extends KubeObject>(informer: Informer<T>): Overlay<T> {
  const own = new Map<string, T>();
  const isNewer = (key: string, mine: T): boolean => {
    const cached = informer.store.get(key);
    const seen = cached?.metadata.resourceVersion ?? informer.revision;
    if (!atLeast(seen, mine.metadata.resourceVersion ?? '')) return true;
    own.delete(key);
    return false;
  };
  return {
    get(key) {
      const mine = own.get(key);
      return mine && isNewer(key, mine) ? mine : informer.store.get(key);
    },
    list() {
      const fresh = [...own].filter(([key, mine]) => isNewer(key, mine));
      if (fresh.length === 0) return informer.store.list();
      const keys = new Set(fresh.map(([key]) => key));
      return [...informer.store.list().filter(obj => !keys.has(keyOf(obj))), ...fresh.map(([, obj]) => obj)];
    },
    wrote(obj) {
      own.set(keyOf(obj), obj);
      return obj;
    },
  };
}
