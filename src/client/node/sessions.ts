import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { ApiRequest, ApiResponse } from '../../api/transport.ts';
import type { Clock } from '../../base/clock.ts';
import { concat } from '../lines.ts';

/** A place for one more stream on a live connection. */
export interface Lease {
  request(
    headers: Record<string, string | string[]>,
    request: Pick<ApiRequest, 'body' | 'signal'>,
    streaming: boolean,
  ): Promise<ApiResponse>;
}
export interface SessionPool {
  /** Undefined when the peer does not speak HTTP/2. Throws when it cannot be reached. */
  take(): Promise<Lease | undefined>;
  /** New requests get new connections (with new credentials). */
  reset(): void;
  close(): void;
}

/** Go's http2.Transport as Kubernetes sets it: a ping after 30 s without a frame, and 15 s for its answer. */
const pingEveryMs = 30_000;
const pingTimeoutMs = 15_000;
/** Streams per connection before another is opened; the server's own limit counts when it is lower. */
const streamsPerSession = 200;
const connectTimeoutMs = 30_000;

interface Member {
  session: ClientHttp2Session;
  streams: number;
}

export function createSessionPool(url: URL, options: () => Promise<ConnectionOptions>, clock: Clock): SessionPool {
  let members: Member[] = [];
  let opening: Promise<Member | undefined> | undefined;
  let closed = false;
  let plainOnly = false;

  async function open(): Promise<Member | undefined> {
    const socket = await connect(await options(), clock);
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy();
      plainOnly = true;
      return undefined;
    }
    const session = http2.connect(url.origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: 4 << 20 },
    });
    session.on('connect', () => session.setLocalWindowSize(16 << 20));
    const member: Member = { session, streams: 0 };
    const drop = () => {
      members = members.filter(m => m !== member);
    };
    session.on('error', drop);
    session.on('goaway', drop);
    session.on('close', drop);
    keepAlive(session, clock);
    // An idle connection does not hold the process; a request in flight does.
    session.unref();
    members.push(member);
    return member;
  }
  const room = ({ session, streams }: Member) => {
    const limit = session.remoteSettings?.maxConcurrentStreams ?? streamsPerSession;
    return !session.closed && !session.destroyed && streams < Math.min(limit, streamsPerSession);
  };
  return {
    async take() {
      if (closed) throw new Error('transport closed');
      if (plainOnly) return undefined;
      const free = members.find(room);
      if (!free) {
        opening ??= open().finally(() => {
          opening = undefined;
        });
        const opened = await opening;
        if (!opened) return undefined;
        return leaseOf(members.find(room) ?? opened);
      }
      return leaseOf(free);
    },
    reset() {
      for (const { session } of members.splice(0)) session.close();
    },
    close() {
      closed = true;
      for (const { session } of members.splice(0)) session.destroy();
    },
  };
}

function connect(options: ConnectionOptions, clock: Clock): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ ...options, ALPNProtocols: ['h2', 'http/1.1'] });
    const timer = clock.setTimer(() => socket.destroy(new Error('connection timed out')), connectTimeoutMs, {
      background: true,
    });
    const settle = () => timer.cancel();
    socket.once('secureConnect', () => {
      settle();
      socket.removeListener('error', reject);
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once('error', reject);
    socket.once('close', settle);
  });
}

/** Finds connections whose peer vanished without a word; their streams fail, and watches resume elsewhere. */
function keepAlive(session: ClientHttp2Session, clock: Clock): void {
  const schedule = () => clock.setTimer(ping, pingEveryMs, { background: true });
  let timer = schedule();
  function ping(): void {
    if (session.closed || session.destroyed) return;
    const late = clock.setTimer(() => session.destroy(new Error('the server does not answer pings')), pingTimeoutMs, {
      background: true,
    });
    session.ping(() => {
      late.cancel();
      if (!session.destroyed) timer = schedule();
    });
  }
  session.on('close', () => timer.cancel());
}

function leaseOf(member: Member): Lease {
  member.streams += 1;
  if (member.streams === 1) member.session.ref();
  const release = () => {
    member.streams -= 1;
    if (member.streams === 0 && !member.session.destroyed) member.session.unref();
  };
  return {
    request: (headers, request, streaming) =>
      new Promise((resolve, reject) => {
        let stream: ClientHttp2Stream;
        try {
          stream = member.session.request(headers, { endStream: request.body === undefined });
        } catch (e) {
          release();
          return reject(refused(e));
        }
        exchange(stream, request, streaming, release, resolve, reject);
      }),
  };
}

function exchange(
  stream: ClientHttp2Stream,
  { body, signal }: Pick<ApiRequest, 'body' | 'signal'>,
  streaming: boolean,
  release: () => void,
  resolve: (response: ApiResponse) => void,
  reject: (error: unknown) => void,
): void {
  const abort = () => stream.close(http2.constants.NGHTTP2_CANCEL);
  signal.addEventListener('abort', abort, { once: true });
  let failure: unknown;
  stream.on('error', e => {
    failure = e;
  });
  stream.on('close', () => {
    signal.removeEventListener('abort', abort);
    release();
    const code = stream.rstCode;
    if (signal.aborted) return reject(signal.reason);
    if (code === http2.constants.NGHTTP2_REFUSED_STREAM) return reject(refused(failure));
    reject(failure ?? new Error('the connection closed before the answer was complete'));
  });
  stream.on('response', headers => {
    const status = Number(headers[':status'] ?? 500);
    if (streaming) return resolve({ status, headers: flat(headers), body: stream });
    const chunks: Uint8Array[] = [];
    stream.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    stream.on('end', () => {
      if (stream.rstCode === http2.constants.NGHTTP2_NO_ERROR)
        resolve({ status, headers: flat(headers), body: concat(chunks) });
    });
  });
  if (body !== undefined) stream.end(body);
}

class RefusedError extends Error {}
const refused = (cause: unknown) => new RefusedError('the server refused the stream', { cause });
export const isRefused = (e: unknown): boolean => e instanceof RefusedError;

function flat(headers: IncomingHttpHeaders): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !name.startsWith(':'))
      out[name] = Array.isArray(value) ? value.join(', ') : String(value);
  }
  return out;
}
