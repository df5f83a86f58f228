import type { Clock, Timer } from '../base/clock.ts';
import type { WorkQueue } from './contract.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** First wait of a failing key; doubles with each failure. */
  readonly baseMs?: number;
  readonly maxMs?: number;
  /** Overall limit of `addRateLimited`. */
  readonly perSecond?: number;
  readonly burst?: number;
  /** Called with the milliseconds a key spent waiting. */
  readonly onGet?: (key: string, waitedMs: number) => void;
}

/** Defaults are client-go's DefaultTypedControllerRateLimiter: 5 ms to 1000 s per key, 10 per second overall with a burst of 100. */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { clock, baseMs = 5, maxMs = 1_000_000, perSecond = 10, burst = 100, onGet } = options;
  /** Keys that wait, with the time they were added. */
  const waiting = new Map<string, number>();
  /** The same in order. A map would give them too, but walks over what was deleted before its first entry. */
  let order: string[] = [];
  let head = 0;
  const inWork = new Set<string>();
  /** Added again while in work. */
  const again = new Set<string>();
  const delayed = new Map<string, { at: number; timer: Timer }>();
  const failures = new Map<string, number>();
  const takers: ((key: string | undefined) => void)[] = [];
  const bucket = tokenBucket(clock, perSecond, burst);
  let closed = false;

  function take(): string | undefined {
    const key = order[head];
    if (key === undefined) return undefined;
    head += 1;
    if (head >= 1024 && head * 2 >= order.length) {
      order = order.slice(head);
      head = 0;
    }
    const since = waiting.get(key) ?? clock.monotonic();
    waiting.delete(key);
    inWork.add(key);
    onGet?.(key, clock.monotonic() - since);
    return key;
  }
  function add(key: string): void {
    if (closed) return;
    if (inWork.has(key)) {
      again.add(key);
      return;
    }
    if (!waiting.has(key)) {
      waiting.set(key, clock.monotonic());
      order.push(key);
    }
    takers.shift()?.(take());
  }
  function addAfter(key: string, ms: number): void {
    if (closed) return;
    if (ms <= 0) {
      add(key);
      return;
    }
    const at = clock.monotonic() + ms;
    const known = delayed.get(key);
    if (known && known.at <= at) return;
    known?.timer.cancel();
    const timer = clock.setTimer(() => {
      delayed.delete(key);
      add(key);
    }, ms);
    delayed.set(key, { at, timer });
  }
  return {
    add,
    addAfter,
    addRateLimited(key) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      addAfter(key, Math.max(Math.min(baseMs * 2 ** Math.min(count, 40), maxMs), bucket()));
    },
    forget: key => void failures.delete(key),
    retries: key => failures.get(key) ?? 0,
    get() {
      const key = take();
      if (key !== undefined || closed) return Promise.resolve(key);
      return new Promise(resolve => takers.push(resolve));
    },
    done(key) {
      inWork.delete(key);
      if (again.delete(key)) add(key);
    },
    shutDown() {
      closed = true;
      for (const { timer } of delayed.values()) timer.cancel();
      delayed.clear();
      again.clear();
      for (const taker of takers.splice(0)) taker(undefined);
    },
    get length() {
      return waiting.size;
    },
  };
}

/** Milliseconds to wait for the next token; each call takes one. */
function tokenBucket(clock: Clock, perSecond: number, burst: number): () => number {
  let tokens = burst;
  let at = clock.monotonic();
  return () => {
    const now = clock.monotonic();
    tokens = Math.min(burst, tokens + ((now - at) / 1000) * perSecond);
    at = now;
    tokens -= 1;
    return tokens >= 0 ? 0 : (-tokens / perSecond) * 1000;
  };
}
