/**
 * WebSocket framing (RFC 6455) over a connection that was upgraded. Written here because port-forward's subprotocol
 * `SPDY/3.1+portforward.k8s.io` is no token, which well-mannered libraries refuse. No extensions.
 */
import { createHash } from 'node:crypto';
import type { ByteStream } from '../../api/transport.ts';

export interface MessageSocket {
  /** The subprotocol that was agreed on; '' for none. */
  readonly protocol: string;
  /** Whole messages; ends when the peer closed or the connection broke. For one reader. */
  readonly messages: AsyncIterable<Uint8Array>;
  send(chunk: Uint8Array): Promise<void>;
  /** Says good-bye with this code and ends the connection. */
  close(code?: number): void;
  readonly closed: Promise<void>;
}

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const maxMessage = 32 * 2 ** 20;
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export const acceptKey = (key: string): string =>
  createHash('sha1')
    .update(key + acceptGuid)
    .digest('base64');

interface Frame {
  final: boolean;
  opcode: number;
  payload: Buffer;
}

function encode(opcode: number, payload: Uint8Array, mask: Uint8Array | undefined): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extended + (mask ? 4 : 0));
  head[0] = 0x80 | opcode;
  head[1] = (mask ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) head.writeUInt16BE(length, 2);
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (!mask) return Buffer.concat([head, payload]);
  head.set(mask, 2 + extended);
  return Buffer.concat([head, unmask(payload, mask)]);
}

function unmask(payload: Uint8Array, mask: Uint8Array): Buffer {
  const out = Buffer.from(payload);
  for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return out;
}

/** The first frame in the bytes and how long it is; undefined when it is not all there yet. */
function decode(bytes: Buffer): { frame: Frame; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  let length = second & 0x7f;
  let at = 2;
  if (length === 126) {
    if (bytes.length < 4) return undefined;
    length = bytes.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return undefined;
    length = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  if (length > maxMessage) throw new Error('message too large');
  const masked = (second & 0x80) !== 0;
  const start = at + (masked ? 4 : 0);
  if (bytes.length < start + length) return undefined;
  const raw = bytes.subarray(start, start + length);
  const payload = masked ? unmask(raw, bytes.subarray(at, at + 4)) : raw;
  return { frame: { final: (first & 0x80) !== 0, opcode: first & 0x0f, payload }, size: start + length };
}

/** `mask`: four random bytes per frame; clients have to. */
export function createMessageSocket(stream: ByteStream, protocol: string, mask?: () => Uint8Array): MessageSocket {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let over = false;
  const write = (opcode: number, payload: Uint8Array) => stream.write(encode(opcode, payload, mask?.()));
  function close(code = 1000): void {
    if (over) return;
    over = true;
    const reason = Buffer.alloc(2);
    reason.writeUInt16BE(code);
    void write(opcodes.close, reason)
      .catch(() => undefined)
      .then(() => stream.end());
  }
  async function* frames(): AsyncGenerator<Frame> {
    let pending: Buffer = Buffer.alloc(0);
    for await (const chunk of stream.readable) {
      pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
      for (let found = decode(pending); found; found = decode(pending)) {
        pending = pending.subarray(found.size);
        yield found.frame;
      }
    }
  }
  async function* messages(): AsyncGenerator<Uint8Array> {
    let parts: Buffer[] = [];
    try {
      for await (const { final, opcode, payload } of frames()) {
        if (opcode === opcodes.close) return;
        if (opcode === opcodes.ping) await write(opcodes.pong, payload);
        else if (opcode !== opcodes.pong) {
          parts.push(payload);
          if (!final) continue;
          const whole = parts.length === 1 ? payload : Buffer.concat(parts);
          parts = [];
          yield whole;
        }
      }
    } catch {
      // The connection broke: for the reader that is its end.
    } finally {
      close();
      resolve();
    }
  }
  return {
    protocol,
    messages: messages(),
    async send(chunk) {
      if (over) throw new Error('the connection is closed');
      await write(opcodes.binary, chunk);
    },
    close,
    closed,
  };
}
