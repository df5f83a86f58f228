/** exec, attach and port-forward: from an upgraded connection to the runtime's streams. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ByteStream } from '../../api/transport.ts';
import { readySandbox } from '../pod/state.ts';
import type { PodWorker } from '../pod/worker.ts';
import type { ContainerRuntime, StreamOptions, StreamSession } from '../runtime/contract.ts';
import { byteStreamOf } from '../streaming/bytes.ts';
import {
  channelProtocols,
  portForwardProtocol,
  servePortChannels,
  servePortForward,
  tunnelProtocol,
  webSocketBytes,
} from '../streaming/port-forward.ts';
import {
  serveRemoteCommand,
  spdyPeer,
  spdyProtocols,
  spdyStreams,
  webSocketPeer,
  webSocketProtocols,
} from '../streaming/remote-command.ts';
import { createSpdyConnection } from '../streaming/spdy.ts';
import { acceptKey, createMessageSocket, type MessageSocket } from '../streaming/websocket.ts';

export interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  query: URLSearchParams;
}

/** Answers 101 with the best protocol that both know. */
function acceptWebSocket({ request, socket, head }: Upgrade, protocols: readonly string[]): MessageSocket {
  const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
  const protocol = protocols.find(p => offered.includes(p)) ?? '';
  const key = String(request.headers['sec-websocket-key'] ?? '');
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptKey(key)}`,
    ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return createMessageSocket(byteStreamOf(socket, head), protocol);
}

/** Answers 101 and hands the raw connection over. */
function acceptSpdy(
  { request, socket, head }: Upgrade,
  protocols: readonly string[],
): { transport: ByteStream; protocol: string } {
  const offered = String(request.headers['x-stream-protocol-version'] ?? '').split(/,\s*/);
  const protocol = protocols.find(p => offered.includes(p)) ?? offered[0] ?? '';
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  return { transport: byteStreamOf(socket, head), protocol };
}

const isWebSocket = (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === 'websocket';
const flag = (query: URLSearchParams, ...names: string[]) =>
  names.some(n => ['1', 'true'].includes(query.get(n) ?? ''));

export function streamOptions(query: URLSearchParams): StreamOptions {
  const tty = flag(query, 'tty');
  return {
    tty,
    stdin: flag(query, 'input', 'stdin'),
    stdout: flag(query, 'output', 'stdout'),
    stderr: flag(query, 'error', 'stderr') && !tty,
  };
}

export async function serveCommand(
  upgrade: Upgrade,
  open: (options: StreamOptions) => Promise<StreamSession>,
): Promise<void> {
  const options = streamOptions(upgrade.query);
  if (isWebSocket(upgrade.request)) {
    const socket = acceptWebSocket(upgrade, webSocketProtocols);
    return serveRemoteCommand(webSocketPeer(socket), () => open(options), options);
  }
  const { transport, protocol } = acceptSpdy(upgrade, spdyProtocols);
  const wanted = ['error', ...(['stdin', 'stdout', 'stderr'] as const).filter(s => options[s])];
  const resize = options.tty && !['channel.k8s.io', 'v2.channel.k8s.io'].includes(protocol) ? ['resize'] : [];
  const streams = spdyStreams([...wanted, ...resize]);
  const connection = createSpdyConnection(transport, { role: 'server', onStream: streams.add });
  try {
    const all = await streams.all;
    await serveRemoteCommand(spdyPeer(connection, all, protocol), () => open(options), options);
  } catch {
    connection.close();
  }
}

export async function serveForward(upgrade: Upgrade, worker: PodWorker, runtime: ContainerRuntime): Promise<void> {
  const { metadata } = worker.pod;
  const dial = async (port: number) => {
    const sandbox = readySandbox(worker.view);
    if (!sandbox) throw new Error(`pod ${metadata.name} is not running`);
    return runtime.portForward(sandbox.id, port);
  };
  const where = `${metadata.name}_${metadata.namespace}, uid : ${metadata.uid}`;
  if (!isWebSocket(upgrade.request)) {
    const { transport } = acceptSpdy(upgrade, [portForwardProtocol]);
    return servePortForward(transport, dial, where);
  }
  const socket = acceptWebSocket(upgrade, [tunnelProtocol, ...channelProtocols]);
  if (socket.protocol === tunnelProtocol) return servePortForward(webSocketBytes(socket), dial, where);
  const ports = upgrade.query
    .getAll('port')
    .flatMap(p => p.split(','))
    .map(Number)
    .filter(p => p > 0);
  return servePortChannels(socket, ports, dial, where);
}
