/** The history of the store as it happened: what every watch, at the store and at the API, is held against. */
import type { Unstructured } from '../../api/object.ts';

/** One key changed in one revision. */
export interface Entry {
  readonly revision: number;
  readonly key: string;
  /** Undefined when it was deleted. */
  readonly value: Uint8Array | undefined;
  readonly previous: Entry | undefined;
}

export interface Records {
  /** The newest revision of which everything is known. */
  readonly revision: number;
  /** In order, a revision at a time. */
  add(revision: number, changes: readonly { readonly key: string; readonly value: Uint8Array | undefined }[]): void;
  newest(key: string): Entry | undefined;
  /** Every key that exists. */
  keys(): Iterable<string>;
  /** After `after`, up to and with `through`, in order. */
  between(after: number, through: number): readonly Entry[];
  /** Calls once `revision` is known: now, or after it was added. */
  once(revision: number, fn: () => void): void;
}

const decoder = new TextDecoder();
const decoded = new WeakMap<Entry, Unstructured>();

/** The object of an entry with a value. Decoded once, and not to be changed. */
export function objectOf(entry: Entry): Unstructured | undefined {
  if (!entry.value) return undefined;
  const known = decoded.get(entry);
  if (known) return known;
  const object = JSON.parse(decoder.decode(entry.value)) as Unstructured;
  if (object.metadata) object.metadata.resourceVersion = String(entry.revision);
  decoded.set(entry, object);
  return object;
}

export function createRecords(): Records {
  const entries: Entry[] = [];
  const newest = new Map<string, Entry>();
  let waiting: { revision: number; fn: () => void }[] = [];
  let revision = 0;

  /** Index of the first entry after the revision. */
  function indexAfter(after: number): number {
    let [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((entries[middle]?.revision ?? 0) <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  return {
    get revision() {
      return revision;
    },
    add(at, changes) {
      for (const { key, value } of changes) {
        const entry = { revision: at, key, value, previous: newest.get(key) };
        entries.push(entry);
        if (value) newest.set(key, entry);
        else newest.delete(key);
      }
      revision = at;
      const due = waiting.filter(one => one.revision <= at);
      if (due.length === 0) return;
      waiting = waiting.filter(one => one.revision > at);
      for (const { fn } of due) fn();
    },
    newest: key => newest.get(key),
    keys: () => newest.keys(),
    between: (after, through) => entries.slice(indexAfter(after), indexAfter(through)),
    once(at, fn) {
      if (at <= revision) fn();
      else waiting.push({ revision: at, fn });
    },
  };
}
