/** Puts many encoded items between a head and a tail: whole when small, else as a stream of chunks, so that memory does not grow with the answer. */

const wholeLimit = 256 << 10;
const chunkSize = 128 << 10;

export interface ListParts {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Between items; empty for binary formats. */
  readonly separator: Uint8Array;
}

/** `encode` is called once per item, when its bytes are needed. */
export function listBody<T>(
  parts: ListParts,
  items: readonly T[],
  encode: (item: T) => Uint8Array,
): Uint8Array | AsyncIterable<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = parts.head.length + parts.tail.length;
  let index = 0;
  for (; index < items.length && size <= wholeLimit; index++) {
    const piece = encode(items[index] as T);
    pieces.push(piece);
    size += piece.length + (index > 0 ? parts.separator.length : 0);
  }
  if (index === items.length) return whole(parts, pieces, size);
  return stream(parts, items, encode);
}

function whole({ head, tail, separator }: ListParts, pieces: readonly Uint8Array[], size: number): Uint8Array {
  const out = new Uint8Array(size);
  out.set(head, 0);
  let at = head.length;
  for (let i = 0; i < pieces.length; i++) {
    if (i > 0) {
      out.set(separator, at);
      at += separator.length;
    }
    const piece = pieces[i] as Uint8Array;
    out.set(piece, at);
    at += piece.length;
  }
  out.set(tail, at);
  return out;
}

async function* stream<T>(
  { head, tail, separator }: ListParts,
  items: readonly T[],
  encode: (item: T) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  let chunk = new Uint8Array(chunkSize);
  let used = head.length;
  chunk.set(head, 0);
  for (let i = 0; i < items.length; i++) {
    const piece = encode(items[i] as T);
    const need = piece.length + separator.length;
    if (used + need > chunk.length) {
      yield chunk.subarray(0, used);
      chunk = new Uint8Array(Math.max(chunkSize, need));
      used = 0;
    }
    if (i > 0) {
      chunk.set(separator, used);
      used += separator.length;
    }
    chunk.set(piece, used);
    used += piece.length;
  }
  yield chunk.subarray(0, used);
  yield tail;
}
