import type { Clock, Timer } from './clock.ts';

interface Entry {
  at: number;
  order: number;
  fn: () => void;
}

/** A clock that moves only when told to. Timers that are due at the same instant run in the order they were set. */
export interface VirtualClock extends Clock {
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

export function virtualClock(startMs = Date.UTC(2026, 0, 1)): VirtualClock {
  let wall = startMs;
  let elapsed = 0;
  let sequence = 0;
  const heap: Entry[] = [];
  const before = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.order < b.order);

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
  function removeAt(index: number): void {
    const last = heap.pop() as Entry;
    if (index === heap.length) return;
    heap[index] = last;
    heap.sort((a, b) => (before(a, b) ? -1 : 1));
  }
  function pop(): Entry | undefined {
    const top = heap[0];
    if (!top) return undefined;
    const last = heap.pop() as Entry;
    if (heap.length > 0) {
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
    return top;
  }
  function moveTo(at: number): void {
    if (at <= elapsed) return;
    wall += at - elapsed;
    elapsed = at;
  }
  async function step(): Promise<boolean> {
    await macrotask();
    const entry = pop();
    if (!entry) return false;
    moveTo(entry.at);
    entry.fn();
    await macrotask();
    return true;
  }
  return {
    now: () => wall,
    monotonic: () => elapsed,
    setTimer(fn, ms): Timer {
      const entry: Entry = { at: elapsed + Math.max(ms, 0), order: sequence++, fn };
      push(entry);
      return {
        cancel() {
          const index = heap.indexOf(entry);
          if (index >= 0) removeAt(index);
        },
      };
    },
    step,
    settle: macrotask,
    async advance(ms) {
      const target = elapsed + ms;
      await macrotask();
      for (let next = heap[0]; next && next.at <= target; next = heap[0]) await step();
      moveTo(target);
      await macrotask();
    },
    async until(done, limitMs = 3_600_000) {
      const limit = elapsed + limitMs;
      await macrotask();
      while (!done()) {
        const next = heap[0];
        if (!next || next.at > limit) throw new Error(`condition not met within ${limitMs} ms of virtual time`);
        await step();
      }
    },
    get pending() {
      return heap.length;
    },
  };
}
