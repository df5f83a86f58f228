/** The bounded buffer between a kind's cache and one watcher. */
import type { ByteSink, PushSource } from './push-source.ts';

/** A watcher that is so far behind is closed: it must list again. */
const maxFrames = 10_000;
const maxBytes = 16 << 20;
/** Frames waiting together are sent together, up to about so many bytes. */
const joinBytes = 64 << 10;

/** Frames that many watchers get together. Whoever can write at once shares one copy; whoever cannot keeps the frames that all share. */
export class Piece {
  readonly frames: readonly Uint8Array[];
  readonly #size: number;
  #bytes: Uint8Array | undefined;

  constructor(frames: readonly Uint8Array[], size: number) {
    this.frames = frames;
    this.#size = size;
  }
  get bytes(): Uint8Array {
    this.#bytes ??= joinFrames(this.frames, this.#size);
    return this.#bytes;
  }
}

/** The frames in pieces of a good size for writing. */
export function inPieces(frames: readonly Uint8Array[]): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  let size = 0;
  for (const [i, frame] of frames.entries()) {
    size += frame.length;
    if (size < joinBytes && i + 1 < frames.length) continue;
    pieces.push(new Piece(frames.slice(start, i + 1), size));
    start = i + 1;
    size = 0;
  }
  return pieces;
}

/**
 * Gives what it begins with first, then what is pushed. `closed` is called once, when either side ends.
 *
 * There are thousands of these, and an event goes to all of them: a class, so that each is one object in memory.
 */
export class FrameQueue implements PushSource {
  #first: Iterator<Uint8Array> | undefined;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  #done = false;
  #closed: (() => void) | undefined;
  #sink: ByteSink | undefined;
  /** The sink takes more, and nothing waits that must go before. */
  #open = false;
  #waiting: ((result: IteratorResult<Uint8Array>) => void) | undefined;

  constructor(first: Iterator<Uint8Array> | undefined, closed: () => void) {
    this.#first = first;
    this.#closed = closed;
  }

  push(frame: Uint8Array): void {
    if (this.#open && this.#sink) this.#open = this.#sink.write(frame);
    else if (this.#waiting) this.#answer({ done: false, value: frame });
    else this.#keep(frame);
  }
  pushPieces(pieces: readonly Piece[]): void {
    for (const piece of pieces)
      if (this.#open || this.#waiting) this.push(piece.bytes);
      else for (const frame of piece.frames) this.#keep(frame);
  }
  #keep(frame: Uint8Array): void {
    if (this.#done) return;
    this.#frames.push(frame);
    this.#bytes += frame.length;
    if (this.#frames.length <= maxFrames && this.#bytes <= maxBytes) return;
    this.#first = undefined;
    this.#frames = [];
    this.end();
  }
  /** No more frames; what is waiting is still delivered. */
  end(): void {
    if (this.#done) return;
    this.#done = true;
    this.#closed?.();
    this.#closed = undefined;
    this.#answer({ done: true, value: undefined });
    if (this.#open) this.#flush();
  }
  #answer(result: IteratorResult<Uint8Array>): void {
    this.#waiting?.(result);
    this.#waiting = undefined;
  }

  attach(sink: ByteSink): { resume(): void; cancel(): void } {
    this.#sink = sink;
    return { resume: () => this.#flush(), cancel: () => this.#cancel() };
  }
  /** Writes what waits, as far as the sink takes it. */
  #flush(): void {
    const sink = this.#sink;
    if (!sink) return;
    this.#open = true;
    while (this.#open) {
      const chunk = this.#take();
      if (!chunk) break;
      this.#open = sink.write(chunk);
    }
    if (!this.#done || !this.#open) return;
    this.#release();
    sink.end();
  }
  #cancel(): void {
    this.#frames = [];
    this.#first = undefined;
    this.#release();
    this.end();
  }
  #release(): void {
    this.#sink = undefined;
    this.#open = false;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => {
        const chunk = this.#take();
        if (chunk) return Promise.resolve({ done: false, value: chunk });
        if (this.#done) return Promise.resolve({ done: true, value: undefined });
        return new Promise(resolve => {
          this.#waiting = resolve;
        });
      },
      return: () => {
        this.#cancel();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** What goes next, joined. */
  #take(): Uint8Array | undefined {
    const batch: Uint8Array[] = [];
    let size = 0;
    while (this.#first && size < joinBytes) {
      const next = this.#first.next();
      if (next.done) this.#first = undefined;
      else {
        batch.push(next.value);
        size += next.value.length;
      }
    }
    let count = 0;
    while (!this.#first && count < this.#frames.length && size < joinBytes) {
      const frame = this.#frames[count++] as Uint8Array;
      batch.push(frame);
      size += frame.length;
      this.#bytes -= frame.length;
    }
    this.#frames = count === this.#frames.length ? [] : this.#frames.slice(count);
    return batch.length > 0 ? joinFrames(batch, size) : undefined;
  }
}

function joinFrames(frames: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = frames;
  if (only && frames.length === 1) return only;
  const out = new Uint8Array(size);
  let at = 0;
  for (const frame of frames) {
    out.set(frame, at);
    at += frame.length;
  }
  return out;
}
