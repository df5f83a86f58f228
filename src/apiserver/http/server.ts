/** HTTP/2 (stream API) and HTTP/1.1 over TLS in front of a `Handler`. */
import type { Server, ServerResponse } from 'node:http';
import http2 from 'node:http2';
import type { Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import type { Handler, Peer } from '../../api/transport.ts';
import { http } from '../../client/node/http.ts';
import { malformedResponse, serveRequest1, serveUpgrade } from './http1.ts';
import { type StreamContext, serveStream } from './http2.ts';
import { defaultLimits, type HttpLimits } from './limits.ts';
import { OpenBodies } from './open-bodies.ts';
import { fingerprintsOf, peerOf } from './peer.ts';

export interface TlsFiles {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** Authorities of client certificates. */
  readonly clientCa?: string;
  /** Authorities of front proxies' certificates. */
  readonly frontProxyCa?: string;
}
export interface HttpServerOptions {
  readonly handle: Handler;
  readonly tls: TlsFiles;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly limits?: Partial<HttpLimits>;
}
export interface HttpServer {
  readonly port: number;
  /** Serves new connections with other certificates. */
  setTls(files: TlsFiles): void;
  /** Stops accepting, lets requests in work end for `graceMs`, then drops connections. */
  close(graceMs?: number): Promise<void>;
}

const peerKey = Symbol('peer');
interface PeerSocket {
  [peerKey]?: Peer;
}

function secureOptions(files: TlsFiles): tls.TlsOptions {
  const ca = [files.clientCa, files.frontProxyCa].filter(pem => pem !== undefined);
  return {
    cert: files.cert,
    key: files.key,
    requestCert: ca.length > 0,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    ...(ca.length > 0 && { ca }),
  };
}

export async function listen(options: HttpServerOptions): Promise<HttpServer> {
  const { handle } = options;
  const limits = { ...defaultLimits, ...options.limits };
  let frontProxies = fingerprintsOf(options.tls.frontProxyCa);
  const sockets = new Set<Socket>();
  const bodies = new OpenBodies(limits);
  const overHttp1 = http1Server(handle, limits, bodies);
  const overHttp2 = http2Server(handle, limits, bodies);
  const secure = tls.createServer({
    ...secureOptions(options.tls),
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: limits.handshakeMs,
  });
  secure.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.setKeepAlive(true, limits.keepAliveProbeMs);
    socket.setNoDelay(true);
  });
  secure.on('secureConnection', (socket: TLSSocket) => {
    (socket as PeerSocket)[peerKey] = peerOf(socket, frontProxies);
    socket.on('error', () => socket.destroy());
    (socket.alpnProtocol === 'h2' ? overHttp2.server : overHttp1).emit('connection', socket);
  });
  secure.on('tlsClientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    secure.once('error', reject);
    secure.listen(options.port, options.host, resolve);
  });
  secure.on('error', () => {});
  const address = secure.address();
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    setTls(files) {
      frontProxies = fingerprintsOf(files.frontProxyCa);
      secure.setSecureContext(secureOptions(files));
    },
    async close(graceMs = 0) {
      const closed = new Promise<void>(resolve => secure.close(() => resolve()));
      overHttp2.close();
      overHttp1.close();
      overHttp1.closeIdleConnections();
      // It never listened itself, but its check for slow connections runs until it is closed.
      overHttp1.close();
      const timer = setTimeout(() => {
        overHttp2.destroy();
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** How often connections and bodies are looked at that may be too slow. */
const sweepInterval = (limits: HttpLimits) => Math.min(5_000, limits.handshakeMs, limits.bodyMs);

function http1Server(handle: Handler, limits: HttpLimits, bodies: OpenBodies): Server {
  const server = http.createServer({
    maxHeaderSize: limits.headers,
    headersTimeout: limits.handshakeMs,
    requestTimeout: limits.bodyMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: sweepInterval(limits),
  });
  const peer = (socket: unknown) => (socket as PeerSocket)[peerKey] ?? {};
  const answers = new WeakMap<object, ServerResponse>();
  server.on('request', (request, response) => {
    answers.set(request.socket, response);
    serveRequest1(handle, request, response, peer(request.socket), bodies);
  });
  server.on('upgrade', (request, socket, head) => {
    void serveUpgrade(handle, request, socket as Socket, head, peer(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    refuseNonsense(error, socket as Socket, answers.get(socket));
  });
  // Connections are handed to this server, it never listens itself; this is what starts its watch over slow requests.
  server.emit('listening');
  server.on('connection', (socket: Socket) => socket.setTimeout(limits.idleMs, () => socket.destroy()));
  return server;
}

/** What is no HTTP gets an answer if it can, and the connection ends. In the midst of the last request's answer it cannot. */
function refuseNonsense({ code }: NodeJS.ErrnoException, socket: Socket, last: ServerResponse | undefined): void {
  const isAnswering = last?.headersSent === true && !last.writableEnded;
  if (!socket.writable || isAnswering || code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  socket.end(malformedResponse(status), () => socket.destroy());
}

interface Connection {
  /** Of all its streams. */
  readonly context: StreamContext;
  openStreams: number;
  /** When it was opened, or when its last stream ended. */
  quietSince: number;
  /** How long it may go without a stream. */
  patience: number;
}

function openConnection(shared: Omit<StreamContext, 'closed'>): Connection {
  const connection: Connection = {
    context: {
      ...shared,
      closed() {
        connection.openStreams -= 1;
        if (connection.openStreams === 0) connection.quietSince = performance.now();
      },
    },
    openStreams: 0,
    quietSince: performance.now(),
    patience: shared.limits.handshakeMs,
  };
  return connection;
}

/** Connections are handed to it; it never listens itself. */
function http2Server(handle: Handler, limits: HttpLimits, bodies: OpenBodies) {
  const connections = new Map<http2.Http2Session, Connection>();
  const server = http2.createServer({
    maxHeaderListPairs: 256,
    maxSessionMemory: 100,
    settings: {
      maxConcurrentStreams: limits.streamsPerConnection,
      maxHeaderListSize: limits.headers,
      initialWindowSize: 1 << 20,
      enablePush: false,
    },
  });
  server.on('session', session => {
    const peer = (session.socket as PeerSocket)[peerKey] ?? {};
    connections.set(session, openConnection({ handle, limits, peer, bodies }));
    session.once('close', () => connections.delete(session));
    session.on('error', () => session.destroy());
  });
  server.on('stream', (stream, headers) => {
    const connection = stream.session && connections.get(stream.session);
    if (!connection) {
      stream.destroy();
      return;
    }
    connection.openStreams += 1;
    connection.patience = limits.idleMs;
    serveStream(connection.context, stream as http2.ServerHttp2Stream, headers);
  });
  server.on('sessionError', () => {});
  // One timer for all: one for each would be set anew with every frame. Open streams keep a connection however quiet they are.
  const sweep = setInterval(() => {
    bodies.dropSlow();
    const now = performance.now();
    for (const [session, { openStreams, quietSince, patience }] of connections)
      if (openStreams === 0 && now - quietSince >= patience) session.close();
  }, sweepInterval(limits));
  sweep.unref();
  return {
    server,
    /** Lets streams in work end. */
    close() {
      clearInterval(sweep);
      for (const session of connections.keys()) session.close();
    },
    destroy() {
      for (const session of connections.keys()) session.destroy();
    },
  };
}
