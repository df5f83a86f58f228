/** What HTTP/1.1 and HTTP/2 requests have in common. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ApiRequest, ApiResponse, Peer } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import type { OpenBodies } from './open-bodies.ts';

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

/** The whole body; undefined when it is over the limit. Rejects when it is dropped or the client goes away. */
export function readBody(source: NodeJS.ReadableStream, bodies: OpenBodies): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const body = bodies.begin(resolve, () => reject(new Error('the body was too slow, or too much with all others')));
    const leave = (error: Error) => {
      bodies.leave(body);
      reject(error);
    };
    source.on('data', (chunk: Buffer) => bodies.take(body, chunk));
    source.once('end', () => bodies.finish(body));
    source.once('error', leave);
    source.once('close', () => leave(new Error('the client went away')));
  });
}
