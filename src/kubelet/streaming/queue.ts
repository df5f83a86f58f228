/** An unbounded queue that is read as an async iterable by one reader. */
export interface ByteQueue extends AsyncIterable<Uint8Array> {
  push(chunk: Uint8Array): void;
  /** No more chunks: the reader ends, or throws `error`, after what is queued. */
  end(error?: Error): void;
  /** Bytes pushed and not read yet. */
  readonly size: number;
}

/** `onRead` is called when the reader took a chunk, so that the writer may go on. */
export function createByteQueue(onRead: () => void = () => undefined): ByteQueue {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const notify = () => {
    wake?.();
    wake = undefined;
  };
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = chunks.shift();
      if (chunk) {
        size -= chunk.length;
        onRead();
        yield chunk;
      } else if (failure) throw failure;
      else if (ended) return;
      else
        await new Promise<void>(resolve => {
          wake = resolve;
        });
    }
  }
  return {
    push(chunk) {
      if (ended) return;
      chunks.push(chunk);
      size += chunk.length;
      notify();
    },
    end(error) {
      if (ended) return;
      ended = true;
      failure = error;
      notify();
    },
    get size() {
      return size;
    },
    [Symbol.asyncIterator]: read,
  };
}
