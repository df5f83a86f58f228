/** The bounded buffer between a kind's cache and one watcher. */
import type { ByteSink, PushSource } from './push-source.ts';

/** A watcher that is so far behind is closed: it must list again. */
const maxFrames = 10_000;
const maxBytes = 16 << 20;
/** Frames waiting together are sent together. */
const joinBytes = 64 << 10;

export interface FrameQueue extends PushSource {
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
  let sink: ByteSink | undefined;
  /** The sink takes more, and nothing waits that must go before. */
  let open = false;
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
    if (open) flush();
  }
  function push(frame: Uint8Array): void {
    if (done) return;
    if (sink && open) {
      open = sink.write(frame);
      return;
    }
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
  /** Writes what waits, as far as the sink takes it. */
  function flush(): void {
    if (!sink) return;
    open = true;
    while (open) {
      const chunk = take();
      if (!chunk) break;
      open = sink.write(chunk);
    }
    if (!done || !open) return;
    const ended = sink;
    sink = undefined;
    ended.end();
  }
  function cancel(): void {
    frames = [];
    first = undefined;
    sink = undefined;
    end();
  }
  return {
    push,
    end,
    attach(to) {
      sink = to;
      return { resume: flush, cancel };
    },
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
        cancel();
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
