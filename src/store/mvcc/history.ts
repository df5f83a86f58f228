import { type KeyRange, StoreError, type WatchBatch, type WatchEvent } from '../contract.ts';
import { inRange } from './check.ts';
import type { Commit, State } from './state.ts';

export const compactedError = (oldest: number) =>
  new StoreError('compacted', 'required revision has been compacted', oldest);
export const futureError = () => new StoreError('future-revision', 'required revision is a future revision');

/**
 * The commits of consecutive revisions, newest last. A fork shares the array: whoever appends to a part that another has already
 * extended copies it first.
 */
export class History {
  #commits: Commit[];
  #first: number;
  #start: number;
  #end: number;

  private constructor(commits: Commit[], first: number, start: number, end: number) {
    this.#commits = commits;
    this.#first = first;
    this.#start = start;
    this.#end = end;
  }

  static startingAt(state: State): History {
    return new History([{ state, events: [] }], state.revision, 0, 1);
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

  at(revision: number): Commit | undefined {
    const index = revision - this.#first;
    return index >= this.#start && index < this.#end ? this.#commits[index] : undefined;
  }

  append(commit: Commit): void {
    if (this.#commits.length !== this.#end) this.#trim();
    this.#commits.push(commit);
    this.#end += 1;
  }

  /** Forgets what is older than `revision`. */
  dropBefore(revision: number): void {
    this.#start = Math.max(this.#start, Math.min(revision - this.#first, this.#end - 1));
    if (this.#start > 1024 && this.#start * 2 > this.#end) this.#trim();
  }

  #trim(): void {
    this.#commits = this.#commits.slice(this.#start, this.#end);
    this.#first += this.#start;
    this.#end -= this.#start;
    this.#start = 0;
  }

  /** A history that ends at `revision` and goes its own way from there. */
  fork(revision = this.newest): History {
    return new History(this.#commits, this.#first, this.#start, revision - this.#first + 1);
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
