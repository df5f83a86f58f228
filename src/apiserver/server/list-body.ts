/**
 * Puts many items between a head and a tail: whole when small, else as a stream of chunks, so that memory does not grow with the answer.
 * Lists of the same items in the same encoding share their chunks, so that many clients who list at once cost one of them.
 */

const wholeLimit = 256 << 10;
const chunkSize = 128 << 10;
/** Longer answers are written for each client anew. */
const sharedLimit = 16 << 20;

export interface ListParts {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly separator: Uint8Array;
}

/** Writes items where they are to stand. `size` is exact. */
export interface ItemWriter<T> {
  size(item: T): number;
  /** Gives where the item ends. */
  write(item: T, target: Uint8Array, at: number): number;
}

/** Chunks that were made for somebody, and the way to make the rest. */
interface SharedChunks {
  readonly made: Uint8Array[];
  readonly rest: Iterator<Uint8Array>;
}
const shared = new WeakMap<object, Map<string, SharedChunks>>();

/** As `listBody`, for an array that is the same for the same state. `encoding` names what the writer writes. */
export function sharedListBody<T extends object>(
  parts: ListParts,
  items: readonly T[],
  writer: ItemWriter<T>,
  encoding: string,
): Uint8Array | AsyncIterable<Uint8Array> {
  let size = 0;
  for (const item of items) {
    size += writer.size(item);
    if (size > sharedLimit) break;
  }
  if (size < wholeLimit || size > sharedLimit) return listBody(parts, items, writer);
  let encodings = shared.get(items);
  if (!encodings) shared.set(items, (encodings = new Map()));
  let chunks = encodings.get(encoding);
  if (!chunks) {
    const headless = { ...parts, head: new Uint8Array(0) };
    encodings.set(encoding, (chunks = { made: [], rest: chunksOf(headless, items, writer) }));
  }
  return streamShared(parts.head, chunks);
}

async function* streamShared(head: Uint8Array, { made, rest }: SharedChunks): AsyncGenerator<Uint8Array> {
  yield head;
  for (let i = 0; ; i++) {
    if (i === made.length) {
      const next = rest.next();
      if (next.done) return;
      made.push(next.value);
    }
    yield made[i] as Uint8Array;
  }
}

/** A writer over an encoder; each item is encoded once per list. */
export function encodedItems<T>(encode: (item: T) => Uint8Array): ItemWriter<T> {
  let last: { item: T; bytes: Uint8Array } | undefined;
  const bytesOf = (item: T) => {
    if (last?.item !== item) last = { item, bytes: encode(item) };
    return last.bytes;
  };
  return {
    size: item => bytesOf(item).length,
    write(item, target, at) {
      const bytes = bytesOf(item);
      target.set(bytes, at);
      return at + bytes.length;
    },
  };
}

export function listBody<T>(
  parts: ListParts,
  items: readonly T[],
  writer: ItemWriter<T>,
): Uint8Array | AsyncIterable<Uint8Array> {
  const chunks = chunksOf(parts, items, writer);
  const first = chunks.next();
  if (first.done) return new Uint8Array(0);
  const second = chunks.next();
  if (second.done) return first.value;
  return stream([first.value, second.value], chunks);
}

async function* stream(ready: Uint8Array[], rest: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  while (ready.length > 0) yield ready.shift() as Uint8Array;
  yield* rest;
}

/** The first chunk may grow to the limit up to which an answer is sent whole. */
function* chunksOf<T>(
  { head, tail, separator }: ListParts,
  items: readonly T[],
  writer: ItemWriter<T>,
): Generator<Uint8Array> {
  let limit = wholeLimit;
  let chunk = new Uint8Array(items.length > 100 ? wholeLimit : 16 << 10);
  let used = head.length;
  chunk.set(head, 0);
  for (let i = 0; i < items.length; i++) {
    const item = items[i] as T;
    const need = writer.size(item) + separator.length + tail.length;
    if (used + need > chunk.length) {
      if (used + need <= limit) chunk = grown(chunk, used, Math.min(limit, Math.max(chunk.length * 2, used + need)));
      else {
        yield chunk.subarray(0, used);
        limit = chunkSize;
        chunk = new Uint8Array(Math.max(chunkSize, need));
        used = 0;
      }
    }
    if (i > 0) {
      chunk.set(separator, used);
      used += separator.length;
    }
    used = writer.write(item, chunk, used);
  }
  if (used + tail.length > chunk.length) chunk = grown(chunk, used, used + tail.length);
  chunk.set(tail, used);
  yield chunk.subarray(0, used + tail.length);
}

function grown(chunk: Uint8Array, used: number, size: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(size);
  out.set(chunk.subarray(0, used), 0);
  return out;
}
