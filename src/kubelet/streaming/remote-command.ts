/** The far end of exec and attach, whatever carries it: WebSocket channels (v1 to v5) or SPDY/3.1 streams. */
import { messageOf } from '../../base/errors.ts';
import type { StreamOptions, StreamSession } from '../runtime/contract.ts';
import { createByteQueue } from './queue.ts';
import type { SpdyConnection, SpdyStream } from './spdy.ts';
import type { MessageSocket } from './websocket.ts';

export interface RemoteCommandPeer {
  /** Ends when the client half-closes its input, or is gone. */
  readonly stdin: AsyncIterable<Uint8Array>;
  write(stream: 'stdout' | 'stderr', chunk: Uint8Array): Promise<void>;
  onResize(fn: (width: number, height: number) => void): void;
  /** Tells the outcome and closes. `text` is for protocols older than v4. */
  finish(status: object, text: string): Promise<void>;
  readonly gone: Promise<void>;
}

/** WebSocket subprotocols, best first. */
export const webSocketProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const;
/** SPDY protocols, best first. */
export const spdyProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const;

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const knowsStatus = (protocol: string) => /^v[45]\./.test(protocol);

type Resize = (width: number, height: number) => void;
/** Clients tell their size at once: the last one is kept until the process is there. */
function resizeRelay(): { tell(text: string): void; listen(fn: Resize): void } {
  let last: [number, number] | undefined;
  let listener: Resize | undefined;
  return {
    tell(text) {
      last = parseResize(text) ?? last;
      if (last) listener?.(...last);
    },
    listen(fn) {
      listener = fn;
      if (last) fn(...last);
    },
  };
}

function parseResize(text: string): [number, number] | undefined {
  try {
    const { Width, Height } = JSON.parse(text) as { Width: number; Height: number };
    return [Width, Height];
  } catch {
    return undefined;
  }
}

const highWater = 1 << 20;

export function webSocketPeer(socket: MessageSocket): RemoteCommandPeer {
  let resume: (() => void) | undefined;
  const stdin = createByteQueue(() => resume?.());
  const resizes = resizeRelay();
  const send = (channel: number, chunk: Uint8Array) => socket.send(Buffer.concat([Buffer.from([channel]), chunk]));
  async function read(): Promise<void> {
    for await (const message of socket.messages) {
      const [channel] = message;
      const payload = message.subarray(1);
      if (channel === channels.resize) resizes.tell(Buffer.from(payload).toString());
      else if (channel === channels.close && payload[0] === channels.stdin) stdin.end();
      else if (channel === channels.stdin && payload.length > 0) {
        stdin.push(payload);
        while (stdin.size > highWater)
          await new Promise<void>(resolve => {
            resume = resolve;
          });
      }
    }
    stdin.end();
  }
  const gone = read();
  return {
    stdin,
    gone,
    write: (stream, chunk) => send(channels[stream], chunk),
    onResize: resizes.listen,
    async finish(status, text) {
      const body = knowsStatus(socket.protocol) ? JSON.stringify(status) : text;
      if (body) await send(channels.error, Buffer.from(body)).catch(() => undefined);
      resume?.();
      socket.close();
    },
  };
}

const streamWaitMs = 30_000;

/** Collects the streams that the client said it would open. */
export function spdyStreams(wanted: readonly string[]): {
  add(stream: SpdyStream): void;
  all: Promise<ReadonlyMap<string, SpdyStream>>;
} {
  const found = new Map<string, SpdyStream>();
  const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, SpdyStream>>();
  const late = AbortSignal.timeout(streamWaitMs);
  const onLate = () => reject(new Error('timed out waiting for client to create streams'));
  late.addEventListener('abort', onLate, { once: true });
  return {
    add(stream) {
      found.set(stream.headers['streamtype'] ?? '', stream);
      if (!wanted.every(w => found.has(w))) return;
      late.removeEventListener('abort', onLate);
      resolve(found);
    },
    all: promise,
  };
}

export function spdyPeer(
  connection: SpdyConnection,
  streams: ReadonlyMap<string, SpdyStream>,
  protocol: string,
): RemoteCommandPeer {
  const relay = resizeRelay();
  const readResizes = async (stream: SpdyStream) => {
    for await (const chunk of stream.readable)
      for (const line of Buffer.from(chunk).toString().split('\n').filter(Boolean)) relay.tell(line);
  };
  const resizes = streams.get('resize');
  if (resizes) void readResizes(resizes).catch(() => undefined);
  return {
    stdin: streams.get('stdin')?.readable ?? createEmpty(),
    gone: connection.closed,
    write: (stream, chunk) => streams.get(stream)?.write(chunk) ?? Promise.resolve(),
    onResize: relay.listen,
    async finish(status, text) {
      const body = knowsStatus(protocol) ? JSON.stringify(status) : text;
      if (body)
        await streams
          .get('error')
          ?.write(Buffer.from(body))
          .catch(() => undefined);
      for (const stream of streams.values()) stream.end();
      connection.close();
    },
  };
}

function createEmpty(): AsyncIterable<Uint8Array> {
  const queue = createByteQueue();
  queue.end();
  return queue;
}

export const successStatus = { metadata: {}, status: 'Success' };
export function exitStatus(code: number): object {
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: command terminated with exit code ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}
export function failureStatus(message: string): object {
  const text = `Internal error occurred: ${message}`;
  return {
    metadata: {},
    status: 'Failure',
    message: text,
    reason: 'InternalError',
    details: { causes: [{ message }] },
    code: 500,
  };
}

/** Joins a client with a running process until one of them ends, and tells the exit. */
export async function serveRemoteCommand(
  peer: RemoteCommandPeer,
  open: () => Promise<StreamSession>,
  options: StreamOptions,
): Promise<void> {
  let session: StreamSession | undefined;
  try {
    session = await open();
    const running = session;
    void peer.gone.then(() => running.destroy());
    peer.onResize((width, height) => running.resize(width, height));
    if (options.stdin) void copyInput(peer, running);
    const copy = async (from: AsyncIterable<Uint8Array>, to: 'stdout' | 'stderr') => {
      for await (const chunk of from) await peer.write(to, chunk);
    };
    await Promise.all([copy(running.stdout, 'stdout'), copy(running.stderr, 'stderr')]);
    const code = await running.done;
    if (code === 0) await peer.finish(successStatus, '');
    else await peer.finish(exitStatus(code), `command terminated with exit code ${code}`);
  } catch (e) {
    await peer.finish(failureStatus(messageOf(e)), messageOf(e)).catch(() => undefined);
  } finally {
    session?.destroy();
  }
}

async function copyInput(peer: RemoteCommandPeer, session: StreamSession): Promise<void> {
  try {
    for await (const chunk of peer.stdin) await session.writeStdin(chunk);
  } catch {
    // The process does not read any more: its end closes the rest.
  }
  session.endStdin();
}
