/** What HTTP/1.1 and HTTP/2 requests have in common. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ApiRequest, ApiResponse, Peer } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';

/** What an HTTP request says before its body. */
export interface RequestHead {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly peer: Peer;
}

const noQuery = new URLSearchParams();

/** A request as the server reads it. Its signal is made when first asked for: few requests do. */
export class IncomingRequest implements ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly peer: Peer;
  readonly upgrade: ApiRequest['upgrade'];
  #departure: AbortController | undefined;
  #left = false;

  constructor(
    { method, target, headers, peer }: RequestHead,
    body: Uint8Array | undefined,
    upgrade?: ApiRequest['upgrade'],
  ) {
    const mark = target.indexOf('?');
    this.method = method;
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? noQuery : new URLSearchParams(target.slice(mark + 1));
    this.headers = plainHeaders(headers);
    this.body = body;
    this.peer = peer;
    this.upgrade = upgrade;
  }

  get signal(): AbortSignal {
    this.#departure ??= new AbortController();
    if (this.#left) this.leave();
    return this.#departure.signal;
  }
  /** The client went away. */
  leave(): void {
    this.#left = true;
    this.#departure?.abort(new Error('the client went away'));
  }
}

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string> {
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
