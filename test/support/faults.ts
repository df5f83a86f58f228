/** A handler that fails as networks and servers do, by chance from a seed. */
import type { ApiRequest, ApiResponse, Handler } from '../../src/api/transport.ts';
import { type Clock, sleep } from '../../src/base/clock.ts';
import { errors } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/random.ts';
import { lineBatches } from '../../src/client/lines.ts';

export interface Faults {
  /** Chance that a write fails before it takes effect. */
  failBefore?: number;
  /** Chance that a write takes effect but its answer is lost. */
  failAfter?: number;
  /** Chance, per event, that a watch connection breaks. */
  breakWatch?: number;
  /** Up to so many milliseconds of delay per event. */
  delayMs?: number;
  /** Chance, per event, that it is sent twice. */
  repeat?: number;
  /** Chance that a watch is refused because its revision is gone. */
  expire?: number;
  /** Requests of this method whose path ends so are forbidden. */
  refuse?: { method: string; path: string; message: string };
  /** Nothing answers, and watches end. */
  down?: boolean;
}

export function withFaults(handler: Handler, faults: Faults, clock: Clock, random: Random): Handler {
  const happens = (chance: number | undefined) => random.next() < (chance ?? 0);
  const failure = (why: string): ApiResponse => {
    const { status } = errors.internal(why);
    return { status: 500, headers: {}, body: new TextEncoder().encode(JSON.stringify(status)) };
  };
  const forbidden = (message: string): ApiResponse => {
    const status = { kind: 'Status', status: 'Failure', code: 403, reason: 'Forbidden', message };
    return { status: 403, headers: {}, body: new TextEncoder().encode(JSON.stringify(status)) };
  };
  return async request => {
    if (faults.down) throw new Error('connection refused');
    if (request.query.get('watch') === 'true') return watch(request);
    const { refuse } = faults;
    if (refuse && request.method === refuse.method && request.path.endsWith(refuse.path))
      return forbidden(refuse.message);
    const writes = request.method !== 'GET';
    if (writes && happens(faults.failBefore)) return failure('injected before');
    const response = await handler(request);
    return writes && happens(faults.failAfter) ? failure('injected after') : response;
  };

  async function watch(request: ApiRequest): Promise<ApiResponse> {
    if (happens(faults.expire)) {
      const { status } = errors.expired('too old resource version');
      return { status: 410, headers: {}, body: new TextEncoder().encode(JSON.stringify(status)) };
    }
    const response = await handler(request);
    if (response.body === undefined || response.body instanceof Uint8Array) return response;
    return { ...response, body: disturbed(response.body, request.signal) };
  }
  async function* disturbed(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for await (const lines of lineBatches(body)) {
      for (const line of lines) {
        if (faults.delayMs) await sleep(clock, random.int(faults.delayMs), signal);
        if (faults.down || happens(faults.breakWatch)) throw new Error('the connection broke');
        const bytes = new TextEncoder().encode(`${line}\n`);
        const cut = random.int(bytes.length);
        yield bytes.subarray(0, cut);
        yield bytes.subarray(cut);
        if (happens(faults.repeat)) yield bytes;
      }
    }
  }
}
