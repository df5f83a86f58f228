import type { Duplex } from 'node:stream';
import type { ByteStream } from '../../api/transport.ts';
import { createByteQueue } from './queue.ts';

/** A socket (or any duplex) as a `ByteStream`. `head`: bytes that were read with the upgrade. */
export function byteStreamOf(socket: Duplex, head?: Uint8Array): ByteStream {
  socket.on('error', () => undefined);
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    if (head && head.length > 0) yield head;
    for await (const chunk of socket) yield chunk as Uint8Array;
  }
  return {
    readable: read(),
    write: chunk =>
      new Promise((resolve, reject) => {
        if (socket.destroyed || socket.writableEnded) return reject(new Error('the stream is closed'));
        socket.write(chunk, error => (error ? reject(error) : resolve()));
      }),
    end: () => void socket.end(),
    destroy: error => void socket.destroy(error),
  };
}

/** Two connected ends in memory, for tests and for bridging. */
export function byteStreamPair(): [ByteStream, ByteStream] {
  const queues = [createByteQueue(), createByteQueue()] as const;
  const side = (mine: 0 | 1): ByteStream => {
    const inbound = queues[mine];
    const outbound = queues[mine === 0 ? 1 : 0];
    return {
      readable: inbound,
      write: async chunk => outbound.push(chunk),
      end: () => outbound.end(),
      destroy(error) {
        outbound.end(error);
        inbound.end(error);
      },
    };
  };
  return [side(0), side(1)];
}

/** Copies both ways until both directions ended, then drops both. */
export async function joinByteStreams(a: ByteStream, b: ByteStream): Promise<void> {
  const copy = async (from: ByteStream, to: ByteStream) => {
    for await (const chunk of from.readable) await to.write(chunk);
    to.end();
  };
  try {
    await Promise.all([copy(a, b), copy(b, a)]);
  } finally {
    a.destroy();
    b.destroy();
  }
}
