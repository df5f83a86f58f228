import type { Clock } from '../../base/clock.ts';

/** Doubling delays per key, as client-go's flowcontrol.Backoff: forgotten when quiet for twice the maximum. Milliseconds. */
export interface BackOff {
  /** Whether less than the key's delay has passed since `sinceMs`. */
  isActiveSince(key: string, sinceMs: number): boolean;
  /** Whether less than the key's delay has passed since the last `next`. */
  isActive(key: string): boolean;
  /** Counts a failure at `atMs`: starts or doubles the delay. */
  next(key: string, atMs: number): void;
  delay(key: string): number;
  /** Milliseconds left, counted from `sinceMs` or the last `next`. */
  remaining(key: string, sinceMs?: number): number;
  reset(key: string): void;
}

export function createBackOff(clock: Clock, initialMs: number, maxMs: number): BackOff {
  const entries = new Map<string, { delay: number; updated: number }>();
  const expired = (entry: { updated: number }, at: number) => at - entry.updated > 2 * maxMs;
  const remaining = (key: string, since?: number): number => {
    const entry = entries.get(key);
    if (!entry || expired(entry, since ?? clock.now())) return 0;
    return Math.max(0, entry.delay - (clock.now() - (since ?? entry.updated)));
  };
  return {
    isActiveSince: (key, since) => remaining(key, since) > 0,
    isActive: key => remaining(key) > 0,
    next(key, at) {
      const entry = entries.get(key);
      for (const [other, old] of entries) if (other !== key && expired(old, clock.now())) entries.delete(other);
      const delay = !entry || expired(entry, at) ? initialMs : Math.min(entry.delay * 2, maxMs);
      entries.set(key, { delay, updated: clock.now() });
    },
    delay: key => entries.get(key)?.delay ?? 0,
    remaining,
    reset: key => void entries.delete(key),
  };
}

/** As Go prints a duration of whole seconds: `10s`, `1m20s`, `5m0s`. */
export function goSeconds(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return `${hours > 0 ? `${hours}h` : ''}${minutes % 60}m${seconds % 60}s`;
}

/** As Go prints a measured duration cut to milliseconds: `843ms`, `1.204s`. */
export function goMilliseconds(ms: number): string {
  const whole = Math.round(ms);
  if (whole < 1000) return whole === 0 ? '0s' : `${whole}ms`;
  return whole < 60_000 ? `${whole / 1000}s` : `${Math.floor(whole / 60_000)}m${(whole % 60_000) / 1000}s`;
}
