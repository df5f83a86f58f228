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
import type { OpenBodies } from './open-bodies.ts';
import { pump } from './pump.ts';
import { IncomingRequest, tooLargeResponse } from './request.ts';

/** Comes once only, so it is kept out of the header compression's table, where it would drive out what comes again. */
const unique = ['audit-id'];

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
  const refuse = () => void send(stream, tooLargeResponse(limits.body), false);
  const body = stream.endAfterHeaders ? undefined : bodies.begin(whole => (whole ? answer(whole) : refuse()), drop);
  stream.on('error', ignore);
  stream.on('close', () => {
    if (body) bodies.leave(body);
    context.closed();
    request?.leave();
  });
  if (!body) {
    answer(undefined);
    return;
  }
  stream.on('data', (chunk: Buffer) => bodies.take(body, chunk));
  stream.on('end', () => {
    if (!stream.aborted) bodies.finish(body);
  });
}

const ignore = () => {};

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
