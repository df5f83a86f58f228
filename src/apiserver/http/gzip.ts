import { constants, createGzip } from 'node:zlib';

/** Fast gzip for large answers, at upstream's level. */
export async function* gzipBody(body: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  const feeding = feed(body, gzip);
  try {
    for await (const chunk of gzip) yield chunk as Uint8Array;
    await feeding;
  } finally {
    gzip.destroy();
  }
}

async function feed(body: Uint8Array | AsyncIterable<Uint8Array>, gzip: ReturnType<typeof createGzip>): Promise<void> {
  try {
    if (body instanceof Uint8Array) gzip.write(body);
    else
      for await (const chunk of body) {
        if (gzip.destroyed) return;
        if (!gzip.write(chunk))
          await new Promise<void>(resolve => {
            gzip.once('drain', resolve);
            gzip.once('close', resolve);
          });
      }
    gzip.end();
  } catch (e) {
    gzip.destroy(e instanceof Error ? e : new Error(String(e)));
  }
}
