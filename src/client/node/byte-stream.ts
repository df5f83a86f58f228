import type { Duplex } from 'node:stream';
import type { ByteStream } from '../../api/transport.ts';

/** A Node duplex stream (a socket after an upgrade) as the portable byte stream. `head` is what was read with the upgrade. */
export function byteStreamOf(duplex: Duplex, head: Uint8Array = new Uint8Array()): ByteStream {
  if (head.length > 0) duplex.unshift(head);
  // A failure is told by `readable` and `write`; without a listener it would end the process.
  duplex.on('error', () => undefined);
  return {
    readable: duplex,
    write: chunk =>
      new Promise((resolve, reject) => {
        if (duplex.destroyed || duplex.writableEnded) return reject(new Error('connection closed'));
        duplex.write(chunk, e => (e ? reject(e) : resolve()));
      }),
    end: () => void duplex.end(),
    destroy: error => void duplex.destroy(error),
  };
}
