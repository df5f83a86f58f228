import type { KubeObject } from '../api/object.ts';
import { ApiError, type FailureStatus } from '../base/errors.ts';
import type { WatchEvent } from './contract.ts';
import { lineBatches } from './lines.ts';
import type { Requester } from './request.ts';

type Frame<T> = WatchEvent<T> | { type: 'ERROR'; object: Partial<FailureStatus> };

/** One watch connection as events. The request is dropped when the consumer stops iterating. */
export async function* watchEvents<T extends KubeObject>(
  requester: Requester,
  path: string,
  query: URLSearchParams,
  signal?: AbortSignal,
): AsyncGenerator<WatchEvent<T>> {
  for await (const batch of watchBatches<T>(requester, path, query, signal)) yield* batch;
}

/** The same, in the batches in which they arrived: one turn of the event loop for many events. */
async function* watchBatches<T extends KubeObject>(
  requester: Requester,
  path: string,
  query: URLSearchParams,
  signal?: AbortSignal,
): AsyncGenerator<WatchEvent<T>[]> {
  const stop = new AbortController();
  const abort = () => stop.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    signal?.throwIfAborted();
    const { body } = await requester.ok('GET', path, { query, signal: stop.signal });
    if (body === undefined) return;
    const stream = body instanceof Uint8Array ? once(body) : body;
    for await (const lines of lineBatches(stream)) {
      const { events, failure } = parseFrames<T>(lines);
      if (events.length > 0) yield events;
      if (failure) throw failure;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    stop.abort(new Error('watch stopped'));
  }
}

function parseFrames<T>(lines: readonly string[]): { events: WatchEvent<T>[]; failure?: ApiError } {
  const events: WatchEvent<T>[] = [];
  for (const line of lines) {
    const frame = JSON.parse(line) as Frame<T>;
    if (frame.type === 'ERROR') return { events, failure: ApiError.from(frame.object) };
    events.push(frame);
  }
  return { events };
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
