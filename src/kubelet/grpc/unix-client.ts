/**
 * A small gRPC client over Node's HTTP/2: unary calls and server streams, without compression, retries or load balancing. It stands
 * here instead of a library because the agent's memory is counted in megabytes.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import type { Codec } from './codec.ts';

/** Calls to one gRPC server. Connects on the first call, and again after the connection broke. */
export interface UnixClient {
  /** `method` is `package.Service/Method`. Rejects with `GrpcError`. */
  call<R>(method: string, request: [type: string, value: object], response: string, options?: CallOptions): Promise<R>;
  /** A server stream; ends with the stream or the signal, throws `GrpcError`. */
  stream<R>(
    method: string,
    request: [type: string, value: object],
    response: string,
    signal: AbortSignal,
  ): AsyncIterable<R>;
  close(): void;
}
export interface CallOptions {
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED; default 2 minutes, the kubelet's runtime-request-timeout. */
  timeoutMs?: number;
  /** Headers of the call. */
  metadata?: Record<string, string>;
}

/** gRPC's status codes, by number. */
const codeNames = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];
const codeOf = (name: string) => codeNames.indexOf(name);

export class GrpcError extends Error {
  readonly code: number;
  readonly codeName: string;
  /** The server's own words. */
  readonly details: string;
  constructor(code: number, details: string) {
    super(`rpc error: code = ${goCodeName(code)} desc = ${details}`);
    this.name = 'GrpcError';
    this.code = code;
    this.codeName = codeNames[code] ?? 'UNKNOWN';
    this.details = details;
  }
}

/** Go's names, which stand in messages that users know: `DeadlineExceeded`, `NotFound`. */
function goCodeName(code: number): string {
  return (codeNames[code] ?? 'UNKNOWN')
    .toLowerCase()
    .replace(/(^|_)([a-z])/g, (_m, _s, c: string) => c.toUpperCase())
    .replace('Cancelled', 'Canceled');
}
export const isGrpcUnimplemented = (e: unknown): boolean => e instanceof GrpcError && e.codeName === 'UNIMPLEMENTED';

const windowSize = 1 << 20;
const defaultTimeoutMs = 120_000;

function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The outcome that headers or trailers tell: undefined for OK or none. */
function failureIn(headers: IncomingHttpHeaders): GrpcError | undefined {
  const status = headers['grpc-status'];
  if (status === undefined) {
    const http = headers[':status'];
    return http === undefined || Number(http) === 200
      ? undefined
      : new GrpcError(codeOf('UNAVAILABLE'), `HTTP status ${http}`);
  }
  if (status === '0') return undefined;
  return new GrpcError(
    Number(status),
    decodeURIComponent(String(headers['grpc-message'] ?? '').replace(/%(?![0-9a-f]{2})/gi, '%25')),
  );
}

export function createUnixClient(socketPath: string, codec: Codec): UnixClient {
  return createGrpcClient(() => connectSocket(socketPath), codec);
}

export function createGrpcClient(open: () => Socket, codec: Codec): UnixClient {
  let session: ClientHttp2Session | undefined;
  let active = 0;

  function connected(): ClientHttp2Session {
    if (session && !session.closed && !session.destroyed) return session;
    const made = connect('http://localhost', { createConnection: open, settings: { initialWindowSize: windowSize } });
    const forget = () => {
      if (session === made) session = undefined;
    };
    made.on('error', forget);
    made.on('close', forget);
    made.on('goaway', forget);
    session = made;
    return made;
  }
  /** A connection keeps the process alive only while a call is on it. */
  function begin(method: string, message: Uint8Array, options: CallOptions): ClientHttp2Stream {
    const { timeoutMs, metadata } = options;
    const on = connected();
    if (active++ === 0) on.ref();
    const call = on.request({
      ':method': 'POST',
      ':path': `/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...metadata,
      ...(timeoutMs !== undefined && { 'grpc-timeout': `${Math.min(timeoutMs, 99_999_999)}m` }),
    });
    call.on('close', () => {
      if (--active === 0 && !on.destroyed) on.unref();
    });
    call.end(frame(message));
    return call;
  }
  /** The messages of a call; throws how it ended when that was no OK. */
  async function* messages(call: ClientHttp2Stream): AsyncGenerator<Buffer, void, undefined> {
    let failure: GrpcError | undefined;
    let told = false;
    const learn = (headers: IncomingHttpHeaders) => {
      failure ??= failureIn(headers);
      told ||= headers['grpc-status'] !== undefined;
    };
    call.on('response', learn);
    call.on('trailers', learn);
    let pending: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of call) {
        pending = pending.length === 0 ? (chunk as Buffer) : Buffer.concat([pending, chunk as Buffer]);
        while (pending.length >= 5) {
          const end = 5 + pending.readUInt32BE(1);
          if (pending.length < end) break;
          yield pending.subarray(5, end);
          pending = pending.subarray(end);
        }
      }
    } catch (e) {
      throw failure ?? new GrpcError(codeOf('UNAVAILABLE'), e instanceof Error ? e.message : String(e));
    }
    if (failure) throw failure;
    if (!told) throw new GrpcError(codeOf('UNAVAILABLE'), 'the connection was closed');
  }

  return {
    async call<R>(method: string, [type, value]: [string, object], response: string, options: CallOptions = {}) {
      const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
      const call = begin(method, codec.encode(type, value), { ...options, timeoutMs });
      let late = false;
      call.setTimeout(timeoutMs, () => {
        late = true;
        call.close(constants.NGHTTP2_CANCEL);
      });
      let answer: R | undefined;
      try {
        for await (const message of messages(call)) answer = codec.decode<R>(response, message);
      } catch (e) {
        throw late ? new GrpcError(codeOf('DEADLINE_EXCEEDED'), 'context deadline exceeded') : e;
      }
      if (answer === undefined) throw new GrpcError(codeOf('INTERNAL'), 'the server answered nothing');
      return answer;
    },
    async *stream<R>(method: string, [type, value]: [string, object], response: string, signal: AbortSignal) {
      const call = begin(method, codec.encode(type, value), {});
      const cancel = () => call.close(constants.NGHTTP2_CANCEL);
      signal.addEventListener('abort', cancel, { once: true });
      try {
        for await (const message of messages(call)) yield codec.decode<R>(response, message);
      } catch (e) {
        if (!signal.aborted) throw e;
      } finally {
        signal.removeEventListener('abort', cancel);
        call.close(constants.NGHTTP2_CANCEL);
      }
    },
    close: () => session?.destroy(),
  };
}
