/** UDP and TCP sockets around a responder. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { type DecodedPacket, decode } from 'dns-packet';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { ReplyPacket, Responder } from './answer.ts';
import { encodeCompact, encodeWithin } from './compact.ts';
import type { DnsMeter } from './meter.ts';
import { createReplyCache } from './reply-cache.ts';

export interface DnsServer {
  /** The port in use (useful when 0 was asked for). */
  readonly port: number;
  close(): Promise<void>;
}

export interface DnsServerOptions {
  readonly address: string;
  readonly port: number;
  readonly responder: Responder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: DnsMeter;
}

const tcpIdleMs = 10_000;
const maxTcpConnections = 256;

/** Resolves when both sockets are bound. Rejects when the address is in use. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { responder, log, clock, meter } = options;

  async function answer(
    message: Buffer,
    client: string,
  ): Promise<{ query: DecodedPacket; reply: ReplyPacket } | undefined> {
    if (!isPlausible(message)) return undefined;
    let query: DecodedPacket;
    try {
      query = decode(message);
    } catch {
      return undefined;
    }
    try {
      return { query, reply: await responder(query, client) };
    } catch (error) {
      log.error('a question could not be answered', { error, client });
      return { query, reply: { id: query.id ?? 0, type: 'response', flags: 2, questions: query.questions ?? [] } };
    }
  }

  const cache = createReplyCache(responder);

  async function onUdp(socket: UdpSocket, message: Buffer, from: { address: string; port: number }): Promise<void> {
    const startedAt = meter.now();
    const known = cache.get(message);
    if (known) {
      send(socket, known.bytes, from);
      meter.observe(known.labels, startedAt);
      return;
    }
    const answered = await answer(message, from.address);
    if (!answered) return;
    const { query, reply } = answered;
    const encoded = encodeWithin(reply, roomOf(query));
    send(socket, encoded.bytes, from);
    const labels = meter.labels(query, reply, server, 'udp');
    meter.observe(labels, startedAt);
    // A reply that was cut shows other answers each time.
    if (reply.version !== undefined && !encoded.isTruncated)
      cache.put(message, { ...encoded, labels, version: reply.version });
  }
  /** A reply that cannot be sent is lost, as any datagram may be. */
  function send(socket: UdpSocket, bytes: Buffer, to: { address: string; port: number }): void {
    if (!closed && to.port !== 0) socket.send(bytes, to.port, to.address, () => {});
  }

  let closed = false;
  const connections = new Set<Socket>();
  const tcp = createServer(socket => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    serveTcp(socket, clock, async (message, client) => {
      const startedAt = meter.now();
      const answered = await answer(message, client);
      if (answered) meter.observe(meter.labels(answered.query, answered.reply, server, 'tcp'), startedAt);
      return answered;
    });
  });
  tcp.maxConnections = maxTcpConnections;
  const port = await listenTcp(tcp, options.port, options.address);
  const server = { address: options.address, port };
  const udp = createSocket({ type: options.address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
  udp.on('message', (message, from) => void onUdp(udp, message, from));
  try {
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind(port, options.address, resolve);
    });
  } catch (error) {
    tcp.close();
    throw error;
  }
  udp.on('error', error => log.error('the UDP socket failed', { error }));
  return {
    port,
    async close() {
      closed = true;
      for (const connection of connections) connection.destroy();
      await Promise.all([
        new Promise<void>(resolve => udp.close(() => resolve())),
        new Promise<void>(resolve => tcp.close(() => resolve())),
      ]);
    },
  };
}

/**
 * Whether the header is that of a question: no reply, at most one question, no answers, an option or a signature. Others are dropped unread,
 * because a packet that promises 65,535 records takes a tenth of a second to decode.
 */
function isPlausible(message: Buffer): boolean {
  if (message.length < 12 || ((message[2] ?? 0) & 0x80) !== 0) return false;
  const count = (at: number) => message.readUInt16BE(at);
  return count(4) <= 1 && count(6) === 0 && count(8) === 0 && count(10) <= 2;
}

function listenTcp(server: Server, port: number, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound ? bound.port : port);
    });
  });
}

/** What the client can take over UDP: 512 bytes, or what its EDNS option says, at most 1232. */
function roomOf(query: DecodedPacket): number {
  const option = query.additionals?.find(a => a.type === 'OPT');
  const said = option?.type === 'OPT' ? (option as { udpPayloadSize: number }).udpPayloadSize : 512;
  return Math.min(1232, Math.max(512, said));
}

function serveTcp(
  socket: Socket,
  clock: Clock,
  answer: (message: Buffer, client: string) => Promise<{ reply: ReplyPacket } | undefined>,
): void {
  let received: Buffer = Buffer.alloc(0);
  let idle = clock.setTimer(() => socket.destroy(), tcpIdleMs);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => idle.cancel());
  socket.on('data', (chunk: Buffer) => {
    idle.cancel();
    idle = clock.setTimer(() => socket.destroy(), tcpIdleMs);
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2) {
      const length = received.readUInt16BE(0);
      if (received.length < 2 + length) break;
      const message = received.subarray(2, 2 + length);
      received = received.subarray(2 + length);
      void answer(Buffer.from(message), socket.remoteAddress ?? '').then(answered => {
        if (!answered || socket.destroyed) return;
        const bytes = encodeCompact(answered.reply);
        const head = Buffer.alloc(2);
        head.writeUInt16BE(bytes.length);
        socket.write(Buffer.concat([head, bytes]));
      });
    }
  });
}
