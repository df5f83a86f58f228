/** Large answers are sent compressed to those who can read it (upstream: deferredResponseWriter, beyond 128 KiB). */
import type { ApiResponse } from '../../api/transport.ts';
import type { Scope } from './scope.ts';

const threshold = 128 << 10;

export function compressed({ core, request }: Pick<Scope, 'core' | 'request'>, response: ApiResponse): ApiResponse {
  const { gzip } = core;
  const { body, headers } = response;
  if (!gzip || body === undefined || response.status !== 200) return response;
  if (body instanceof Uint8Array && body.length <= threshold) return response;
  if (!/(^|,)\s*gzip\s*(,|$)/.test(request.headers['accept-encoding'] ?? '')) return response;
  const { 'content-length': _length, ...rest } = headers;
  return {
    ...response,
    headers: { ...rest, 'content-encoding': 'gzip', vary: varied(headers['vary']) },
    body: gzip(body),
  };
}

const varied = (known: string | undefined) => (known ? `${known}, Accept-Encoding` : 'Accept-Encoding');
