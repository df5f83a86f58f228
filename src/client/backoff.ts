import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';

export interface Backoff {
  /** Milliseconds to wait before the next attempt. Grows with each call. */
  next(): number;
  reset(): void;
}

/** Exponential with full jitter on top (a wait of w becomes w to 2w), reset after a quiet time. Defaults are client-go's reflector's. */
export function createBackoff(
  clock: Clock,
  random: Random,
  { initialMs = 800, maxMs = 30_000, factor = 2, resetMs = 120_000 } = {},
): Backoff {
  let current = initialMs;
  let last = Number.NEGATIVE_INFINITY;
  return {
    next() {
      const now = clock.monotonic();
      if (now - last > resetMs) current = initialMs;
      last = now;
      const wait = current * (1 + random.next());
      current = Math.min(current * factor, maxMs);
      return Math.min(wait, maxMs * 2);
    },
    reset() {
      current = initialMs;
      last = Number.NEGATIVE_INFINITY;
    },
  };
}
