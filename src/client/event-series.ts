/** Events of events.k8s.io/v1: a repetition turns an event into a series, as client-go's tools/events does. */
import type { KubeObject } from '../api/object.ts';
import type { ObjectReference } from '../api/types/core-v1.ts';
import type { Event } from '../api/types/events-v1.ts';
import { rfc3339Micro, type Timer } from '../base/clock.ts';
import { isNotFound, messageOf } from '../base/errors.ts';
import type { EventRecorder } from './contract.ts';
import type { EventRecorderOptions } from './events.ts';

/** A series that was quiet for so long is over, and its last count is written (client-go's finishTime). */
const quietMs = 360_000;
const cacheSize = 4096;

export interface SeriesRecorder extends EventRecorder {
  event(
    about: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    more?: {
      /** What was done or tried; default: the reason. */ action?: string;
      related?: KubeObject;
      fieldPath?: string;
    },
  ): void;
}

interface Series {
  event: Event;
  count: number;
  lastObserved: number;
  /** Count that the server has. */
  written: number;
  timer: Timer;
  /** Writes follow one another. */
  tail: Promise<void>;
}

/** Repetitions are counted in memory and written when the series begins and ends. Never throws; drops what cannot be written. */
export function createSeriesRecorder(options: EventRecorderOptions): SeriesRecorder {
  const { client, clock, log, signal } = options;
  const known = new Map<string, Series>();
  let sequence = 0;

  function enqueue(series: Series, write: () => Promise<void>): void {
    series.tail = series.tail
      .then(write)
      .catch(e => log.debug('An event could not be written', { error: messageOf(e) }));
  }
  async function writeSeries({ event, count, lastObserved }: Series): Promise<void> {
    const { name, namespace } = event.metadata;
    const series = { count, lastObservedTime: rfc3339Micro(lastObserved) };
    const events = client.resource('events.k8s.io/v1/events', namespace);
    try {
      await events.patch(name, 'merge', { series });
    } catch (e) {
      if (!isNotFound(e)) throw e;
      await events.create({ ...event, series });
    }
  }
  function finish(key: string): void {
    const series = known.get(key);
    if (!series) return;
    const left = series.lastObserved + quietMs - clock.now();
    if (left > 0) {
      series.timer = clock.setTimer(() => finish(key), left, { background: true });
      return;
    }
    known.delete(key);
    if (series.count > series.written) enqueue(series, () => writeSeries(series));
  }
  function begin(key: string, event: Event): void {
    const timer = clock.setTimer(() => finish(key), quietMs, { background: true });
    const series: Series = { event, count: 1, lastObserved: clock.now(), written: 1, timer, tail: Promise.resolve() };
    known.set(key, series);
    if (known.size > cacheSize) forgetOldest();
    enqueue(series, async () => {
      await client.resource('events.k8s.io/v1/events', event.metadata.namespace).create(event);
    });
  }
  function forgetOldest(): void {
    const oldest = known.keys().next().value;
    if (oldest === undefined) return;
    known.get(oldest)?.timer.cancel();
    known.delete(oldest);
  }
  signal?.addEventListener('abort', () => {
    for (const { timer } of known.values()) timer.cancel();
    known.clear();
  });
  return {
    event(about, type, reason, message, more = {}) {
      if (signal?.aborted) return;
      const event = eventOf(options, about, type, reason, message, more, sequence++);
      const key = JSON.stringify([event.type, event.action, event.reason, event.regarding, event.related]);
      const series = known.get(key);
      if (!series) return begin(key, event);
      series.count += 1;
      series.lastObserved = clock.now();
      if (series.count > 2) return undefined;
      // The second one tells readers that it goes on.
      series.written = 2;
      enqueue(series, () => writeSeries(series));
      return undefined;
    },
  };
}

function eventOf(
  { clock, component, host }: EventRecorderOptions,
  about: KubeObject,
  type: string,
  reason: string,
  note: string,
  { action = reason, related, fieldPath }: NonNullable<Parameters<SeriesRecorder['event']>[4]>,
  sequence: number,
): Event {
  const now = clock.now();
  const nanos = (BigInt(Math.floor(now)) * 1_000_000n + BigInt(sequence % 1_000_000)).toString(16);
  return {
    metadata: { name: `${about.metadata.name}.${nanos}`, namespace: about.metadata.namespace || 'default' },
    eventTime: rfc3339Micro(now),
    reportingController: component,
    reportingInstance: `${component}-${host ?? 'local'}`,
    action,
    reason,
    regarding: { ...referenceTo(about), ...(fieldPath && { fieldPath }) },
    ...(related && { related: referenceTo(related) }),
    // The API refuses longer ones.
    note: note.slice(0, 1024),
    type,
  };
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject): ObjectReference {
  const { namespace, name, uid } = metadata;
  return {
    ...(kind && { kind }),
    ...(namespace && { namespace }),
    name,
    ...(uid && { uid }),
    ...(apiVersion && { apiVersion }),
  };
}
