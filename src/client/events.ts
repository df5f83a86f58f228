import type { KubeObject } from '../api/object.ts';
import type { Event, ObjectReference } from '../api/types/core-v1.ts';
import { type Clock, rfc3339, sleep } from '../base/clock.ts';
import { isAlreadyExists, isApiError, isNotFound, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Client, EventRecorder } from './contract.ts';

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** Who speaks: "replicaset-controller", "kubelet". */
  readonly component: string;
  readonly host?: string;
  /** Ends delivery; what is queued is dropped. */
  readonly signal?: AbortSignal;
}

/** client-go's EventCorrelator: the limits of record.EventAggregator and record.EventSourceObjectSpamFilter. */
const similarLimit = 10;
const similarWindowMs = 600_000;
const spamBurst = 25;
const spamPerSecond = 1 / 300;
const cacheSize = 4096;
const queueLimit = 1000;
const attempts = 12;
const retryMs = 10_000;

interface Similar {
  messages: Set<string>;
  last: number;
}
interface Written {
  name: string;
  namespace: string;
  count: number;
  first: string;
}

/** Writes core/v1 Events in the background, in order. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { clock, log, signal } = options;
  const buckets = lru<string, () => number>(cacheSize);
  const similar = lru<string, Similar>(cacheSize);
  const written = lru<string, Written>(cacheSize);
  const queue: Event[] = [];
  let sending = false;
  let sequence = 0;

  function admit(event: Event): boolean {
    const key = spamKey(event);
    const bucket = buckets.get(key) ?? tokenBucketOrNone(clock);
    buckets.set(key, bucket);
    return bucket() === 0;
  }
  /** Many messages of one kind about one object become one event. */
  function aggregate(event: Event): { event: Event; key: string } {
    const key = similarKey(event);
    const now = clock.now();
    let known = similar.get(key);
    if (!known || now - known.last > similarWindowMs) known = { messages: new Set(), last: now };
    known.last = now;
    known.messages.add(event.message ?? '');
    similar.set(key, known);
    if (known.messages.size < similarLimit)
      return { event, key: `${key}\n${event.involvedObject.fieldPath ?? ''}\n${event.message}` };
    known.messages.delete([...known.messages][0] ?? '');
    return { event: { ...event, message: `(combined from similar events): ${event.message}` }, key };
  }
  async function drain(): Promise<void> {
    sending = true;
    for (let next = queue.shift(); next && !signal?.aborted; next = queue.shift()) {
      const correlated = aggregate(next);
      if (admit(correlated.event)) await deliver(options, correlated.event, correlated.key, written);
    }
    sending = false;
  }
  return {
    event(about, type, reason, message, { fieldPath } = {}) {
      if (signal?.aborted || queue.length >= queueLimit) return;
      const event = eventOf(options, about, type, reason, message, sequence++);
      queue.push(fieldPath ? { ...event, involvedObject: { ...event.involvedObject, fieldPath } } : event);
      if (!sending) drain().catch(e => log.warn('Events could not be written', { error: messageOf(e) }));
    },
  };
}

/** Unlike the work queue's bucket, a refused event takes no token. */
function tokenBucketOrNone(clock: Clock): () => number {
  let tokens = spamBurst;
  let at = clock.monotonic();
  return () => {
    const now = clock.monotonic();
    tokens = Math.min(spamBurst, tokens + ((now - at) / 1000) * spamPerSecond);
    at = now;
    if (tokens < 1) return 1;
    tokens -= 1;
    return 0;
  };
}

function eventOf(
  { clock, component, host }: EventRecorderOptions,
  about: KubeObject,
  type: string,
  reason: string,
  message: string,
  sequence: number,
): Event {
  const { name, namespace, uid, resourceVersion } = about.metadata;
  const involvedObject: ObjectReference = {
    ...(about.kind && { kind: about.kind }),
    ...(namespace && { namespace }),
    name,
    ...(uid && { uid }),
    ...(about.apiVersion && { apiVersion: about.apiVersion }),
    ...(resourceVersion && { resourceVersion }),
  };
  const now = clock.now();
  const nanos = (BigInt(Math.floor(now)) * 1_000_000n + BigInt(sequence % 1_000_000)).toString(16);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${nanos}`, namespace: namespace || 'default' },
    involvedObject,
    reason,
    message,
    source: { component, ...(host && { host }) },
    firstTimestamp: rfc3339(now),
    lastTimestamp: rfc3339(now),
    count: 1,
    type,
    reportingComponent: component,
    reportingInstance: host ?? '',
  };
}

async function deliver(
  options: EventRecorderOptions,
  event: Event,
  key: string,
  written: Lru<string, Written>,
): Promise<void> {
  const { clock, log, signal } = options;
  for (let attempt = 0; attempt < attempts; attempt++) {
    try {
      written.set(key, await write(options, event, written.get(key)));
      return;
    } catch (e) {
      if (signal?.aborted) return;
      if (isApiError(e) && e.code < 500 && e.code !== 429) {
        if (!isAlreadyExists(e))
          log.debug('The server rejected an event', { error: messageOf(e), reason: event.reason });
        return;
      }
      await sleep(clock, retryMs, signal).catch(() => undefined);
    }
  }
}

async function write({ client }: EventRecorderOptions, event: Event, known: Written | undefined): Promise<Written> {
  if (known) {
    const count = known.count + 1;
    const patch = { count, lastTimestamp: event.lastTimestamp, message: event.message };
    try {
      await client.events(known.namespace).patch(known.name, 'strategic', patch);
      return { ...known, count };
    } catch (e) {
      // Expired meanwhile: it is written anew, with its whole count.
      if (!isNotFound(e)) throw e;
      await client.events(known.namespace).create({ ...event, count, firstTimestamp: known.first });
      return { ...known, name: event.metadata.name, count };
    }
  }
  const { name, namespace = 'default' } = event.metadata;
  await client.events(namespace).create(event);
  return { name, namespace, count: 1, first: event.firstTimestamp ?? '' };
}

const objectKey = ({ involvedObject: o, source }: Event) =>
  [source?.component, source?.host, o.kind, o.namespace, o.name, o.uid, o.apiVersion].join('\n');
const spamKey = (event: Event) => objectKey(event);
const similarKey = (event: Event) => [objectKey(event), event.type, event.reason].join('\n');

interface Lru<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
}
function lru<K, V>(limit: number): Lru<K, V> {
  const entries = new Map<K, V>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value !== undefined) {
        entries.delete(key);
        entries.set(key, value);
      }
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      if (entries.size > limit) entries.delete(entries.keys().next().value as K);
    },
  };
}
