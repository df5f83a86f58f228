/**
 * Watches that ask for the same get the same frames: an event is filtered and encoded once for all of them, and what happens in one turn
 * reaches each of them in one piece.
 */
import type { CacheEvent, KindCache } from '../storage/kind-cache.ts';
import { joinBytes, joinFrames } from './frame-queue.ts';

/** One watcher's end. */
interface Receiver {
  push(frames: Uint8Array): void;
  /** The cache lost its place: the watch must end. */
  end(): void;
}

/** Frames of a kind as one sort of watch sees them. Alive while it has members. */
interface Channel {
  /** Gets what happens from now on, until the returned function is called. */
  join(receiver: Receiver): () => void;
  /** Hands out what waits for the turn to end, for those who have something to say after it. */
  flush(): void;
}

/** The frame of an event; undefined when these watches do not see it. */
type FrameOf = (event: CacheEvent) => Uint8Array | undefined;

export interface Broadcasts {
  /** The channel of this name, which tells alike watches of one cache. Without a name it is the caller's own. */
  channel(cache: KindCache, name: string | undefined, frameOf: FrameOf): Channel;
}

/** `atEndOfTurn` calls a function once everything that is at hand now has been seen to. */
export function createBroadcasts(atEndOfTurn: (fn: () => void) => void): Broadcasts {
  const byCache = new WeakMap<KindCache, Map<string, Channel>>();
  return {
    channel(cache, name, frameOf) {
      if (name === undefined) return createChannel(cache, frameOf, atEndOfTurn, () => {});
      const named = byCache.get(cache) ?? new Map<string, Channel>();
      byCache.set(cache, named);
      let channel = named.get(name);
      if (!channel) {
        channel = createChannel(cache, frameOf, atEndOfTurn, () => named.delete(name));
        named.set(name, channel);
      }
      return channel;
    },
  };
}

function createChannel(
  cache: KindCache,
  frameOf: FrameOf,
  atEndOfTurn: (fn: () => void) => void,
  left: () => void,
): Channel {
  const members = new Set<Receiver>();
  let unsubscribe = () => {};
  let waiting: Uint8Array[] = [];
  let size = 0;

  function flush(): void {
    const [first] = waiting;
    if (!first) return;
    const frames = waiting.length === 1 ? first : joinFrames(waiting, size);
    waiting = [];
    size = 0;
    for (const member of members) member.push(frames);
  }
  function subscribe(): () => void {
    return cache.subscribe({
      onEvent(event) {
        const frame = frameOf(event);
        if (!frame) return;
        if (waiting.length === 0) atEndOfTurn(flush);
        waiting.push(frame);
        size += frame.length;
        if (size >= joinBytes) flush();
      },
      onReset() {
        flush();
        for (const member of [...members]) member.end();
      },
    });
  }
  return {
    flush,
    join(receiver) {
      // What waits is older than the newcomer, who has it from the cache.
      flush();
      if (members.size === 0) unsubscribe = subscribe();
      members.add(receiver);
      return () => {
        if (!members.delete(receiver) || members.size > 0) return;
        unsubscribe();
        left();
      };
    },
  };
}
