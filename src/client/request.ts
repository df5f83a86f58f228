import type { ApiResponse, Transport } from '../api/transport.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { ApiError, errors, type FailureStatus } from '../base/errors.ts';
import { readAll } from './lines.ts';

export interface RequestOptions {
  query?: Record<string, string> | URLSearchParams;
  /** JSON, unless it is bytes already. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}
/** Sends requests with the client's own headers. */
export interface Requester {
  /** The response as it came, also when it failed. */
  raw(method: string, path: string, options?: RequestOptions): Promise<ApiResponse>;
  /** Non-2xx throws ApiError. */
  ok(method: string, path: string, options?: RequestOptions): Promise<ApiResponse>;
  json<R>(method: string, path: string, options?: RequestOptions): Promise<R>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const never = new AbortController().signal;
const retryLimit = 10;

/**
 * With a clock, answers 429 and 5xx that carry Retry-After are tried again, at most ten times (client-go's rest.Request);
 * the server sends the header only when it did not act on the request.
 */
export function createRequester(
  transport: Transport,
  headers: Readonly<Record<string, string>>,
  clock?: Clock,
): Requester {
  function once(method: string, path: string, options: RequestOptions): Promise<ApiResponse> {
    const { body, query } = options;
    const hasBody = body !== undefined;
    return transport.request({
      method,
      path,
      query: query instanceof URLSearchParams ? query : new URLSearchParams(query),
      headers: {
        accept: 'application/json',
        ...(hasBody && { 'content-type': 'application/json' }),
        ...headers,
        ...options.headers,
      },
      body: hasBody ? (body instanceof Uint8Array ? body : encoder.encode(JSON.stringify(body))) : undefined,
      signal: options.signal ?? never,
    });
  }
  async function raw(method: string, path: string, options: RequestOptions = {}): Promise<ApiResponse> {
    for (let attempt = 0; ; attempt++) {
      options.signal?.throwIfAborted();
      const response = await once(method, path, options);
      const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
      const again = (response.status === 429 || response.status >= 500) && seconds >= 0;
      if (!again || !clock || attempt >= retryLimit) return response;
      await readAll(response.body);
      await sleep(clock, seconds * 1000, options.signal);
    }
  }
  async function ok(method: string, path: string, options?: RequestOptions): Promise<ApiResponse> {
    const response = await raw(method, path, options);
    if (response.status >= 400) throw errorFrom(response.status, await readAll(response.body));
    return response;
  }
  return {
    raw,
    ok,
    async json<R>(method: string, path: string, options?: RequestOptions): Promise<R> {
      const response = await ok(method, path, options);
      const bytes = await readAll(response.body);
      return (bytes.length === 0 ? undefined : JSON.parse(decoder.decode(bytes))) as R;
    },
  };
}

/** The server's Status, or one made from a bare HTTP error (of an unknown path, or a proxy's). */
function errorFrom(code: number, body: Uint8Array): ApiError {
  const text = decoder.decode(body);
  try {
    const status = JSON.parse(text) as Partial<FailureStatus>;
    if (status.kind === 'Status') return ApiError.from({ ...status, code: status.code ?? code });
  } catch {
    // Not JSON: the text is the message.
  }
  if (code === 404) return errors.unknownPath();
  return new ApiError(code, reasons[code], text.trim() || `the server answered with HTTP status ${code}`);
}

const reasons: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};
