import type { Writable } from 'node:stream';
import { type ByteSink, isPushSource, type PushSource } from '../server/push-source.ts';

/** Writes a stream of bytes at the pace of the reader. Ends the source when the reader goes away. */
export function pump(source: AsyncIterable<Uint8Array>, target: Writable): Promise<void> {
  return isPushSource(source) ? pumpPushed(source, target) : pumpPulled(source, target);
}

let lastChunk: Uint8Array = Buffer.alloc(0);
let lastBuffer: Buffer = Buffer.alloc(0);
/** Streams would make a view for every watcher that gets the same frame. */
function asBuffer(chunk: Uint8Array): Buffer {
  if (chunk === lastChunk) return lastBuffer;
  lastChunk = chunk;
  lastBuffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return lastBuffer;
}

/** A class, because there are thousands: one object for each is all that an event has to touch. */
class StreamSink implements ByteSink {
  readonly #target: Writable;

  constructor(target: Writable) {
    this.#target = target;
  }
  write(chunk: Uint8Array): boolean {
    return this.#target.write(asBuffer(chunk));
  }
  end(): void {
    this.#target.end();
  }
}

/** Without a promise per chunk: what makes one event for a thousand watchers cheap. */
function pumpPushed(source: PushSource, target: Writable): Promise<void> {
  return new Promise(resolve => {
    const { resume, cancel } = source.attach(new StreamSink(target));
    target.on('drain', resume);
    target.once('close', () => {
      target.removeListener('drain', resume);
      cancel();
      resolve();
    });
    if (target.destroyed) {
      cancel();
      resolve();
    } else resume();
  });
}

async function pumpPulled(source: AsyncIterable<Uint8Array>, target: Writable): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  let wake: (() => void) | undefined;
  let closed = target.destroyed;
  const onDrain = () => {
    wake?.();
    wake = undefined;
  };
  const onClose = () => {
    closed = true;
    onDrain();
    void iterator.return?.();
  };
  target.on('drain', onDrain);
  target.once('close', onClose);
  try {
    for (;;) {
      const next = await iterator.next();
      if (next.done || closed) break;
      if (!target.write(next.value) && !closed)
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      if (closed) break;
    }
    if (closed) await iterator.return?.();
    else target.end();
  } catch {
    target.destroy();
  } finally {
    target.removeListener('drain', onDrain);
    target.removeListener('close', onClose);
  }
}
