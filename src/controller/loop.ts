import type { KubeObject } from '../api/object.ts';
import type { Timer } from '../base/clock.ts';
import { isApiError, messageOf } from '../base/errors.ts';
import type { Metrics } from '../base/metrics.ts';
import type { WorkQueue } from '../client/contract.ts';
import { createWorkQueue } from '../client/work-queue.ts';
import type { Environment, Loop, Source } from './contract.ts';

export interface RunningLoop {
  /** Begins to take keys. Call when the caches are filled. */
  begin(): void;
  /** Takes no more keys; resolves when those in work are done. */
  stop(): Promise<void>;
}

/** Far less than client-go's 1000 s: after an outage of the server everything is tried again within a minute. */
const maxRetryMs = 60_000;

/** `signal` is aborted when the loop is about to stop: then a failure is no news. */
type LoopEnvironment = Environment & { readonly signal?: AbortSignal };

/** Connects a loop's sources to a queue, and the queue to its `reconcile`. */
export function runLoop(name: string, loop: Loop, environment: LoopEnvironment): RunningLoop {
  const meters = loopMeters(name, environment.metrics);
  const queue = createWorkQueue({
    clock: environment.clock,
    maxMs: maxRetryMs,
    onGet: (_key, ms) => meters.waited(ms),
  });
  meters.depth(() => queue.length);
  const detach = loop.sources.map(source => connect(source, queue, meters, environment));
  loop.attach?.((key, afterMs = 0) => {
    meters.added();
    queue.addAfter(key, afterMs);
  });
  const workers: Promise<void>[] = [];
  const ticker = tick(loop, queue, environment);
  return {
    begin() {
      for (let i = 0; i < (loop.concurrency ?? 5); i++) workers.push(work(name, loop, queue, meters, environment));
      ticker.begin();
    },
    async stop() {
      for (const fn of detach) fn();
      ticker.stop();
      queue.shutDown();
      await Promise.all(workers);
    },
  };
}

function connect(source: Source, queue: WorkQueue, meters: LoopMeters, { log }: Environment): () => void {
  const add = (obj: KubeObject, old: KubeObject | undefined, kind: 'add' | 'update' | 'delete') => {
    try {
      for (const key of source.keys(obj, old, kind)) {
        meters.added();
        queue.add(key);
      }
    } catch (e) {
      log.error('A source could not tell its keys', { error: messageOf(e), object: obj.metadata.name });
    }
  };
  return source.informer.addHandler({
    onAdd: obj => add(obj, undefined, 'add'),
    onUpdate: (obj, old) => add(obj, old, 'update'),
    onDelete: obj => add(obj, undefined, 'delete'),
  });
}

async function work(
  name: string,
  loop: Loop,
  queue: WorkQueue,
  meters: LoopMeters,
  environment: LoopEnvironment,
): Promise<void> {
  const { clock } = environment;
  for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
    const began = clock.monotonic();
    try {
      const result = await loop.reconcile(key);
      queue.forget(key);
      if (result?.requeueAfter !== undefined) queue.addAfter(key, result.requeueAfter);
      meters.finished('success', clock.monotonic() - began);
    } catch (e) {
      meters.finished('error', clock.monotonic() - began);
      if (!environment.signal?.aborted) report(environment, name, key, queue.retries(key), e);
      queue.addRateLimited(key);
    } finally {
      queue.done(key);
    }
  }
}

/** What the API refused is routine (a conflict, a name that is gone) until it keeps happening; anything else is a defect. */
function report({ log }: Environment, name: string, key: string, retries: number, e: unknown): void {
  const fields = { controller: name, key, error: messageOf(e), retries };
  if (!isApiError(e)) {
    log.error('Reconcile failed', { ...fields, ...(e instanceof Error && { stack: e.stack }) });
  } else if (e.code >= 500 || retries >= 5) log.warn('Reconcile failed', fields);
  else log.debug('Reconcile failed and is tried again', fields);
}

function tick(loop: Loop, queue: WorkQueue, { clock, random }: Environment): { begin(): void; stop(): void } {
  let timer: Timer | undefined;
  const { resync } = loop;
  const next = () => {
    if (!resync) return;
    const run = () => {
      for (const key of resync.keys()) queue.add(key);
      next();
    };
    timer = clock.setTimer(run, resync.everyMs * (0.9 + 0.2 * random.next()), { background: true });
  };
  return { begin: next, stop: () => timer?.cancel() };
}

interface LoopMeters {
  added(): void;
  waited(ms: number): void;
  depth(read: () => number): void;
  finished(result: 'success' | 'error', ms: number): void;
}

/** Named as client-go's work-queue metrics and controller-runtime's. */
function loopMeters(name: string, metrics: Metrics): LoopMeters {
  const queueLabels = { name };
  const adds = metrics.counter('workqueue_adds_total', 'Total number of adds handled by workqueue');
  const depth = metrics.gauge('workqueue_depth', 'Current depth of workqueue');
  const retries = metrics.counter('workqueue_retries_total', 'Total number of retries handled by workqueue');
  const waited = metrics.histogram('workqueue_queue_duration_seconds', 'Seconds a key waits before it is taken');
  const worked = metrics.histogram('workqueue_work_duration_seconds', 'Seconds that processing a key takes');
  const total = metrics.counter('controller_runtime_reconcile_total', 'Reconciliations per controller and result');
  return {
    added: () => adds.inc(queueLabels),
    waited: ms => waited.observe(ms / 1000, queueLabels),
    depth: read => metrics.onCollect(() => depth.set(read(), queueLabels)),
    finished(result, ms) {
      worked.observe(ms / 1000, queueLabels);
      total.inc({ controller: name, result });
      if (result === 'error') retries.inc(queueLabels);
    },
  };
}
