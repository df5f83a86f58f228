/** The bounded buffer between a kind's cache and one watcher. */

/** A watcher that is so far behind is closed: it must list again. */
const maxFrames = 10_000;
const maxBytes = 16 << 20;
/** Frames waiting together are sent together. */
const joinBytes = 64 << 10;

export interface FrameQueue extends AsyncIterable<Uint8Array> {
  push(frame: Uint8Array): void;
  /** No more frames; what is waiting is still delivered. */
  end(): void;
}

/** Gives `initial` first, then what is pushed. `closed` is called once, when either side ends. */
export function frameQueue(initial: Iterator<Uint8Array> | undefined, closed: () => void): FrameQueue {
  let first = initial;
  let frames: Uint8Array[] = [];
  let bytes = 0;
  let done = false;
  let notified = false;
  let waiting: ((result: IteratorResult<Uint8Array>) => void) | undefined;

  function close(): void {
    if (notified) return;
    notified = true;
    closed();
  }
  function end(): void {
    if (done) return;
    done = true;
    close();
    waiting?.({ done: true, value: undefined });
    waiting = undefined;
  }
  function push(frame: Uint8Array): void {
    if (done) return;
    if (waiting) {
      const resolve = waiting;
      waiting = undefined;
      resolve({ done: false, value: frame });
      return;
    }
    frames.push(frame);
    bytes += frame.length;
    if (frames.length > maxFrames || bytes > maxBytes) {
      first = undefined;
      frames = [];
      end();
    }
  }
  function take(): Uint8Array | undefined {
    const batch: Uint8Array[] = [];
    let size = 0;
    while (first && size < joinBytes) {
      const next = first.next();
      if (next.done) first = undefined;
      else {
        batch.push(next.value);
        size += next.value.length;
      }
    }
    if (first === undefined && size < joinBytes && frames.length > 0) {
      let count = 0;
      while (count < frames.length && (size < joinBytes || batch.length === 0)) {
        const frame = frames[count++] as Uint8Array;
        batch.push(frame);
        size += frame.length;
        bytes -= frame.length;
      }
      frames = count === frames.length ? [] : frames.slice(count);
    }
    return batch.length > 1 ? join(batch, size) : batch[0];
  }
  return {
    push,
    end,
    [Symbol.asyncIterator]: () => ({
      next() {
        const chunk = take();
        if (chunk) return Promise.resolve({ done: false, value: chunk });
        if (done) return Promise.resolve({ done: true, value: undefined });
        return new Promise(resolve => {
          waiting = resolve;
        });
      },
      return() {
        frames = [];
        first = undefined;
        end();
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
