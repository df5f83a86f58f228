import { controllerOf, type KubeObject, keyOf } from '../api/object.ts';
import type { ReadonlyCache } from './contract.ts';

type IndexFunction<T> = (obj: T) => readonly string[];
interface Index<T> {
  keys: IndexFunction<T>;
  values: Map<string, Map<string, T>>;
}

/** The informer's copy of a resource: objects by key, with inverted indexes. */
export interface Cache<T extends KubeObject> extends ReadonlyCache<T> {
  /** The object that was there before. */
  put(obj: T): T | undefined;
  remove(key: string): T | undefined;
  addIndex(name: string, keys: IndexFunction<T>): void;
  keys(): IterableIterator<string>;
}

/** "namespace", "uid" and "owner" (uid of the controller) always exist. */
export function createCache<T extends KubeObject>(): Cache<T> {
  const objects = new Map<string, T>();
  const indexes = new Map<string, Index<T>>();
  const enter = (index: Index<T>, key: string, obj: T) => {
    for (const value of index.keys(obj)) {
      const bucket = index.values.get(value);
      if (bucket) bucket.set(key, obj);
      else index.values.set(value, new Map([[key, obj]]));
    }
  };
  const leave = (index: Index<T>, key: string, obj: T) => {
    for (const value of index.keys(obj)) {
      const bucket = index.values.get(value);
      bucket?.delete(key);
      if (bucket?.size === 0) index.values.delete(value);
    }
  };
  const cache: Cache<T> = {
    get: key => objects.get(key),
    list: () => [...objects.values()],
    keys: () => objects.keys(),
    byIndex(name, value) {
      const index = indexes.get(name);
      if (!index) throw new Error(`no index named ${name}`);
      return [...(index.values.get(value)?.values() ?? [])];
    },
    get size() {
      return objects.size;
    },
    put(obj) {
      const key = keyOf(obj);
      const old = objects.get(key);
      objects.set(key, obj);
      for (const index of indexes.values()) {
        if (old) leave(index, key, old);
        enter(index, key, obj);
      }
      return old;
    },
    remove(key) {
      const old = objects.get(key);
      if (!old) return undefined;
      objects.delete(key);
      for (const index of indexes.values()) leave(index, key, old);
      return old;
    },
    addIndex(name, keys) {
      if (indexes.has(name)) return;
      const index: Index<T> = { keys, values: new Map() };
      for (const [key, obj] of objects) enter(index, key, obj);
      indexes.set(name, index);
    },
  };
  cache.addIndex('namespace', obj => (obj.metadata.namespace ? [obj.metadata.namespace] : []));
  cache.addIndex('uid', obj => (obj.metadata.uid ? [obj.metadata.uid] : []));
  cache.addIndex('owner', obj => {
    const owner = controllerOf(obj);
    return owner ? [owner.uid] : [];
  });
  return cache;
}

/** Freezes a JSON value all the way down, so that a change of a shared object throws where it is made. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
