/** The watch cache of one kind: the newest objects in key order, recent snapshots, and a window of recent events. */
import type { Unstructured } from '../../api/object.ts';
import { PersistentMap } from '../../base/persistent-map.ts';
import type { KeyValue } from '../../store/contract.ts';
import { Entry, type Selectable } from './entry.ts';

export interface CacheEvent {
  readonly revision: number;
  /** The new state; for a deletion the last state, with the deletion's revision. */
  readonly entry: Entry;
  readonly previous: Entry | undefined;
  readonly deleted: boolean;
  /** All objects after this event; kept with one event of `snapshotEvery`. */
  readonly snapshot: PersistentMap<Entry> | undefined;
  /** Memo: encoded watch frames, by encoder name and event type. */
  frames: Map<string, Uint8Array> | undefined;
}

interface Listener {
  onEvent(event: CacheEvent): void;
  /** The cache lost its place and was rebuilt: the watch must end. */
  onReset(): void;
}

export interface KindCache {
  readonly prefix: string;
  get(key: string): Entry | undefined;
  /** The newest objects. */
  readonly root: PersistentMap<Entry>;
  /** Objects as of a revision; undefined when it is older than the window. */
  rootAt(revision: number): PersistentMap<Entry> | undefined;
  /** Watches may start at this revision or later. */
  readonly oldest: number;
  /** Events after `revision` in order. Only for `revision >= oldest`. */
  eventsAfter(revision: number): readonly CacheEvent[];
  subscribe(listener: Listener): () => void;
  put(kv: KeyValue, hint: WriteHint | undefined): Entry;
  remove(key: string, revision: number): void;
  /** Replaces everything (in key order), at `revision`; ends watches that were there. */
  reset(kvs: Iterable<KeyValue>, revision: number): void;
  /** How fields are read from an object of this kind. Changing it forgets what was memoized. */
  setFields(fieldsOf: FieldsOf): void;
  selectableOf(entry: Entry): Selectable;
}

type FieldsOf = (obj: Unstructured) => Record<string, string>;

/** What the writer in this process already knows about a value: spares the cache a decode. */
export interface WriteHint {
  readonly value: Uint8Array;
  readonly object: Unstructured;
}

export interface WindowLimits {
  readonly events: number;
  readonly bytes: number;
}
const defaultWindow: WindowLimits = { events: 10_000, bytes: 32 << 20 };

const noLabels: Readonly<Record<string, string>> = Object.freeze({});

function metadataFields(obj: Unstructured): Record<string, string> {
  const { name = '', namespace } = obj.metadata;
  return namespace ? { 'metadata.name': name, 'metadata.namespace': namespace } : { 'metadata.name': name };
}

/** Each snapshot holds the paths that were copied since the one before; states between them are made again when somebody asks. */
const snapshotEvery = 64;

function replay(root: PersistentMap<Entry>, events: readonly CacheEvent[]): PersistentMap<Entry> {
  return root.update(new Map(events.map(({ entry, deleted }) => [entry.key, deleted ? undefined : entry])));
}

/** A queue of events that forgets the oldest when it is full, by count or by bytes. */
function eventWindow(limits: WindowLimits) {
  /** What was there before the first of `events`. */
  let base = PersistentMap.empty<Entry>();
  let events: CacheEvent[] = [];
  /** Those before are forgotten, and only here until there are enough to be worth a copy. */
  let head = 0;
  let size = 0;
  const weight = (e: CacheEvent) => e.entry.value.length;

  function forget(): void {
    let cut = head;
    while (cut > 0 && !events[cut - 1]?.snapshot) cut -= 1;
    base = events[cut - 1]?.snapshot ?? base;
    events = events.slice(cut);
    head -= cut;
  }
  return {
    push(event: CacheEvent, dropped: (event: CacheEvent) => void) {
      events.push(event);
      size += weight(event);
      while (events.length - head > limits.events || (size > limits.bytes && events.length - head > 1)) {
        const oldest = events[head] as CacheEvent;
        size -= weight(oldest);
        head += 1;
        dropped(oldest);
      }
      if (head > 1024 && head * 4 > events.length) forget();
    },
    clear(root: PersistentMap<Entry>) {
      base = root;
      events = [];
      head = 0;
      size = 0;
    },
    /** All objects as they were before the event of this index. */
    rootBefore(index: number): PersistentMap<Entry> {
      let from = index;
      while (from > 0 && !events[from - 1]?.snapshot) from -= 1;
      return replay(events[from - 1]?.snapshot ?? base, events.slice(from, index));
    },
    /** Index of the first event whose revision is greater. */
    after(revision: number): number {
      let low = head;
      let high = events.length;
      while (low < high) {
        const mid = (low + high) >> 1;
        if ((events[mid] as CacheEvent).revision > revision) high = mid;
        else low = mid + 1;
      }
      return low;
    },
    at: (index: number): CacheEvent | undefined => events[index],
    from: (index: number): readonly CacheEvent[] => events.slice(index),
  };
}

export function createKindCache(prefix: string, revision: number, limits: WindowLimits = defaultWindow): KindCache {
  const byKey = new Map<string, Entry>();
  let root = PersistentMap.empty<Entry>();
  /** What changed since `root`, which is brought up to date when it is asked for: many changes at once are cheaper. */
  const changed = new Map<string, Entry | undefined>();
  let untilSnapshot = snapshotEvery;
  let oldest = revision;
  let fieldsOf: FieldsOf = () => ({});
  const window = eventWindow(limits);
  const listeners = new Set<Listener>();

  const describe = (obj: Unstructured): Selectable => ({
    labels: obj.metadata.labels ?? noLabels,
    fields: { ...metadataFields(obj), ...fieldsOf(obj) },
  });
  function currentRoot(): PersistentMap<Entry> {
    if (changed.size > 0) {
      root = root.update(changed);
      changed.clear();
    }
    return root;
  }
  function publish(change: Omit<CacheEvent, 'snapshot' | 'frames'>): void {
    untilSnapshot = untilSnapshot > 1 ? untilSnapshot - 1 : snapshotEvery;
    const snapshot = untilSnapshot === snapshotEvery ? currentRoot() : undefined;
    const event: CacheEvent = { ...change, snapshot, frames: undefined };
    window.push(event, dropped => {
      oldest = dropped.revision;
    });
    for (const listener of listeners) listener.onEvent(event);
    // Watchers hold the frames they wait with; those that come later make their own.
    event.frames = undefined;
  }
  return {
    prefix,
    get: key => byKey.get(key),
    get root() {
      return currentRoot();
    },
    get oldest() {
      return oldest;
    },
    rootAt(at) {
      if (at < oldest) return undefined;
      const index = window.after(at);
      return window.at(index) ? window.rootBefore(index) : currentRoot();
    },
    eventsAfter: at => window.from(window.after(at)),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    put(kv, hint) {
      const key = kv.key.slice(prefix.length);
      const previous = byKey.get(key);
      const entry = new Entry(key, kv, hint && describe(hint.object));
      byKey.set(key, entry);
      changed.set(key, entry);
      publish({ revision: kv.modRevision, entry, previous, deleted: false });
      return entry;
    },
    remove(key, at) {
      const previous = byKey.get(key);
      if (!previous) return;
      byKey.delete(key);
      changed.set(key, undefined);
      const entry = previous.at(at);
      publish({ revision: at, entry, previous, deleted: true });
    },
    reset(kvs, at) {
      byKey.clear();
      for (const kv of kvs) {
        const key = kv.key.slice(prefix.length);
        byKey.set(key, new Entry(key, kv));
      }
      changed.clear();
      root = PersistentMap.fromSorted([...byKey]);
      window.clear(root);
      oldest = at;
      const ended = [...listeners];
      listeners.clear();
      for (const listener of ended) listener.onReset();
    },
    setFields(of) {
      fieldsOf = of;
      for (const entry of byKey.values()) entry.selectable = undefined;
    },
    selectableOf: entry => (entry.selectable ??= describe(entry.object())),
  };
}

export { Entry } from './entry.ts';
