import type { Clock, Timer } from './clock.ts';

import type { Random } from './random.ts';

interface Entry {
  at: number;
  /** Among timers of one instant: drawn, when the order is to be. */
  tie: number;
  order: number;
  /** Absent once cancelled: the entry is passed over when its time comes. */
  fn: (() => void) | undefined;
}

export interface VirtualClockOptions {
  /** Draws the order of timers that are due at the same instant. Without it they run in the order they were set. */
  readonly order?: Random;
}

/** A clock that moves only when told to. Timers that are due at the same instant run in the order they were set, or in one that is drawn. */
export interface VirtualClock extends Clock {
  /** Wall time leaps by `ms` (back, when negative), as when a host's clock is set. Timers and `monotonic` do not notice. */
  jump(ms: number): void;
  /** Moves time forward by `ms`, running due timers, and lets promise reactions settle after each of them. */
  advance(ms: number): Promise<void>;
  /** Runs the next timer, wherever it is, and settles. False when there is none. */
  step(): Promise<boolean>;
  /** Advances timer by timer until `done()` holds; throws after `limitMs` of virtual time. */
  until(done: () => boolean, limitMs?: number): Promise<void>;
  /** Lets all pending promise reactions run without moving time. */
  settle(): Promise<void>;
  /** Number of timers set and not yet run. */
  readonly pending: number;
}

/**
 * Promise reactions have no "queue is empty" signal, so settling yields to the host's macrotask queue, which runs
 * only when every reaction has run. A `MessageChannel` is used because it exists in Node.js, workers and browsers.
 */
function macrotask(): Promise<void> {
  return new Promise(resolve => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}

export function virtualClock(startMs = Date.UTC(2026, 0, 1), options: VirtualClockOptions = {}): VirtualClock {
  const timers = timerHeap();
  /** Wall time less `elapsed`: only jumps change it. Adding up small steps would lose them. */
  let epoch = startMs;
  let elapsed = 0;
  let sequence = 0;

  function moveTo(at: number): void {
    if (at <= elapsed) return;
    elapsed = at;
  }
  async function run(entry: Entry): Promise<void> {
    timers.pop();
    moveTo(entry.at);
    const { fn } = entry;
    entry.fn = undefined;
    fn?.();
    await macrotask();
  }
  return {
    now: () => epoch + elapsed,
    monotonic: () => elapsed,
    jump(ms) {
      epoch += ms;
    },
    setTimer(fn, ms): Timer {
      const entry: Entry = { at: elapsed + Math.max(ms, 0), tie: options.order?.next() ?? 0, order: sequence++, fn };
      timers.push(entry);
      return {
        cancel() {
          if (!entry.fn) return;
          entry.fn = undefined;
          timers.cancelled();
        },
      };
    },
    async step() {
      await macrotask();
      const entry = timers.first();
      if (entry) await run(entry);
      return entry !== undefined;
    },
    settle: macrotask,
    async advance(ms) {
      const target = elapsed + ms;
      await macrotask();
      for (let next = timers.first(); next && next.at <= target; next = timers.first()) await run(next);
      moveTo(target);
      await macrotask();
    },
    async until(done, limitMs = 3_600_000) {
      const limit = elapsed + limitMs;
      await macrotask();
      while (!done()) {
        const next = timers.first();
        if (!next || next.at > limit) throw new Error(`condition not met within ${limitMs} ms of virtual time`);
        await run(next);
      }
    },
    get pending() {
      return timers.live();
    },
  };
}

const before = (a: Entry, b: Entry) =>
  a.at !== b.at ? a.at < b.at : a.tie !== b.tie ? a.tie < b.tie : a.order < b.order;

interface TimerHeap {
  push(entry: Entry): void;
  /** The next one that was not cancelled. */
  first(): Entry | undefined;
  pop(): void;
  /** Takes note that an entry inside lost its function. */
  cancelled(): void;
  live(): number;
}

/** A binary heap. What was cancelled stays until it comes to the top, or until it is most of the heap. */
function timerHeap(): TimerHeap {
  let heap: Entry[] = [];
  let dead = 0;

  function push(entry: Entry): void {
    heap.push(entry);
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const up = heap[parent] as Entry;
      if (!before(entry, up)) break;
      heap[i] = up;
      i = parent;
    }
    heap[i] = entry;
  }
  function pop(): void {
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right && before(right, heap[child] as Entry)) child += 1;
      if (!before(heap[child] as Entry, last)) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
  return {
    push,
    pop,
    first() {
      for (let top = heap[0]; top; top = heap[0]) {
        if (top.fn) return top;
        pop();
        dead -= 1;
      }
      return undefined;
    },
    cancelled() {
      dead += 1;
      if (dead < 64 || dead * 2 < heap.length) return;
      // A sorted array is a heap.
      heap = heap.filter(entry => entry.fn).sort((a, b) => (before(a, b) ? -1 : 1));
      dead = 0;
    },
    live: () => heap.length - dead,
  };
}
