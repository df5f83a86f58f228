/** The sockets of the userspace proxy, and nothing else of it: everything that depends on the platform is in this file. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Backend } from '../model.ts';
import { type Caller, sameBackend } from './balancer.ts';

export type Choose = (caller: Caller, failed: readonly Backend[]) => Backend | undefined;

export interface ListenAddress {
  readonly family: 'ip' | 'ip6';
  /** Absent: every address of the node. */
  readonly address?: string;
  readonly port: number;
}

export interface Relay {
  readonly port: number;
  /** Ends datagram flows to backends that are not in the list; a TCP connection lives on until one of its ends closes. */
  retain(backends: readonly Backend[]): void;
  /** Takes no new flows. Established TCP connections live on, unless `flows` are to end too. */
  close(flows: boolean): Promise<void>;
}

/** Opens relays. Rejects when the address cannot be bound. */
export interface RelaySockets {
  tcp(at: ListenAddress, choose: Choose): Promise<Relay>;
  udp(at: ListenAddress, choose: Choose): Promise<Relay>;
}

const dialMs = 3000;
const udpIdleMs = 60_000;
const maxUdpFlows = 4096;
const maxAttempts = 4;

const hostOf = (at: ListenAddress) => at.address ?? (at.family === 'ip6' ? '::' : '0.0.0.0');
const plain = (address: string | undefined) => (address ?? '').replace(/^::ffff:/, '');

export function nodeRelaySockets(clock: Clock): RelaySockets {
  return { tcp: (at, choose) => tcpRelay(at, choose, clock), udp: (at, choose) => udpRelay(at, choose, clock) };
}

async function tcpRelay(at: ListenAddress, choose: Choose, clock: Clock): Promise<Relay> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, client => {
    open.add(client);
    client.once('close', () => open.delete(client));
    client.on('error', () => client.destroy());
    void join(client, choose, clock);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: hostOf(at), port: at.port, ipv6Only: at.family === 'ip6', backlog: 1024 }, resolve);
  });
  server.removeAllListeners('error');
  server.on('error', () => {});
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : at.port,
    retain() {},
    close(flows) {
      if (flows) for (const socket of open) socket.destroy();
      return new Promise(resolve => {
        server.close(() => resolve());
        // Connections that live on must not hold up whoever closes the address.
        if (!flows) resolve();
      });
    },
  };
}

/** Leads a client to the first backend that answers; resets the connection when none does. */
async function join(client: Socket, choose: Choose, clock: Clock): Promise<void> {
  const caller = { client: plain(client.remoteAddress), local: plain(client.localAddress) };
  const failed: Backend[] = [];
  while (failed.length < maxAttempts && !client.destroyed) {
    const backend = choose(caller, failed);
    if (!backend) break;
    const server = await dial(backend, clock);
    if (server) return relayBoth(client, server);
    failed.push(backend);
  }
  client.resetAndDestroy();
}

function relayBoth(client: Socket, server: Socket): void {
  if (client.destroyed) {
    server.destroy();
    return;
  }
  const end = (a: Socket, b: Socket) => {
    a.on('error', () => b.resetAndDestroy());
    a.once('close', () => b.destroySoon());
  };
  end(client, server);
  end(server, client);
  client.pipe(server);
  server.pipe(client);
}

function dial(backend: Backend, clock: Clock): Promise<Socket | undefined> {
  return new Promise(resolve => {
    const socket = connect({ host: backend.ip, port: backend.port, allowHalfOpen: true, noDelay: true });
    const fail = () => {
      timer.cancel();
      socket.destroy();
      resolve(undefined);
    };
    const timer = clock.setTimer(fail, dialMs, { background: true });
    socket.once('error', fail);
    socket.once('connect', () => {
      timer.cancel();
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}

interface Flow {
  readonly backend: Backend;
  readonly socket: UdpSocket;
  idle: Timer;
}

async function udpRelay(at: ListenAddress, choose: Choose, clock: Clock): Promise<Relay> {
  const type = at.family === 'ip6' ? 'udp6' : 'udp4';
  const server = createSocket({ type, ipv6Only: at.family === 'ip6', recvBufferSize: 1 << 20 });
  const flows = new Map<string, Flow>();

  function drop(key: string): void {
    const flow = flows.get(key);
    if (!flow) return;
    flows.delete(key);
    flow.idle.cancel();
    flow.socket.close();
  }
  function open(key: string, from: { address: string; port: number }): Flow | undefined {
    const backend = choose({ client: from.address, local: at.address ?? '' }, []);
    if (!backend) return undefined;
    const socket = createSocket(backend.ip.includes(':') ? 'udp6' : 'udp4');
    const flow: Flow = { backend, socket, idle: clock.setTimer(() => drop(key), udpIdleMs, { background: true }) };
    flows.set(key, flow);
    socket.on('message', reply => server.send(reply, from.port, from.address));
    socket.on('error', () => drop(key));
    // Connected: the kernel drops packets from anybody else, and a refusal ends the flow.
    socket.connect(backend.port, backend.ip);
    for (const oldest of flows.keys()) {
      if (flows.size <= maxUdpFlows) break;
      drop(oldest);
    }
    return flow;
  }
  server.on('message', (message, from) => {
    const key = `${from.address} ${from.port}`;
    const flow = flows.get(key) ?? open(key, from);
    if (!flow) return;
    flow.idle.cancel();
    flow.idle = clock.setTimer(() => drop(key), udpIdleMs, { background: true });
    const { socket } = flow;
    const send = () => socket.send(message, error => error && drop(key));
    if (isConnected(socket)) send();
    else socket.once('connect', send);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.bind(at.port, hostOf(at), resolve);
  });
  server.removeAllListeners('error');
  server.on('error', () => {});
  return {
    port: server.address().port,
    retain(backends) {
      for (const [key, flow] of flows) if (!backends.some(b => sameBackend(b, flow.backend))) drop(key);
    },
    close() {
      for (const key of [...flows.keys()]) drop(key);
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
}

function isConnected(socket: UdpSocket): boolean {
  try {
    socket.remoteAddress();
    return true;
  } catch {
    return false;
  }
}
