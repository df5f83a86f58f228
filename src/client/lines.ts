const newline = 0x0a;

/**
 * Splits a byte stream at newlines, whatever the chunks are, and yields each batch of whole lines that a chunk completed.
 * Empty lines are dropped; a last line without newline counts.
 */
export async function* lineBatches(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let pending: Uint8Array[] = [];
  for await (const chunk of chunks) {
    const last = chunk.lastIndexOf(newline);
    if (last < 0) {
      pending.push(chunk);
      continue;
    }
    const head = pending.length > 0 ? concat([...pending, chunk.subarray(0, last)]) : chunk.subarray(0, last);
    pending = last + 1 < chunk.length ? [chunk.subarray(last + 1)] : [];
    // A newline byte is never part of a longer UTF-8 sequence, so decoding whole lines at once is safe.
    const lines = decoder.decode(head).split('\n');
    const filled = lines.filter(line => line !== '');
    if (filled.length > 0) yield filled;
  }
  const rest = decoder.decode(concat(pending));
  if (rest !== '') yield [rest];
}

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only) return only;
  const out = new Uint8Array(chunks.reduce((n, c) => n + c.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** Reads a body to its end. */
export async function readAll(body: Uint8Array | AsyncIterable<Uint8Array> | undefined): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array();
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return concat(chunks);
}
