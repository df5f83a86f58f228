/** Port-forwarding: pairs of streams over SPDY/3.1 (bare, or tunnelled in a WebSocket), or fixed channels of a WebSocket. */
import type { ByteStream } from '../../api/transport.ts';
import { messageOf } from '../../base/errors.ts';
import { createByteQueue } from './queue.ts';
import { createSpdyConnection, type SpdyStream } from './spdy.ts';
import type { MessageSocket } from './websocket.ts';

export const portForwardProtocol = 'portforward.k8s.io';
export const tunnelProtocol = `SPDY/3.1+${portForwardProtocol}`;
export const channelProtocols = [
  `v4.base64.${portForwardProtocol}`,
  `v4.${portForwardProtocol}`,
  'v4.channel.k8s.io',
] as const;

/** Opens one connection to a port of the pod. */
export type Dial = (port: number) => Promise<ByteStream>;

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
}

/** Serves until the client closes the connection. */
export async function servePortForward(transport: ByteStream, dial: Dial, where: string): Promise<void> {
  const pairs = new Map<string, Pair>();
  const connection = createSpdyConnection(transport, {
    role: 'server',
    onStream(stream) {
      const { streamtype, requestid = '', port = '' } = stream.headers;
      const key = `${requestid}/${port}`;
      const pair = pairs.get(key) ?? {};
      pairs.set(key, pair);
      if (streamtype === 'error') pair.error = stream;
      else pair.data = stream;
      if (!pair.data || !pair.error) return;
      pairs.delete(key);
      void forward(pair.data, pair.error, Number(port), dial, where);
    },
  });
  await connection.closed;
}

async function forward(data: SpdyStream, error: SpdyStream, port: number, dial: Dial, where: string): Promise<void> {
  let target: ByteStream | undefined;
  try {
    target = await dial(port);
    await joinStreams(data, target);
  } catch (e) {
    const text = `error forwarding port ${port} to pod ${where}: ${messageOf(e)}`;
    await error.write(Buffer.from(text)).catch(() => undefined);
  } finally {
    data.end();
    error.end();
    target?.destroy();
  }
}

/** Ends when the pod's side ends: a client that half-closed still gets the rest. */
async function joinStreams(data: SpdyStream, target: ByteStream): Promise<void> {
  void upload(data.readable, target).catch(() => undefined);
  for await (const chunk of target.readable) await data.write(chunk);
  data.end();
}

/** A WebSocket's messages as one byte stream, for the SPDY tunnel. */
export function webSocketBytes(socket: MessageSocket): ByteStream {
  return {
    readable: socket.messages,
    write: socket.send,
    end: () => socket.close(),
    destroy: () => socket.close(),
  };
}

/** The older form: channel 2i carries data of the i-th port, 2i+1 its errors; each begins with the port, little-endian. */
export async function servePortChannels(
  socket: MessageSocket,
  ports: readonly number[],
  dial: Dial,
  where: string,
): Promise<void> {
  const send = (channel: number, chunk: Uint8Array) => socket.send(Buffer.concat([Buffer.from([channel]), chunk]));
  const inputs = ports.map(() => createByteQueue());
  const receive = async () => {
    for await (const message of socket.messages) {
      const channel = message[0] ?? 0;
      if (channel % 2 === 0) inputs[channel / 2]?.push(message.subarray(1));
    }
    for (const input of inputs) input.end();
  };
  const serve = async (port: number, index: number) => {
    const announce = Buffer.from([port & 255, port >> 8]);
    await send(index * 2, announce);
    await send(index * 2 + 1, announce);
    let target: ByteStream | undefined;
    try {
      target = await dial(port);
      void upload(inputs[index] ?? createByteQueue(), target).catch(() => undefined);
      for await (const chunk of target.readable) await send(index * 2, chunk);
    } catch (e) {
      const text = `error forwarding port ${port} to pod ${where}: ${messageOf(e)}`;
      await send(index * 2 + 1, Buffer.from(text)).catch(() => undefined);
    } finally {
      target?.destroy();
    }
  };
  const received = receive();
  await Promise.all(ports.map(serve));
  socket.close();
  await received;
}

async function upload(from: AsyncIterable<Uint8Array>, to: ByteStream): Promise<void> {
  for await (const chunk of from) await to.write(chunk);
  to.end();
}
