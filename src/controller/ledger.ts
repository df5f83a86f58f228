import type { KubeObject } from '../api/object.ts';
import type { Informer } from '../client/contract.ts';

/**
 * What a controller wrote and its cache does not show yet, per key. It takes the place of upstream's expectations (counts of events to
 * come, which a missed event leaves wrong until they expire after five minutes). Here the ledger asks the cache itself:
 * - a created object is visible when its uid is in the cache, or when the cache is as new as the object's resourceVersion (it was created
 *   and is gone again; since v1.35 upstream too defines resourceVersions of one resource to be comparable);
 * - a deleted one when its uid is gone or marked for deletion.
 * Both come true however the news arrives (event, repeated event, new list), so nothing can be waited for in vain. A decision taken while
 * `settled(key)` holds counts every object that this process made or removed.
 */
export interface WriteLedger<T extends KubeObject> {
  created(key: string, obj: T): void;
  deleted(key: string, uid: string): void;
  /** Ask before reading the cache: what is read afterwards is at least as new as this answer. */
  settled(key: string): boolean;
  forget(key: string): void;
}

export function createWriteLedger<T extends KubeObject>(informer: Informer<T>): WriteLedger<T> {
  const creations = new Map<string, Map<string, string>>();
  const deletions = new Map<string, Set<string>>();
  const byUid = (uid: string) => informer.store.byIndex('uid', uid)[0];
  const visible = (uid: string, revision: string) => byUid(uid) !== undefined || atLeast(informer.revision, revision);
  const goneOrGoing = (uid: string) => {
    const obj = byUid(uid);
    return !obj || obj.metadata.deletionTimestamp !== undefined;
  };
  return {
    created(key, { metadata: { uid = '', resourceVersion = '' } }) {
      const known = creations.get(key) ?? new Map<string, string>();
      creations.set(key, known.set(uid, resourceVersion));
    },
    deleted(key, uid) {
      const known = deletions.get(key) ?? new Set<string>();
      deletions.set(key, known.add(uid));
    },
    settled(key) {
      const made = creations.get(key);
      for (const [uid, revision] of made ?? []) {
        if (!visible(uid, revision)) return false;
        made?.delete(uid);
      }
      creations.delete(key);
      const removed = deletions.get(key);
      for (const uid of removed ?? []) {
        if (!goneOrGoing(uid)) return false;
        removed?.delete(uid);
      }
      deletions.delete(key);
      return true;
    },
    forget(key) {
      creations.delete(key);
      deletions.delete(key);
    },
  };
}

/** Compares resourceVersions of one resource as the decimal numbers they are; false when either is not one. */
export function atLeast(revision: string, other: string): boolean {
  if (!/^\d+$/.test(revision) || !/^\d+$/.test(other)) return false;
  return revision.length === other.length ? revision >= other : revision.length > other.length;
}
