import { type KubeObject, keyOf } from '../api/object.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { isExpired, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { createBackoff } from './backoff.ts';
import { type Cache, createCache, deepFreeze } from './cache.ts';
import type {
  Client,
  EventHandler,
  Informer,
  InformerFactory,
  ListOptions,
  ResourceClient,
  ResourceDescriptor,
  ResourceName,
  TypeOf,
  WatchEvent,
} from './contract.ts';
import { descriptorOf, resourceId } from './resources.ts';

export interface InformerEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Freezes every object in the cache: a handler that changes one throws. For tests. */
  readonly freeze?: boolean;
  /** Changes what is kept of each object (leaves out what no one here reads). Metadata's identity and version must stay. */
  readonly transform?: (obj: KubeObject) => KubeObject;
}

/** An informer that the factory starts. */
export interface RunnableInformer<T extends KubeObject> extends Informer<T> {
  /** Lists and watches until the signal is aborted. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

type Selection = Pick<ListOptions, 'labelSelector' | 'fieldSelector'>;
/** client-go's reflector asks for 5 to 10 minutes, so that the watches of many clients do not end together. */
const watchSeconds = 300;
/** Past its own time limit plus this, a watch that says nothing is taken for dead. */
const watchGraceMs = 30_000;
/** A watch that ended sooner counts as a failure, so that a server that ends each at once is not hammered. */
const shortWatchMs = 1_000;

export function createInformer<T extends KubeObject>(
  source: ResourceClient<T>,
  selection: Selection,
  environment: InformerEnvironment,
): RunnableInformer<T> {
  const cache = createCache<T>();
  const handlers = new Set<EventHandler<T>>();
  const log = environment.log;
  let hasSynced = false;
  let revision = '';
  const ready = Promise.withResolvers<void>();
  const notify = (tell: (handler: EventHandler<T>) => void, handler: EventHandler<T>) => {
    try {
      tell(handler);
    } catch (e) {
      log.error('An event handler threw', { error: messageOf(e) });
    }
  };
  const sink: Sink<T> = {
    put(obj) {
      const whole = environment.transform ? (environment.transform(obj) as T) : obj;
      const next = environment.freeze ? deepFreeze(whole) : whole;
      const old = cache.put(next);
      const initial = !hasSynced;
      for (const handler of [...handlers])
        notify(h => (old ? h.onUpdate?.(next, old) : h.onAdd?.(next, initial)), handler);
    },
    remove(key, last) {
      const old = cache.remove(key);
      if (!old) return;
      const final = last ? (environment.freeze ? deepFreeze(last) : last) : old;
      for (const handler of [...handlers]) notify(h => h.onDelete?.(final), handler);
    },
    synced() {
      hasSynced = true;
      ready.resolve();
    },
    reached(at) {
      revision = at;
    },
  };
  return {
    store: cache,
    get hasSynced() {
      return hasSynced;
    },
    get revision() {
      return revision;
    },
    synced: () => ready.promise,
    addIndex: (name, keys) => cache.addIndex(name, keys),
    addHandler(handler) {
      handlers.add(handler);
      for (const obj of cache.list()) notify(h => h.onAdd?.(obj, true), handler);
      return () => handlers.delete(handler);
    },
    run: signal => reflect(source, selection, cache, sink, environment, signal),
  };
}

interface Sink<T> {
  put(obj: T): void;
  remove(key: string, last?: T): void;
  synced(): void;
  /** The cache is as new as this revision. Called before the handlers hear of the event that carried it. */
  reached(revision: string): void;
}

/** List, then watch from there; resume after each end; list again when the revision is gone; back off after failures. */
async function reflect<T extends KubeObject>(
  source: ResourceClient<T>,
  selection: Selection,
  cache: Cache<T>,
  sink: Sink<T>,
  { clock, random, log }: InformerEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const backoff = createBackoff(clock, random);
  const pause = (wait: number) => sleep(clock, wait, signal).catch(() => undefined);
  let revision: string | undefined;
  let expiries = 0;
  while (!signal.aborted) {
    try {
      if (revision === undefined) {
        // The first list may come from the server's cache; after an expiry it must not, or it could be as old again.
        revision = await listInto(source, selection, cache, sink, expiries > 0 ? '' : '0', signal);
        sink.reached(revision);
        sink.synced();
      }
      const began = clock.monotonic();
      const watched = await watchInto(source, { ...selection, resourceVersion: revision }, sink, clock, random, signal);
      revision = watched.revision;
      if (watched.sawEvents) expiries = 0;
      if (watched.failure !== undefined) throw watched.failure;
      if (clock.monotonic() - began < shortWatchMs && !watched.sawEvents) await pause(backoff.next());
    } catch (e) {
      if (signal.aborted) return;
      if (isExpired(e)) {
        revision = undefined;
        // A first expiry is answered by a new list at once; repeated ones wait like any failure.
        if (expiries++ === 0) continue;
      }
      const wait = backoff.next();
      log.debug('List or watch failed and is tried again', { error: messageOf(e), waitMs: Math.round(wait) });
      await pause(wait);
    }
  }
}

async function listInto<T extends KubeObject>(
  source: ResourceClient<T>,
  selection: Selection,
  cache: Cache<T>,
  sink: Sink<T>,
  resourceVersion: string,
  signal: AbortSignal,
): Promise<string> {
  const list = await source.list({ ...selection, ...(resourceVersion && { resourceVersion }), signal });
  const gone = new Set(cache.keys());
  for (const item of list.items) {
    const key = keyOf(item);
    gone.delete(key);
    const known = cache.get(key);
    const same =
      known?.metadata.uid === item.metadata.uid && known?.metadata.resourceVersion === item.metadata.resourceVersion;
    if (!known || !same) sink.put(item);
  }
  for (const key of gone) sink.remove(key);
  return list.metadata.resourceVersion ?? '';
}

interface Watched {
  /** Where to resume: the revision of the last event or bookmark. */
  revision: string;
  sawEvents: boolean;
  /** Why it ended, when not by the server's time limit. */
  failure?: unknown;
}

async function watchInto<T extends KubeObject>(
  source: ResourceClient<T>,
  options: Selection & { resourceVersion: string },
  sink: Sink<T>,
  clock: Clock,
  random: Random,
  signal: AbortSignal,
): Promise<Watched> {
  const result: Watched = { revision: options.resourceVersion, sawEvents: false };
  const timeoutSeconds = watchSeconds + random.int(watchSeconds);
  const dead = new AbortController();
  const abort = () => dead.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const timer = clock.setTimer(() => dead.abort(new Error('watch timed out')), timeoutSeconds * 1000 + watchGraceMs, {
    background: true,
  });
  try {
    const events = source.watch({ ...options, allowWatchBookmarks: true, timeoutSeconds, signal: dead.signal });
    for await (const event of events) {
      if (signal.aborted) break;
      result.revision = event.object.metadata.resourceVersion ?? result.revision;
      sink.reached(result.revision);
      applyEvent(event, sink);
      result.sawEvents = true;
    }
  } catch (e) {
    result.failure = e;
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', abort);
  }
  return result;
}

function applyEvent<T extends KubeObject>(event: WatchEvent<T>, sink: Sink<T>): void {
  if (event.type === 'BOOKMARK') return;
  if (event.type === 'DELETED') sink.remove(keyOf(event.object), event.object);
  else sink.put(event.object);
}

/** Shares one informer per resource and selection. */
export function createInformerFactory(client: Client, environment: InformerEnvironment): InformerFactory {
  const informers = new Map<string, RunnableInformer<KubeObject>>();
  let signal: AbortSignal | undefined;
  return {
    informer<R extends ResourceName | ResourceDescriptor>(
      resource: R,
      options: { namespace?: string; labelSelector?: string; fieldSelector?: string } = {},
    ) {
      const { namespace, ...selection } = options;
      const descriptor = descriptorOf(resource);
      const id = resourceId(descriptor);
      const key = JSON.stringify([id, namespace, selection.labelSelector, selection.fieldSelector]);
      const known = informers.get(key);
      if (known) return known as unknown as Informer<TypeOf<R>>;
      const log = environment.log.with({ resource: id });
      const source = client.resource(resource, namespace);
      const made = createInformer(source, selection, { ...environment, log });
      informers.set(key, made as unknown as RunnableInformer<KubeObject>);
      if (signal) void made.run(signal);
      return made;
    },
    start(until) {
      if (signal) return;
      signal = until;
      for (const informer of informers.values()) void informer.run(until);
    },
    async synced() {
      await Promise.all([...informers.values()].map(informer => informer.synced()));
    },
  };
}
