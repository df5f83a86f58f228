import { type KeyRange, prefixRange, type StoreError, type WatchBatch, type WatchEvent } from '../contract.ts';
import { inRange } from './check.ts';
import { withoutPrev } from './history.ts';
import type { Commit } from './state.ts';
import type { StoreWatch } from './watch.ts';

/** The watches of one range: they share the batches made for them. */
interface Group {
  readonly range: KeyRange;
  readonly watches: Set<StoreWatch>;
}

/**
 * Finds the watches that a change concerns. A watch of one key or of a prefix (nearly all are) is found by looking up the changed key
 * and its beginnings; others are tried one by one. The cost of a change grows with the watches it concerns, not with all.
 */
export class Watchers {
  readonly #keys = new Map<string, Group>();
  readonly #prefixes = new Map<string, Group>();
  /** How many prefixes of each length there are. */
  readonly #prefixLengths = new Map<number, number>();
  readonly #others = new Map<string, Group>();
  readonly #all = new Set<StoreWatch>();

  get size(): number {
    return this.#all.size;
  }

  add(watch: StoreWatch): void {
    this.#all.add(watch);
    const [index, name] = this.#place(watch.range);
    const group = index.get(name) ?? { range: watch.range, watches: new Set() };
    group.watches.add(watch);
    if (index === this.#prefixes && !index.has(name)) this.#countPrefix(name.length, 1);
    index.set(name, group);
  }

  remove(watch: StoreWatch): void {
    if (!this.#all.delete(watch)) return;
    const [index, name] = this.#place(watch.range);
    const group = index.get(name);
    group?.watches.delete(watch);
    if (!group || group.watches.size > 0) return;
    index.delete(name);
    if (index === this.#prefixes) this.#countPrefix(name.length, -1);
  }

  /** Hands a new revision to every watch it concerns. */
  publish(commit: Commit): void {
    if (this.#all.size === 0) return;
    const [only] = commit.events;
    if (only && commit.events.length === 1) {
      for (const group of this.#groupsOf(only.kv.key)) offerAll(group, commit.state.revision, commit.events);
      return;
    }
    const concerned = new Map<Group, WatchEvent[]>();
    for (const event of commit.events) {
      for (const group of this.#groupsOf(event.kv.key)) {
        const events = concerned.get(group);
        if (events) events.push(event);
        else concerned.set(group, [event]);
      }
    }
    for (const [group, events] of concerned) offerAll(group, commit.state.revision, events);
  }

  /** Asks for a notice on every watch that wants them. True when there is such a watch. */
  notifyProgress(): boolean {
    let any = false;
    for (const watch of this.#all) {
      if (!watch.progress) continue;
      any = true;
      watch.requestProgress();
    }
    return any;
  }

  end(failure?: StoreError): void {
    for (const watch of [...this.#all]) watch.end(failure);
  }

  #groupsOf(key: string): Group[] {
    const found: Group[] = [];
    const exact = this.#keys.get(key);
    if (exact) found.push(exact);
    for (const length of this.#prefixLengths.keys()) {
      const group = length <= key.length ? this.#prefixes.get(key.slice(0, length)) : undefined;
      if (group) found.push(group);
    }
    for (const group of this.#others.values()) if (inRange(group.range, key)) found.push(group);
    return found;
  }

  #place(range: KeyRange): [Map<string, Group>, string] {
    if (range.end === undefined) return [this.#keys, range.start];
    if (prefixRange(range.start).end === range.end) return [this.#prefixes, range.start];
    return [this.#others, `${range.start}\0${range.end}`];
  }

  #countPrefix(length: number, by: number): void {
    const count = (this.#prefixLengths.get(length) ?? 0) + by;
    if (count === 0) this.#prefixLengths.delete(length);
    else this.#prefixLengths.set(length, count);
  }
}

function offerAll(group: Group, revision: number, events: readonly WatchEvent[]): void {
  const full: WatchBatch = { revision, events };
  let bare: WatchBatch | undefined;
  for (const watch of group.watches) {
    if (watch.prevKv) watch.offer(full);
    else watch.offer((bare ??= { revision, events: events.map(withoutPrev) }));
  }
}
