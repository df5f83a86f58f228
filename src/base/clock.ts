/** A scheduled call. */
export interface Timer {
  /** Drops the call when it has not run yet. Safe to call twice. */
  cancel(): void;
}

/** Where time comes from. Everything below `src/cli` uses the clock it was given, so that a cluster can run on virtual time. */
export interface Clock {
  /** Wall time in milliseconds since the epoch. May jump. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. For durations and deadlines. */
  monotonic(): number;
  /** Calls `fn` once, `ms` from now. A real timer does not keep the process alive when `background` is set. */
  setTimer(fn: () => void, ms: number, options?: { background?: boolean }): Timer;
}

/** The host's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(fn, ms, options) {
    const handle = setTimeout(fn, Math.min(Math.max(ms, 0), 0x7fffffff));
    if (options?.background && typeof handle === 'object') (handle as { unref(): void }).unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

let lastSecond = Number.NaN;
let lastText = '';

/** RFC 3339 in whole seconds, as `metav1.Time` is written. */
export function rfc3339(ms: number): string {
  const second = Math.floor(ms / 1_000);
  if (second !== lastSecond) {
    lastText = new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
    lastSecond = second;
  }
  return lastText;
}

/** RFC 3339 with microseconds, as `metav1.MicroTime` is written. */
export function rfc3339Micro(ms: number): string {
  const micros = String(Math.floor((ms - Math.floor(ms)) * 1000)).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, 23)}${micros}Z`;
}
