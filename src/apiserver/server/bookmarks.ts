/** One timer for the bookmarks of all watches. */
import type { Clock, Timer } from '../../base/clock.ts';

export interface Bookmarks {
  /** Calls `send` about once a minute until the returned function is called. */
  add(send: () => void): () => void;
}

const intervalMs = 60_000;

export function createBookmarks(clock: Clock): Bookmarks {
  const senders = new Set<() => void>();
  let timer: Timer | undefined;
  function arm(): void {
    timer = clock.setTimer(
      () => {
        for (const send of senders) send();
        arm();
      },
      intervalMs,
      { background: true },
    );
  }
  return {
    add(send) {
      const own = () => send();
      senders.add(own);
      if (senders.size === 1) arm();
      return () => {
        senders.delete(own);
        if (senders.size === 0) timer?.cancel();
      };
    },
  };
}
