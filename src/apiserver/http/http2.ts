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
import { IncomingRequest, type RequestHead, readBody, tooLargeResponse } from './request.ts';

/** Values that never come again are kept out of the header compression's table, where they would drive out those that do. */
const unique = ['audit-id', 'etag', 'content-length'];

export function serveStream(
  handle: Handler,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  peer: Peer,
  limits: HttpLimits,
): void {
  stream.on('error', ignore);
  const head = { method: headers[':method'] ?? 'GET', target: headers[':path'] ?? '/', headers, peer };
  const drop = () => void stream.destroy();
  const finished = settle(() => serve(handle, stream, head, limits), ignore, drop);
  if (finished instanceof Promise) finished.catch(drop);
}

const ignore = () => {};

function serve(handle: Handler, stream: ServerHttp2Stream, head: RequestHead, limits: HttpLimits): Awaitable<void> {
  if (stream.endAfterHeaders) return answer(handle, stream, head, undefined);
  return readBody(stream, limits.body, limits.bodyMs).then(body =>
    body ? answer(handle, stream, head, body) : send(stream, tooLargeResponse(limits.body), false),
  );
}

function answer(
  handle: Handler,
  stream: ServerHttp2Stream,
  head: RequestHead,
  body: Uint8Array | undefined,
): Awaitable<void> {
  const request = new IncomingRequest(head, body);
  stream.on('close', () => request.leave());
  return after(handle(request), response => send(stream, response, head.method === 'HEAD'));
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
