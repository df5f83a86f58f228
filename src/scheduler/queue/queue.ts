/**
 * Pods that wait to be scheduled (pkg/scheduler/backend/queue): those that are due, those that back off after a failure, and those that can
 * only be helped by a change in the cluster. A change wakes a pod when a plugin that rejected it says it may help.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { ClusterEvent, Plugin, QueuedPod } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import type { Rejection } from '../framework/status.ts';
import { createHeap } from './heap.ts';

export type Place = 'active' | 'backoff' | 'unschedulable' | 'gated' | 'in-flight' | 'gone';

export interface Entry extends QueuedPod {
  info: PodInfo;
  queuedAt: number;
  attempts: number;
  readonly firstAt: number;
  place: Place;
  /** Plugins that rejected it in the last attempt. Empty after an error. */
  rejectedBy: ReadonlySet<string>;
  /** Of those, the ones that wait for something under way. */
  pendingBy: ReadonlySet<string>;
  gate: Rejection | undefined;
  backoffUntil: number;
  failures: number;
  errors: number;
  /** Its number among the entries of a heap: a newer push makes older ones void. */
  ticket: number;
  seenEvents: number;
}

export interface Failure {
  readonly rejectedBy: ReadonlySet<string>;
  readonly pendingBy: ReadonlySet<string>;
  /** Something broke, rather than nothing fitting: back-off only. */
  readonly error: boolean;
}

export interface QueueProfile {
  readonly preEnqueue: readonly Plugin[];
  readonly plugins: readonly Plugin[];
}

export interface QueueOptions {
  readonly clock: Clock;
  readonly less: (a: QueuedPod, b: QueuedPod) => boolean;
  profileOf(pod: PodInfo): QueueProfile | undefined;
  readonly initialBackoffMs?: number;
  readonly maxBackoffMs?: number;
  /** Pods are tried again after so long whatever happened. Default five minutes. */
  readonly maxUnschedulableMs?: number;
  /** A pod became due. */
  onDue(): void;
}

export interface Queue {
  add(info: PodInfo): void;
  update(info: PodInfo, old: PodInfo): void;
  delete(key: string): void;
  /** The next due pod, now in flight. */
  pop(): Entry | undefined;
  /** The attempt came to nothing. */
  failed(entry: Entry, failure: Failure): void;
  /** The pod is placed. */
  done(entry: Entry): void;
  /** Something changed in the cluster. */
  happened(event: ClusterEvent): void;
  /** Makes a pod due at once, whatever it waits for. */
  activate(key: string): void;
  get(key: string): Entry | undefined;
  sizes(): Record<Place, number>;
  close(): void;
}

const eventLogLimit = 4096;

export function createQueue(options: QueueOptions): Queue {
  const { clock, less } = options;
  const initialBackoff = options.initialBackoffMs ?? 1_000;
  const maxBackoff = options.maxBackoffMs ?? 10_000;
  const maxUnschedulable = options.maxUnschedulableMs ?? 300_000;
  const entries = new Map<string, Entry>();
  const unschedulable = new Set<Entry>();
  type Slot = { entry: Entry; ticket: number };
  const valid = (place: Place) => (slot: Slot) => slot.entry.place === place && slot.entry.ticket === slot.ticket;
  const active = createHeap<Slot>((a, b) => less(a.entry, b.entry), valid('active'));
  const backoff = createHeap<Slot>((a, b) => a.entry.backoffUntil < b.entry.backoffUntil, valid('backoff'));
  /** Events since pods went in flight. */
  let log: ClusterEvent[] = [];
  let logStart = 0;
  let inFlight = 0;
  let backoffTimer: Timer | undefined;
  let closed = false;

  function place(entry: Entry, where: Place): void {
    if (entry.place === 'unschedulable') unschedulable.delete(entry);
    entry.place = where;
    entry.ticket++;
    if (where === 'unschedulable') unschedulable.add(entry);
    if (where === 'active') {
      active.push({ entry, ticket: entry.ticket });
      options.onDue();
    } else if (where === 'backoff') {
      backoff.push({ entry, ticket: entry.ticket });
      armBackoff();
    }
  }
  function armBackoff(): void {
    backoffTimer?.cancel();
    backoffTimer = undefined;
    const next = backoff.peek();
    if (!next || closed) return;
    const wait = Math.max(0, next.entry.backoffUntil - clock.now());
    backoffTimer = clock.setTimer(flushBackoff, wait, { background: true });
  }
  function flushBackoff(): void {
    const now = clock.now();
    for (let next = backoff.peek(); next && next.entry.backoffUntil <= now; next = backoff.peek()) {
      backoff.pop();
      enqueue(next.entry);
    }
    armBackoff();
  }
  /** Into the active queue, unless a gate holds it. */
  function enqueue(entry: Entry): void {
    const profile = options.profileOf(entry.info);
    for (const plugin of profile?.preEnqueue ?? []) {
      const rejection = plugin.preEnqueue?.(entry.info);
      if (!rejection) continue;
      entry.gate = rejection;
      entry.rejectedBy = new Set([plugin.name]);
      entry.pendingBy = new Set();
      place(entry, 'gated');
      return;
    }
    entry.gate = undefined;
    place(entry, 'active');
  }
  function backoffOf(entry: Entry): number {
    const count = entry.errors > 0 ? entry.errors : entry.failures;
    return count === 0 ? 0 : Math.min(maxBackoff, initialBackoff * 2 ** Math.min(count - 1, 30));
  }
  function wake(entry: Entry, immediately: boolean): void {
    entry.queuedAt = clock.now();
    if (!immediately && entry.backoffUntil > entry.queuedAt) place(entry, 'backoff');
    else enqueue(entry);
  }
  /** What the plugins that rejected a pod think of an event. */
  function judge(entry: Entry, event: ClusterEvent): 'skip' | 'queue' | 'immediately' {
    if (entry.rejectedBy.size === 0) return 'queue';
    let verdict: 'skip' | 'queue' = 'skip';
    for (const plugin of options.profileOf(entry.info)?.plugins ?? []) {
      if (!entry.rejectedBy.has(plugin.name) || !mayHelp(plugin, entry.info, event)) continue;
      if (entry.pendingBy.has(plugin.name)) return 'immediately';
      verdict = 'queue';
    }
    return verdict;
  }
  function newEntry(info: PodInfo): Entry {
    const now = clock.now();
    return {
      info,
      queuedAt: now,
      firstAt: now,
      attempts: 0,
      place: 'gone',
      rejectedBy: new Set(),
      pendingBy: new Set(),
      gate: undefined,
      backoffUntil: 0,
      failures: 0,
      errors: 0,
      ticket: 0,
      seenEvents: 0,
    };
  }
  function landed(): void {
    inFlight--;
    if (inFlight > 0) return;
    logStart += log.length;
    log = [];
  }
  function leave(entry: Entry): void {
    if (entry.place === 'in-flight') landed();
    unschedulable.delete(entry);
    entry.place = 'gone';
  }
  function flushStale(): void {
    const before = clock.now() - maxUnschedulable;
    for (const entry of unschedulable) if (entry.queuedAt <= before) wake(entry, false);
    if (!closed) staleTimer = clock.setTimer(flushStale, 30_000, { background: true });
  }
  let staleTimer = clock.setTimer(flushStale, 30_000, { background: true });

  return {
    add(info) {
      const known = entries.get(info.key);
      if (known && known.info.uid === info.uid) return;
      const entry = newEntry(info);
      entries.set(info.key, entry);
      if (known) leave(known);
      enqueue(entry);
    },
    update(info, old) {
      const entry = entries.get(info.key);
      if (!entry) return this.add(info);
      entry.info = info;
      const event: ClusterEvent = { resource: 'TargetPod', action: 'update', object: info.pod, old: old.pod };
      if (entry.place === 'gated') {
        // Each change of a gated pod is a chance to leave.
        enqueue(entry);
      } else if (entry.place === 'unschedulable') {
        const verdict = judge(entry, event);
        if (verdict !== 'skip') wake(entry, verdict === 'immediately');
      } else if (entry.place === 'active' && info.priority !== old.priority) place(entry, 'active');
      else if (entry.place === 'in-flight') log.push(event);
    },
    delete(key) {
      const entry = entries.get(key);
      if (!entry) return;
      entries.delete(key);
      leave(entry);
    },
    pop() {
      let entry = active.pop()?.entry;
      // With nothing else to do, waiting out a back-off after "does not fit" would be idle time.
      if (!entry && backoff.peek()?.entry.errors === 0) entry = backoff.pop()?.entry;
      if (!entry) return undefined;
      entry.place = 'in-flight';
      entry.attempts++;
      entry.seenEvents = logStart + log.length;
      inFlight++;
      return entry;
    },
    failed(entry, { rejectedBy, pendingBy, error }) {
      if (entry.place !== 'in-flight') return;
      const now = clock.now();
      entry.rejectedBy = error ? new Set() : rejectedBy;
      entry.pendingBy = error ? new Set() : pendingBy;
      entry.queuedAt = now;
      if (error) entry.errors++;
      else {
        entry.errors = 0;
        entry.failures++;
      }
      entry.backoffUntil = now + backoffOf(entry);
      const missed = log.slice(Math.max(0, entry.seenEvents - logStart));
      const lost = entry.seenEvents < logStart;
      landed();
      if (error) return place(entry, 'backoff');
      const verdicts = missed.map(event => judge(entry, event));
      if (lost) verdicts.push('queue');
      if (verdicts.includes('immediately')) wake(entry, true);
      else if (verdicts.includes('queue')) wake(entry, false);
      else place(entry, 'unschedulable');
    },
    done(entry) {
      if (entry.place !== 'in-flight') return;
      entries.delete(entry.info.key);
      entry.place = 'gone';
      landed();
    },
    happened(event) {
      if (inFlight > 0) {
        log.push(event);
        if (log.length > eventLogLimit) {
          log = log.slice(eventLogLimit / 2);
          logStart += eventLogLimit / 2;
        }
      }
      for (const entry of unschedulable) {
        const verdict = judge(entry, event);
        if (verdict !== 'skip') wake(entry, verdict === 'immediately');
      }
    },
    activate(key) {
      const entry = entries.get(key);
      if (entry?.place === 'unschedulable' || entry?.place === 'backoff') wake(entry, true);
    },
    get: key => entries.get(key),
    sizes() {
      const sizes = { active: 0, backoff: 0, unschedulable: 0, gated: 0, 'in-flight': 0, gone: 0 };
      for (const entry of entries.values()) sizes[entry.place]++;
      return sizes;
    },
    close() {
      closed = true;
      backoffTimer?.cancel();
      staleTimer.cancel();
    },
  };
}

function mayHelp(plugin: Plugin, pod: PodInfo, event: ClusterEvent): boolean {
  if (!plugin.events) return true;
  for (const { resource, actions, hint } of plugin.events) {
    if (resource !== event.resource || !actions.includes(event.action)) continue;
    if (!hint || !event.object || hint(pod, event) === 'queue') return true;
  }
  return false;
}
