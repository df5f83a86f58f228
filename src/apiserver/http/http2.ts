/** One HTTP/2 stream as an `ApiRequest`. */
import {
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
  sensitiveHeaders,
} from 'node:http2';
import type { ApiResponse, Handler, Peer } from '../../api/transport.ts';
import { type Awaitable, after, settle } from '../../base/awaitable.ts';
import type { HttpLimits } from './limits.ts';
import { pump } from './pump.ts';
import { IncomingRequest, tooLargeResponse } from './request.ts';

/** Comes once only, so it is kept out of the header compression's table, where it would drive out what comes again. */
const unique = ['audit-id'];

/** Streams whose bodies are being read, the oldest first, with the time when they began: slow ones are dropped by `dropSlow`. */
export type OpenBodies = Map<ServerHttp2Stream, number>;

/** One look at all bodies instead of a timer for each. */
export function dropSlow(bodies: OpenBodies, bodyMs: number): void {
  const now = performance.now();
  for (const [stream, since] of bodies) {
    if (now - since < bodyMs) return;
    stream.destroy();
  }
}

export interface StreamContext {
  readonly handle: Handler;
  readonly limits: HttpLimits;
  readonly peer: Peer;
  readonly bodies: OpenBodies;
  /** Called when the stream is closed. */
  closed(): void;
}

export function serveStream(context: StreamContext, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const { handle, limits, peer, bodies } = context;
  const head = { method: headers[':method'] ?? 'GET', target: headers[':path'] ?? '/', headers, peer };
  const drop = () => void stream.destroy();
  let request: IncomingRequest | undefined;
  stream.on('error', ignore);
  stream.on('close', () => {
    bodies.delete(stream);
    context.closed();
    request?.leave();
  });
  const answer = (body: Uint8Array | undefined) => {
    const incoming = new IncomingRequest(head, body);
    request = incoming;
    const finished = settle(
      () => after(handle(incoming), response => send(stream, response, head.method === 'HEAD')),
      ignore,
      drop,
    );
    if (finished instanceof Promise) finished.catch(drop);
  };
  if (stream.endAfterHeaders) {
    answer(undefined);
    return;
  }
  bodies.set(stream, performance.now());
  collect(stream, limits.body, body => {
    bodies.delete(stream);
    if (body) answer(body);
    else void send(stream, tooLargeResponse(limits.body), false);
  });
}

const ignore = () => {};

/** Gives the whole body, or undefined as soon as it is over the limit; nothing when the stream ends before. */
function collect(stream: ServerHttp2Stream, limit: number, done: (body: Uint8Array | undefined) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    const before = size;
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else if (before <= limit) done(undefined);
  });
  stream.on('end', () => {
    if (size <= limit && !stream.aborted) done(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size));
  });
}

function send(stream: ServerHttp2Stream, response: ApiResponse, head: boolean): Awaitable<void> {
  const { body } = response;
  if (stream.destroyed || stream.closed) return discard(body);
  const headers: OutgoingHttpHeaders = { ':status': response.status, ...response.headers };
  (headers as { [sensitiveHeaders]?: string[] })[sensitiveHeaders] = unique;
  if (head || body === undefined || (body instanceof Uint8Array && body.length === 0)) {
    stream.respond(headers, { endStream: true });
    return discard(body);
  }
  stream.respond(headers);
  if (!(body instanceof Uint8Array)) return pump(body, stream);
  stream.end(body);
}

function discard(body: ApiResponse['body']): Awaitable<void> {
  if (body === undefined || body instanceof Uint8Array) return;
  return after(body[Symbol.asyncIterator]().return?.(), ignore);
}
