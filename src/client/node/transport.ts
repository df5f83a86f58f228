import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type ConnectionOptions } from 'node:tls';
import type { ApiResponse, Transport } from '../../api/transport.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { readAll } from '../lines.ts';
import { byteStreamOf } from './byte-stream.ts';
import { authorizationOf, type CredentialSource, type Credentials, fixedCredentials } from './credentials.ts';
import { http } from './http.ts';
import { tunnel } from './proxy.ts';
import { createSessionPool, isRefused, type SessionPool } from './sessions.ts';

export interface TransportOptions extends Credentials {
  /** "https://host:6443"; a path in it is put before every request's. "http://" speaks HTTP/1.1. */
  readonly server: string;
  /** PEM. Default: the system's. */
  readonly ca?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly tlsServerName?: string;
  /** "http://user:password@host:port": connections over TLS go through it. */
  readonly proxy?: string;
  /** Asked instead of the fixed credentials. */
  readonly credentials?: CredentialSource;
  readonly clock?: Clock;
}
type Request = Parameters<Transport['request']>[0];

/**
 * HTTP/2 over TLS with many streams on few connections, which are made when needed and again after they broke; HTTP/1.1 where the peer
 * has no HTTP/2, and for upgrades (exec, attach, port-forward).
 */
export function http2Transport(options: TransportOptions): Transport {
  const url = new URL(options.server);
  const prefix = url.pathname.replace(/\/$/, '');
  const source = withFixed(options);
  const pool = createSessionPool(url, () => connectOptions(options, url, source), options.clock ?? systemClock);
  const agent = new https.Agent({ keepAlive: true });

  async function once(request: Request, path: string): Promise<ApiResponse> {
    const credentials = await source.get();
    const headers = wireHeaders(request, credentials);
    if (request.headers['upgrade'])
      return upgrade(url, await connectOptions(options, url, source), request, path, headers);
    if (url.protocol === 'https:') {
      const response = await overHttp2(pool, request, path, headers);
      if (response) return response;
    }
    const tlsOptions = url.protocol === 'https:' ? await connectOptions(options, url, source) : {};
    return overHttp1(
      url,
      { ...tlsOptions, ...(url.protocol === 'https:' && { agent: !options.proxy && agent }) },
      request,
      path,
      headers,
    );
  }
  return {
    async request(request) {
      const query = request.query.toString();
      const path = `${prefix}${request.path}${query && `?${query}`}`;
      const response = await once(request, path);
      if (response.status !== 401 || !source.refused()) return response;
      await readAll(response.body);
      pool.reset();
      return once(request, path);
    },
    async close() {
      pool.close();
      agent.destroy();
    },
  };
}

/** A source may give only a token beside a fixed certificate, or the other way round. */
function withFixed(options: TransportOptions): CredentialSource {
  const { credentials, cert, key, token, basic } = options;
  const fixed: Credentials = {
    ...(cert && { cert }),
    ...(key && { key }),
    ...(token && { token }),
    ...(basic && { basic }),
  };
  if (!credentials) return fixedCredentials(fixed);
  return { get: async () => ({ ...fixed, ...(await credentials.get()) }), refused: () => credentials.refused() };
}

async function connectOptions(
  options: TransportOptions,
  url: URL,
  source: CredentialSource,
): Promise<ConnectionOptions> {
  const { cert, key } = await source.get();
  const servername = options.tlsServerName ?? (/^[\d.]+$|:/.test(url.hostname) ? '' : url.hostname);
  const target = `${url.hostname}:${url.port || 443}`;
  return {
    ...(options.proxy && { socket: await tunnel(options.proxy, target) }),
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 443),
    rejectUnauthorized: !options.insecureSkipTlsVerify,
    ...(servername && { servername }),
    ...(options.tlsServerName && {
      checkServerIdentity: (_host, peer) => tls.checkServerIdentity(options.tlsServerName ?? '', peer),
    }),
    ...(options.ca && { ca: options.ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  };
}

function wireHeaders(request: Request, credentials: Credentials): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { ...request.headers };
  const authorization = authorizationOf(credentials);
  if (authorization) headers['authorization'] ??= authorization;
  // Groups are separate headers on the wire.
  const groups = request.headers['impersonate-group'];
  if (groups) headers['impersonate-group'] = groups.split(', ');
  if (request.body) headers['content-length'] = String(request.body.length);
  return headers;
}

/** A streaming answer is handed on as it comes; others are collected, which is a good deal faster for small ones. */
function streams({ query, path }: Request): boolean {
  return (
    query.get('watch') === 'true' ||
    query.get('watch') === '1' ||
    /\/(log|proxy)(\/|$)/.test(path) ||
    /^\/(logs|containerLogs)(\/|$)/.test(path)
  );
}

/** Undefined when the peer does not speak HTTP/2. */
async function overHttp2(
  pool: SessionPool,
  request: Request,
  path: string,
  headers: Record<string, string | string[]>,
): Promise<ApiResponse | undefined> {
  for (let attempt = 0; ; attempt++) {
    request.signal.throwIfAborted();
    const lease = await pool.take();
    if (!lease) return undefined;
    try {
      return await lease.request({ ...headers, ':method': request.method, ':path': path }, request, streams(request));
    } catch (e) {
      // The server said that it did not look at the request.
      if (attempt >= 2 || !isRefused(e)) throw e;
    }
  }
}

function overHttp1(
  url: URL,
  options: https.RequestOptions,
  request: Request,
  path: string,
  headers: Record<string, string | string[]>,
): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? https.request : http.request;
    const { method, signal } = request;
    const call = send(url, { ...options, path, method, headers, signal }, response => {
      const head = { status: response.statusCode ?? 500, headers: flatHeaders(response) };
      if (streams(request)) resolve({ ...head, body: response });
      else readAll(response).then(body => resolve({ ...head, body }), reject);
    });
    call.on('error', e => reject(signal.aborted ? signal.reason : e));
    call.end(request.body);
  });
}

function upgrade(
  url: URL,
  options: ConnectionOptions,
  request: Request,
  path: string,
  headers: Record<string, string | string[]>,
): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:';
    const send = secure ? https.request : http.request;
    const call = send(url, {
      ...(secure && (options as https.RequestOptions)),
      agent: false,
      path,
      method: request.method,
      headers: { connection: 'Upgrade', ...headers },
    });
    const abort = () => call.destroy(new Error('aborted'));
    request.signal.addEventListener('abort', abort, { once: true });
    call.on('upgrade', (response: IncomingMessage, socket: Socket | Duplex, head: Buffer) => {
      request.signal.removeEventListener('abort', abort);
      request.signal.addEventListener('abort', () => socket.destroy(), { once: true });
      resolve({
        status: response.statusCode ?? 101,
        headers: flatHeaders(response),
        stream: byteStreamOf(socket, head),
      });
    });
    call.on('response', response => {
      const head = { status: response.statusCode ?? 500, headers: flatHeaders(response) };
      readAll(response).then(body => resolve({ ...head, body }), reject);
    });
    call.on('error', e => reject(request.signal.aborted ? request.signal.reason : e));
    call.end(request.body);
  });
}

function flatHeaders({ headers }: IncomingMessage): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
