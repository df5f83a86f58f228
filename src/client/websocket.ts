/** The client's end of a WebSocket (RFC 6455) over any upgraded connection: binary messages, pings answered, no extensions. */
import type { ByteStream } from '../api/transport.ts';
import { ApiError } from '../base/errors.ts';
import { type Random, systemRandom } from '../base/random.ts';
import type { Client } from './contract.ts';
import { concat } from './lines.ts';

export interface WebSocketConnection {
  /** Which of the offered protocols the server chose. */
  readonly protocol: string;
  /** Whole messages; ends when the peer closes. */
  readonly messages: AsyncIterable<Uint8Array>;
  send(message: Uint8Array): Promise<void>;
  /** Says good-bye and drops the connection. */
  close(): void;
}

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** A peer that announces more than this is not one of ours. */
const maxMessage = 64 << 20;

export async function openWebSocket(
  client: Client,
  path: string,
  options: { query: URLSearchParams; protocols: readonly string[]; signal?: AbortSignal | undefined; random?: Random },
): Promise<WebSocketConnection> {
  const random = options.random ?? systemRandom;
  const key = btoa(String.fromCharCode(...random.bytes(16)));
  const response = await client.open('GET', path, {
    query: options.query,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': key,
      'sec-websocket-protocol': options.protocols.join(', '),
    },
    ...(options.signal && { signal: options.signal }),
  });
  const { stream, headers, status } = response;
  if (status !== 101 || !stream)
    throw new ApiError(500, 'InternalError', 'unable to upgrade connection: the server answered with no WebSocket');
  if (headers['sec-websocket-accept'] !== (await acceptFor(key))) {
    stream.destroy();
    throw new ApiError(500, 'InternalError', 'unable to upgrade connection: wrong Sec-WebSocket-Accept');
  }
  return connection(stream, headers['sec-websocket-protocol'] ?? '', random);
}

async function acceptFor(key: string): Promise<string> {
  const digest = await crypto.subtle.digest(
    'SHA-1',
    new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`),
  );
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}

function connection(stream: ByteStream, protocol: string, random: Random): WebSocketConnection {
  const send = (opcode: number, payload: Uint8Array) => stream.write(encodeFrame(opcode, payload, random));
  async function* messages(): AsyncGenerator<Uint8Array> {
    let parts: Uint8Array[] = [];
    for await (const frame of frames(stream.readable)) {
      // Not awaited: a peer that does not read must not stop us from reading.
      if (frame.opcode === opcodes.ping) void send(opcodes.pong, frame.payload).catch(() => undefined);
      else if (frame.opcode === opcodes.close) {
        void send(opcodes.close, frame.payload.subarray(0, 2)).catch(() => undefined);
        return;
      } else if (frame.opcode !== opcodes.pong) {
        parts.push(frame.payload);
        if (!frame.final) continue;
        const message = concat(parts);
        parts = [];
        yield message;
      }
    }
  }
  return {
    protocol,
    messages: messages(),
    send: message => send(opcodes.binary, message),
    close() {
      const drop = () => {
        stream.end();
        stream.destroy();
      };
      void send(opcodes.close, Uint8Array.of(3, 232)).then(drop, drop);
    },
  };
}

export function encodeFrame(opcode: number, payload: Uint8Array, random: Random): Uint8Array {
  const { length } = payload;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const out = new Uint8Array(2 + extra + 4 + length);
  const view = new DataView(out.buffer);
  out[0] = 0x80 | opcode;
  out[1] = 0x80 | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) view.setUint16(2, length);
  if (extra === 8) view.setBigUint64(2, BigInt(length));
  const mask = random.bytes(4);
  out.set(mask, 2 + extra);
  for (let i = 0; i < length; i++) out[6 + extra + i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return out;
}

interface Frame {
  opcode: number;
  final: boolean;
  payload: Uint8Array;
}

async function* frames(readable: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  let buffer: Uint8Array = new Uint8Array();
  for await (const chunk of readable) {
    buffer = buffer.length === 0 ? chunk : concat([buffer, chunk]);
    for (let next = decodeFrame(buffer); next; next = decodeFrame(buffer)) {
      buffer = buffer.subarray(next.size);
      yield next.frame;
    }
  }
}

/** Undefined while the frame is not whole. Servers do not mask. */
export function decodeFrame(bytes: Uint8Array): { frame: Frame; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const short = (bytes[1] ?? 0) & 0x7f;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head) return undefined;
  const length = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
  if (length > maxMessage) throw new ApiError(500, 'InternalError', 'the WebSocket message is too large');
  if (bytes.length < head + length) return undefined;
  const first = bytes[0] ?? 0;
  const payload = bytes.slice(head, head + length);
  return { frame: { opcode: first & 0x0f, final: (first & 0x80) !== 0, payload }, size: head + length };
}
