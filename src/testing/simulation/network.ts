/** The way between a component and the API server: takes time, loses, refuses, cuts and reorders, all drawn from the seed. */
import type { ApiRequest, ApiResponse, Handler } from '../../api/transport.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { ApiError, errors } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { FaultRates } from './faults.ts';

/** Thrown where a connection would break. Components must live with it, so it is no finding. */
export class ConnectionLost extends Error {
  constructor(why: string) {
    super(`simulated: ${why}`);
    this.name = 'ConnectionLost';
  }
}

/** A request as the server saw it. */
export interface SeenRequest {
  /** Who sent it: the process, e.g. "manager-0". */
  readonly process: string;
  /** What part of it: a controller by its service account, e.g. "deployment-controller". */
  readonly part: string;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Uint8Array | undefined;
}

/** One process's connection to the server. */
export interface Link {
  handlerFor(part: string): Handler;
  /** The process is dead: nothing comes through any more, in either direction. */
  kill(): void;
  /** Nothing comes through while cut off. */
  cutOff(on: boolean): void;
}

export interface NetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Read for each decision, so that faults can be stopped. */
  readonly rates: () => FaultRates;
  /** The server of now; undefined while it is down. */
  readonly server: () => Handler | undefined;
  onRequest(request: SeenRequest): void;
  onResponse(request: SeenRequest, response: ApiResponse): void;
  /** After `onResponse`. */
  answered(request: SeenRequest, response: ApiResponse): void;
  /** The answer to a watch, as the server sends it. */
  watched(request: SeenRequest, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

export function createLink(process: string, options: NetworkOptions): Link {
  const { clock, random } = options;
  const state = { dead: false, cut: new AbortController() };
  const happens = (chance: number) => chance > 0 && random.next() < chance;

  function check(): void {
    if (state.dead) throw new ConnectionLost('the process is dead');
    if (state.cut.signal.aborted) throw new ConnectionLost('cut off');
  }
  async function travel(signal: AbortSignal): Promise<void> {
    const ms = happens(options.rates().slowRequest) ? random.int(2_000) : random.next() * 4;
    await sleep(clock, ms, signal);
    check();
  }
  async function answer(part: string, request: ApiRequest): Promise<ApiResponse> {
    const isWatch = request.query.get('watch') === 'true';
    check();
    await travel(request.signal);
    const refusal = refuse(request, isWatch, options.rates(), happens, random);
    if (refusal) return refusal;
    const server = options.server();
    if (!server) throw new ConnectionLost('connection refused');
    const seen = {
      process,
      part,
      method: request.method,
      path: request.path,
      query: request.query,
      body: request.body,
    };
    options.onRequest(seen);
    const response = await server(request);
    options.onResponse(seen, response);
    options.answered(seen, response);
    if (server !== options.server()) throw new ConnectionLost('the server crashed');
    if (response.body && !(response.body instanceof Uint8Array))
      return { ...response, body: stream(options.watched(seen, response.body), server, request.signal) };
    await travel(request.signal);
    if (request.method !== 'GET' && happens(options.rates().lostAfter)) throw new ConnectionLost('the answer was lost');
    return response;
  }
  /** In order, late, and cut at any byte. */
  async function* stream(
    body: AsyncIterable<Uint8Array>,
    server: Handler,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const { signal: cut } = state.cut;
    for await (const chunk of untilCut(body, cut)) {
      const rates = options.rates();
      await sleep(clock, happens(rates.watchDelay) ? random.int(3_000) : random.next() * 4, signal);
      check();
      if (server !== options.server()) throw new ConnectionLost('the server crashed');
      if (!happens(rates.watchCut)) yield chunk;
      else {
        yield chunk.subarray(0, random.int(chunk.length));
        throw new ConnectionLost('the watch was cut');
      }
    }
  }
  return {
    handlerFor: part => request => answer(part, request),
    kill() {
      state.dead = true;
      state.cut.abort();
    },
    cutOff(on) {
      if (on) state.cut.abort();
      else if (!state.dead && state.cut.signal.aborted) state.cut = new AbortController();
    },
  };
}

/** Ends with an error when the connection is cut, also while nothing comes. */
async function* untilCut(body: AsyncIterable<Uint8Array>, cut: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  const onCut = () => broken.reject(new ConnectionLost('cut off'));
  cut.addEventListener('abort', onCut, { once: true });
  if (cut.aborted) onCut();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), broken.promise]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    cut.removeEventListener('abort', onCut);
    void iterator.return?.();
  }
}

function refuse(
  request: ApiRequest,
  isWatch: boolean,
  rates: FaultRates,
  happens: (chance: number) => boolean,
  random: Random,
): ApiResponse | undefined {
  if (happens(rates.lostBefore)) throw new ConnectionLost('the request was lost');
  if (isWatch && happens(rates.expired)) return failure(errors.expired('simulated: too old resource version'));
  if (request.method === 'PUT' && happens(rates.conflict))
    return failure(new ApiError(409, 'Conflict', 'simulated: the object has been modified'));
  if (!happens(rates.refused)) return undefined;
  const [code, reason] = refusals[random.int(refusals.length)] ?? [500, 'InternalError'];
  return failure(new ApiError(code, reason, 'simulated: refused'));
}
const refusals: readonly (readonly [number, string])[] = [
  [500, 'InternalError'],
  [503, 'ServiceUnavailable'],
  [429, 'TooManyRequests'],
];

function failure({ status, code }: ApiError): ApiResponse {
  return { status: code, headers: {}, body: new TextEncoder().encode(JSON.stringify(status)) };
}
