/** One HTTP/2 stream as an `ApiRequest`. */
import {
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
  sensitiveHeaders,
} from 'node:http2';
import type { ApiResponse, Handler, Peer } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import type { HttpLimits } from './limits.ts';
import { pump } from './pump.ts';

export function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const mark = target.indexOf('?');
  if (mark < 0) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

export function plainHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value === undefined || name.charCodeAt(0) === 0x3a) continue;
    out[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  const authority = headers[':authority'];
  if (out['host'] === undefined && typeof authority === 'string') out['host'] = authority;
  return out;
}

/** Values that never come again are kept out of the header compression's table, where they would drive out those that do. */
const unique = ['audit-id', 'etag', 'content-length'];

export const tooLargeResponse = (limit: number): ApiResponse => {
  const { status } = errors.requestEntityTooLarge(`limit is ${limit}`);
  return {
    status: 413,
    headers: { 'content-type': 'application/json' },
    body: new TextEncoder().encode(JSON.stringify(status)),
  };
};

/** The whole body; undefined when it is over the limit. Rejects when the client is too slow or goes away. */
export function readBody(
  source: NodeJS.ReadableStream,
  limit: number,
  timeoutMs: number,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let done = false;
    const timer = setTimeout(() => finish(() => reject(new Error('the body took too long'))), timeoutMs);
    const finish = (then: () => void) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      source.removeListener('data', onData);
      then();
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) return finish(() => resolve(undefined));
      chunks.push(chunk);
    };
    source.on('data', onData);
    source.once('end', () => finish(() => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size))));
    source.once('error', e => finish(() => reject(e)));
    source.once('close', () => finish(() => reject(new Error('the client went away'))));
  });
}

export function serveStream(
  handle: Handler,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  peer: Peer,
  limits: HttpLimits,
): void {
  const gone = departure();
  stream.once('close', gone.leave);
  stream.on('error', ignore);
  respond(handle, stream, headers, peer, limits, gone).catch(() => stream.destroy());
}

const ignore = () => {};

export interface Departure {
  /** Made when first asked for: few requests do. */
  signal(): AbortSignal;
  leave(): void;
}

/** Tells a handler that wants to know that its client went away. */
export function departure(): Departure {
  let controller: AbortController | undefined;
  let left = false;
  return {
    signal() {
      controller ??= new AbortController();
      if (left && !controller.signal.aborted) controller.abort(new Error('the client went away'));
      return controller.signal;
    },
    leave() {
      left = true;
      if (controller && !controller.signal.aborted) controller.abort(new Error('the client went away'));
    },
  };
}

async function respond(
  handle: Handler,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  peer: Peer,
  limits: HttpLimits,
  gone: Departure,
): Promise<void> {
  const { path, query } = splitTarget(headers[':path'] ?? '/');
  let body: Uint8Array | undefined;
  if (!stream.endAfterHeaders) {
    body = await readBody(stream, limits.body, limits.bodyMs);
    if (!body) return send(stream, tooLargeResponse(limits.body), false);
  }
  const method = headers[':method'] ?? 'GET';
  const response = await handle({
    method,
    path,
    query,
    headers: plainHeaders(headers),
    body,
    peer,
    get signal() {
      return gone.signal();
    },
  });
  await send(stream, response, method === 'HEAD');
}

async function send(stream: ServerHttp2Stream, response: ApiResponse, head: boolean): Promise<void> {
  const { body } = response;
  if (stream.destroyed || stream.closed) return discard(body);
  const headers: OutgoingHttpHeaders = { ':status': response.status, ...response.headers };
  (headers as { [sensitiveHeaders]?: string[] })[sensitiveHeaders] = unique;
  if (head || body === undefined || (body instanceof Uint8Array && body.length === 0)) {
    stream.respond(headers, { endStream: true });
    return discard(body);
  }
  stream.respond(headers);
  if (body instanceof Uint8Array) {
    stream.end(body);
    return;
  }
  await pump(body, stream);
}

async function discard(body: ApiResponse['body']): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) return;
  await body[Symbol.asyncIterator]().return?.();
}
