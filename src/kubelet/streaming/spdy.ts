/**
 * The part of SPDY/3.1 that Kubernetes' exec, attach and port-forward use: streams opened by the client, data, half-close, reset,
 * ping and go-away. As with upstream's library there is no per-stream window; the connection is read at the readers' pace instead.
 */
import type { ByteStream } from '../../api/transport.ts';
import { type ByteQueue, createByteQueue } from './queue.ts';
import { createHeaderDecoder, createHeaderEncoder, type Headers } from './spdy-headers.ts';

export interface SpdyStream {
  readonly id: number;
  /** Lower-case names. */
  readonly headers: Headers;
  readonly readable: AsyncIterable<Uint8Array>;
  write(chunk: Uint8Array): Promise<void>;
  /** Half-closes. */
  end(): void;
  reset(): void;
}
export interface SpdyConnection {
  /** Opens a stream; resolves when the peer accepted it. */
  open(headers: Headers): Promise<SpdyStream>;
  /** Says good-bye and drops the connection. */
  close(): void;
  /** Resolves when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;
}
export interface SpdyOptions {
  role: 'client' | 'server';
  /** A stream the peer opened. It is accepted when this returns. */
  onStream?: (stream: SpdyStream) => void;
}

const frame = { synStream: 1, synReply: 2, reset: 3, ping: 6, goAway: 7, headers: 8 } as const;
const flagFin = 1;
const maxData = 32 * 1024;
/** Reading the connection pauses while a stream holds this much unread. */
const highWater = 1024 * 1024;

interface Live {
  stream: SpdyStream;
  inbound: ByteQueue;
  localDone: boolean;
  remoteDone: boolean;
  accepted?: { resolve: (s: SpdyStream) => void; reject: (e: Error) => void };
}

function control(type: number, flags: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([head, payload]);
}
function word(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  for (const [i, v] of values.entries()) out.writeUInt32BE(v >>> 0, i * 4);
  return out;
}
function dataFrame(id: number, flags: number, payload: Uint8Array): Buffer {
  return Buffer.concat([word(id, ((flags << 24) | payload.length) >>> 0), payload]);
}

export function createSpdyConnection(transport: ByteStream, options: SpdyOptions): SpdyConnection {
  const streams = new Map<number, Live>();
  const encodeHeaders = createHeaderEncoder();
  const decoder = createHeaderDecoder();
  let nextId = options.role === 'client' ? 1 : 2;
  let gone = false;
  let resume: (() => void) | undefined;

  const send = (bytes: Uint8Array): Promise<void> => transport.write(bytes);
  const sendQuietly = (bytes: Uint8Array) => void send(bytes).catch(() => shut());
  const forget = (id: number, live: Live) => {
    if (live.localDone && live.remoteDone) streams.delete(id);
  };

  function makeStream(id: number, headers: Headers): Live {
    const inbound = createByteQueue(() => {
      resume?.();
      resume = undefined;
    });
    const live: Live = { inbound, localDone: false, remoteDone: false, stream: undefined as unknown as SpdyStream };
    live.stream = {
      id,
      headers,
      readable: inbound,
      async write(chunk) {
        if (live.localDone || gone) throw new Error('the stream is closed');
        for (let at = 0; at < chunk.length; at += maxData)
          await send(dataFrame(id, 0, chunk.subarray(at, at + maxData)));
      },
      end() {
        if (live.localDone || gone) return;
        live.localDone = true;
        sendQuietly(dataFrame(id, flagFin, new Uint8Array(0)));
        forget(id, live);
      },
      reset() {
        if (!streams.delete(id) || gone) return;
        live.localDone = live.remoteDone = true;
        inbound.end();
        sendQuietly(control(frame.reset, 0, word(id, 5)));
      },
    };
    streams.set(id, live);
    return live;
  }

  function remoteEnd(id: number, live: Live): void {
    live.remoteDone = true;
    live.inbound.end();
    forget(id, live);
  }

  async function onControl(type: number, flags: number, payload: Buffer): Promise<void> {
    if (type === frame.synStream) {
      const id = payload.readUInt32BE(0) & 0x7fffffff;
      const live = makeStream(id, await decoder.decode(payload.subarray(10)));
      await send(control(frame.synReply, 0, Buffer.concat([word(id), encodeHeaders({})])));
      if (flags & flagFin) remoteEnd(id, live);
      options.onStream?.(live.stream);
    } else if (type === frame.synReply || type === frame.headers) {
      await decoder.decode(payload.subarray(4));
      const id = payload.readUInt32BE(0) & 0x7fffffff;
      const live = streams.get(id);
      if (!live) return;
      live.accepted?.resolve(live.stream);
      if (flags & flagFin) remoteEnd(id, live);
    } else if (type === frame.reset) {
      const id = payload.readUInt32BE(0) & 0x7fffffff;
      const live = streams.get(id);
      streams.delete(id);
      live?.accepted?.reject(new Error('the peer refused the stream'));
      if (live) live.localDone = live.remoteDone = true;
      live?.inbound.end();
    } else if (type === frame.ping) {
      const mine = (payload.readUInt32BE(0) & 1) === (options.role === 'client' ? 1 : 0);
      if (!mine) await send(control(frame.ping, 0, payload));
    }
  }

  async function onData(id: number, flags: number, payload: Uint8Array): Promise<void> {
    const live = streams.get(id);
    if (!live) return;
    if (payload.length > 0) live.inbound.push(payload);
    if (flags & flagFin) remoteEnd(id, live);
    while (live.inbound.size > highWater && streams.has(id))
      await new Promise<void>(resolve => {
        resume = resolve;
      });
  }

  async function run(): Promise<void> {
    try {
      for await (const { head, payload } of frames(transport.readable)) {
        const first = head.readUInt32BE(0);
        const flags = head[4] ?? 0;
        if (first & 0x80000000) await onControl(first & 0xffff, flags, payload);
        else await onData(first, flags, payload);
      }
    } catch {
      // The connection broke: the readers below see the end.
    }
    shut();
  }

  function shut(): void {
    if (gone) return;
    gone = true;
    for (const live of streams.values()) {
      live.accepted?.reject(new Error('the connection is closed'));
      live.inbound.end();
    }
    streams.clear();
    resume?.();
    decoder.close();
    transport.destroy();
  }

  const closed = run();
  return {
    async open(headers) {
      if (gone) throw new Error('the connection is closed');
      const id = nextId;
      nextId += 2;
      const live = makeStream(id, headers);
      const accepted = new Promise<SpdyStream>((resolve, reject) => {
        live.accepted = { resolve, reject };
      });
      accepted.catch(() => undefined);
      const payload = Buffer.concat([word(id, 0), Buffer.alloc(2), encodeHeaders(headers)]);
      await send(control(frame.synStream, 0, payload));
      return accepted;
    },
    close() {
      if (gone) return;
      void send(control(frame.goAway, 0, word(0, 0)))
        .catch(() => undefined)
        .then(() => {
          transport.end();
          shut();
        });
    },
    closed,
  };
}

async function* frames(readable: AsyncIterable<Uint8Array>): AsyncGenerator<{ head: Buffer; payload: Buffer }> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of readable) {
    pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
    while (pending.length >= 8) {
      const length = pending.readUInt32BE(4) & 0xffffff;
      if (pending.length < 8 + length) break;
      yield { head: pending.subarray(0, 8), payload: pending.subarray(8, 8 + length) };
      pending = pending.subarray(8 + length);
    }
  }
}
