/**
 * Watches that ask for the same get the same frames: an event is filtered and encoded once for all of them. They are told in rounds, some
 * in each turn of the event loop, and each gets all that happened since it was told last: so thousands of watchers do not keep requests
 * waiting, and the more there is to do, the less each event costs.
 */
import type { CacheEvent, KindCache } from '../storage/kind-cache.ts';
import { inPieces, type Piece } from './frame-queue.ts';

/** One watcher's end. */
interface Receiver {
  pushPieces(pieces: readonly Piece[]): void;
  /** The cache lost its place: the watch must end. */
  end(): void;
}

/** A watcher on a channel. */
interface Membership {
  /** Hands out what waits for this watcher, who has something to say after it. */
  catchUp(): void;
  leave(): void;
}

/** Frames of a kind as one sort of watch sees them. Alive while it has members. */
interface Channel {
  /** The receiver gets what happens from now on. */
  join(receiver: Receiver): Membership;
}

/** The frame of an event; undefined when these watches do not see it. */
type FrameOf = (event: CacheEvent) => Uint8Array | undefined;

export interface Broadcasts {
  /** The channel of this name, which tells alike watches of one cache. Without a name it is the caller's own. */
  channel(cache: KindCache, name: string | undefined, frameOf: FrameOf): Channel;
}

/** Watchers of one channel that are told in one turn: about half a millisecond's work. */
const membersPerTurn = 64;

/** `atEndOfTurn` calls a function once everything that is at hand now has been seen to. */
export function createBroadcasts(atEndOfTurn: (fn: () => void) => void, perTurn: number = membersPerTurn): Broadcasts {
  const byCache = new WeakMap<KindCache, Map<string, Channel>>();
  return {
    channel(cache, name, frameOf) {
      const made = (left: () => void) => createChannel({ cache, frameOf, atEndOfTurn, perTurn, left });
      if (name === undefined) return made(() => {});
      const named = byCache.get(cache) ?? new Map<string, Channel>();
      byCache.set(cache, named);
      let channel = named.get(name);
      if (!channel) {
        channel = made(() => named.delete(name));
        named.set(name, channel);
      }
      return channel;
    },
  };
}

/** Frames that not all have got, by their number in order. */
class FrameLog {
  #frames: Uint8Array[] = [];
  /** The number of the first that is kept. */
  #first = 0;
  /** Memo: in one turn many are behind by the same. */
  #behind: { from: number; to: number; pieces: readonly Piece[] } | undefined;

  get end(): number {
    return this.#first + this.#frames.length;
  }
  add(frame: Uint8Array): void {
    this.#frames.push(frame);
  }
  /** The frames from this number on. */
  since(from: number): readonly Piece[] {
    const to = this.end;
    if (this.#behind?.from !== from || this.#behind.to !== to)
      this.#behind = { from, to, pieces: inPieces(this.#frames.slice(from - this.#first)) };
    return this.#behind.pieces;
  }
  dropBefore(number: number): void {
    this.#frames = this.#frames.slice(number - this.#first);
    this.#first = number;
    this.#behind = undefined;
  }
}

interface Member {
  readonly receiver: Receiver;
  /** The number of the frame that comes next. */
  next: number;
}

function createChannel(options: {
  cache: KindCache;
  frameOf: FrameOf;
  atEndOfTurn: (fn: () => void) => void;
  perTurn: number;
  left: () => void;
}): Channel {
  const { cache, frameOf, atEndOfTurn, perTurn, left } = options;
  const members = new Set<Member>();
  const log = new FrameLog();
  let unsubscribe = () => {};
  let round: { readonly rest: Iterator<Member>; readonly upTo: number } | undefined;
  let scheduled = false;

  /** False when there was nothing to tell. */
  function tell(member: Member): boolean {
    const from = member.next;
    if (from === log.end) return false;
    member.next = log.end;
    member.receiver.pushPieces(log.since(from));
    return true;
  }
  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    atEndOfTurn(turn);
  }
  function turn(): void {
    scheduled = false;
    round ??= { rest: members.values(), upTo: log.end };
    for (let told = 0; told < perTurn; ) {
      const next = round.rest.next();
      if (next.done) {
        log.dropBefore(round.upTo);
        const more = log.end > round.upTo;
        round = undefined;
        if (more) schedule();
        return;
      }
      if (tell(next.value)) told += 1;
    }
    schedule();
  }
  function subscribe(): () => void {
    return cache.subscribe({
      onEvent(event) {
        const frame = frameOf(event);
        if (!frame) return;
        log.add(frame);
        schedule();
      },
      onReset() {
        for (const member of [...members]) {
          tell(member);
          member.receiver.end();
        }
      },
    });
  }
  return {
    join(receiver) {
      if (members.size === 0) unsubscribe = subscribe();
      const member = { receiver, next: log.end };
      members.add(member);
      return {
        catchUp: () => void tell(member),
        leave() {
          if (!members.delete(member) || members.size > 0) return;
          unsubscribe();
          left();
        },
      };
    },
  };
}
