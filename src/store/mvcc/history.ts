import { type KeyRange, StoreError, type WatchBatch, type WatchEvent } from '../contract.ts';
import { inRange } from './check.ts';
import type { Commit, State } from './state.ts';

export const compactedError = (oldest: number) =>
  new StoreError('compacted', 'required revision has been compacted', oldest);
export const futureError = () => new StoreError('future-revision', 'required revision is a future revision');

/** A state holds the paths that its change copied, so one in so many is kept, and those between are made again when somebody asks. */
const stateEvery = 64;

/** A revision as it is kept. */
interface Kept extends Omit<State, 'keys'> {
  readonly events: readonly WatchEvent[];
  readonly keys: State['keys'] | undefined;
}

/**
 * The changes of consecutive revisions, newest last, and the states they led to. A fork shares the array: whoever appends to a part that
 * another has already extended copies it first.
 */
export class History {
  #kept: Kept[];
  #first: number;
  #start: number;
  #end: number;

  private constructor(kept: Kept[], first: number, start: number, end: number) {
    this.#kept = kept;
    this.#first = first;
    this.#start = start;
    this.#end = end;
  }

  static startingAt(state: State): History {
    return new History([{ ...state, events: [] }], state.revision, 0, 1);
  }

  /** The oldest revision whose state is kept. */
  get oldest(): number {
    return this.#first + this.#start;
  }
  get newest(): number {
    return this.#first + this.#end - 1;
  }
  get length(): number {
    return this.#end - this.#start;
  }

  /** What a revision changed. */
  eventsAt(revision: number): readonly WatchEvent[] | undefined {
    return this.#has(revision) ? this.#kept[revision - this.#first]?.events : undefined;
  }

  stateAt(revision: number): State | undefined {
    if (!this.#has(revision)) return undefined;
    const at = revision - this.#first;
    let from = at;
    while (!this.#kept[from]?.keys) from -= 1;
    let { keys, ...state } = this.#kept[from] as Kept & State;
    for (const kept of this.#kept.slice(from + 1, at + 1)) {
      keys = kept.events.reduce(
        (map, { type, kv }) => (type === 'put' ? map.set(kv.key, kv) : map.delete(kv.key)),
        keys,
      );
      state = kept;
    }
    const { leases, leaseKeys } = state;
    return { revision, keys, leases, leaseKeys };
  }

  append({ state, events }: Commit): void {
    if (this.#kept.length !== this.#end) this.#trim();
    const { revision, leases, leaseKeys } = state;
    const keys = revision % stateEvery === 0 ? state.keys : undefined;
    this.#kept.push({ revision, keys, leases, leaseKeys, events });
    this.#end += 1;
  }

  /** Forgets what is older than `revision`. */
  dropBefore(revision: number): void {
    this.#start = Math.max(this.#start, Math.min(revision - this.#first, this.#end - 1));
    if (this.#start > 1024 && this.#start * 2 > this.#end) this.#trim();
  }

  #has(revision: number): boolean {
    return revision >= this.oldest && revision <= this.newest;
  }

  #trim(): void {
    const [oldest, ...later] = this.#kept.slice(this.#start, this.#end);
    const { events } = oldest as Kept;
    this.#kept = [{ ...(this.stateAt(this.oldest) as State), events }, ...later];
    this.#first += this.#start;
    this.#end -= this.#start;
    this.#start = 0;
  }

  /** A history that ends at `revision` and goes its own way from there. */
  fork(revision = this.newest): History {
    return new History(this.#kept, this.#first, this.#start, revision - this.#first + 1);
  }
}

export function withoutPrev(event: WatchEvent): WatchEvent {
  return event.prevKv ? { type: event.type, kv: event.kv } : event;
}

/** The part of a revision's events that a watch of `range` is told of; undefined when there is none. */
export function batchOf(
  revision: number,
  all: readonly WatchEvent[],
  range: KeyRange,
  prevKv: boolean,
): WatchBatch | undefined {
  const events = all.filter(event => inRange(range, event.kv.key));
  if (events.length === 0) return undefined;
  return { revision, events: prevKv ? events : events.map(withoutPrev) };
}
