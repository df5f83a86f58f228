/**
 * Pods that wait to be scheduled (pkg/scheduler/backend/queue): those that are due, those that back off after a failure, and those that can
 * only be helped by a change in the cluster. A change wakes a pod when a plugin that rejected it says it may help.
 */
import type { Clock } from '../../base/clock.ts';
import type { ClusterEvent, Plugin, QueuedPod } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import type { Rejection } from '../framework/status.ts';
import { createEventLog } from './event-log.ts';
import { createLanes } from './lanes.ts';

export type Place = 'active' | 'backoff' | 'unschedulable' | 'gated' | 'in-flight' | 'gone';

export interface Entry extends QueuedPod {
  info: PodInfo;
  queuedAt: number;
  attempts: number;
  /** When no gate held it any more for the first time, in milliseconds of the wall clock. */
  dueSince: number | undefined;
  /** When the last attempt began, in milliseconds of the wall clock. */
  attemptAt: number;
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
  /** In the log of events: where its attempt began. */
  mark: number;
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
  /** A pod came to a place, for a cause that upstream's metrics name. */
  onIncoming?(place: Place, cause: string): void;
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
  entries(): Iterable<Entry>;
  sizes(): Record<Place, number>;
  close(): void;
}

/** How often pods that wait too long are looked for. */
const staleCheckMs = 30_000;

type Verdict = 'skip' | 'queue' | 'immediately';

export function createQueue(options: QueueOptions): Queue {
  const { clock } = options;
  const initialBackoff = options.initialBackoffMs ?? 1_000;
  const maxBackoff = options.maxBackoffMs ?? 10_000;
  const maxUnschedulable = options.maxUnschedulableMs ?? 300_000;
  const entries = new Map<string, Entry>();
  const missed = createEventLog();
  const lanes = createLanes({ ...options, backoffOver: entry => enqueue(entry, 'BackoffComplete') });
  let staleTimer = clock.setTimer(flushStale, staleCheckMs, { background: true });

  function put(entry: Entry, place: Place, cause: string): void {
    lanes.put(entry, place);
    if (place !== 'in-flight' && place !== 'gone') options.onIncoming?.(place, cause);
  }
  /** Into the active queue, unless a gate holds it. */
  function enqueue(entry: Entry, cause: string): void {
    for (const plugin of options.profileOf(entry.info)?.preEnqueue ?? []) {
      const rejection = plugin.preEnqueue?.(entry.info);
      if (!rejection) continue;
      entry.gate = rejection;
      entry.rejectedBy = new Set([plugin.name]);
      entry.pendingBy = new Set();
      put(entry, 'gated', cause);
      return;
    }
    entry.gate = undefined;
    entry.dueSince ??= clock.now();
    put(entry, 'active', cause);
  }
  function backoffOf({ errors, failures }: Entry): number {
    const count = errors > 0 ? errors : failures;
    return count === 0 ? 0 : Math.min(maxBackoff, initialBackoff * 2 ** Math.min(count - 1, 30));
  }
  function wake(entry: Entry, immediately: boolean, cause: string): void {
    entry.queuedAt = clock.now();
    if (!immediately && entry.backoffUntil > entry.queuedAt) put(entry, 'backoff', cause);
    else enqueue(entry, cause);
  }
  /** What the plugins that rejected a pod think of an event. */
  function judge(entry: Entry, event: ClusterEvent): Verdict {
    if (entry.rejectedBy.size === 0) return 'queue';
    let verdict: Verdict = 'skip';
    for (const plugin of options.profileOf(entry.info)?.plugins ?? []) {
      if (!entry.rejectedBy.has(plugin.name) || !mayHelp(plugin, entry.info, event)) continue;
      if (entry.pendingBy.has(plugin.name)) return 'immediately';
      verdict = 'queue';
    }
    return verdict;
  }
  function wakeIfHelped(entry: Entry, event: ClusterEvent): void {
    const verdict = judge(entry, event);
    if (verdict !== 'skip') wake(entry, verdict === 'immediately', causeOf(event));
  }
  function leave(entry: Entry): void {
    if (entry.place === 'in-flight') missed.land();
    lanes.put(entry, 'gone');
  }
  function flushStale(): void {
    const before = clock.now() - maxUnschedulable;
    for (const entry of lanes.unschedulable) if (entry.queuedAt <= before) wake(entry, false, 'UnschedulableTimeout');
    staleTimer = clock.setTimer(flushStale, staleCheckMs, { background: true });
  }
  function noteFailure(entry: Entry, { rejectedBy, pendingBy, error }: Failure): void {
    const nobody = new Set<string>();
    entry.rejectedBy = error ? nobody : rejectedBy;
    entry.pendingBy = error ? nobody : pendingBy;
    entry.queuedAt = clock.now();
    entry.errors = error ? entry.errors + 1 : 0;
    if (!error) entry.failures++;
    entry.backoffUntil = entry.queuedAt + backoffOf(entry);
  }

  return {
    add(info) {
      const known = entries.get(info.key);
      if (known && known.info.uid === info.uid) return;
      const entry = newEntry(info, clock.now());
      entries.set(info.key, entry);
      if (known) leave(known);
      enqueue(entry, 'UnschedulablePodAdd');
    },
    update(info, old) {
      const entry = entries.get(info.key);
      if (!entry) return this.add(info);
      entry.info = info;
      const event: ClusterEvent = { resource: 'TargetPod', action: 'update', object: info.pod, old: old.pod };
      // Each change of a gated pod is a chance to leave.
      if (entry.place === 'gated') enqueue(entry, causeOf(event));
      else if (entry.place === 'unschedulable') wakeIfHelped(entry, event);
      else if (entry.place === 'active' && info.priority !== old.priority) lanes.put(entry, 'active');
      else if (entry.place === 'in-flight') missed.add(event);
    },
    delete(key) {
      const entry = entries.get(key);
      if (!entry) return;
      entries.delete(key);
      leave(entry);
    },
    pop() {
      const entry = lanes.take();
      if (!entry) return undefined;
      lanes.put(entry, 'in-flight');
      entry.attempts++;
      entry.attemptAt = clock.now();
      entry.mark = missed.depart();
      return entry;
    },
    failed(entry, failure) {
      if (entry.place !== 'in-flight') return;
      noteFailure(entry, failure);
      const events = missed.since(entry.mark);
      missed.land();
      const cause = 'ScheduleAttemptFailure';
      if (failure.error) return put(entry, 'backoff', cause);
      const verdicts = events?.map(event => judge(entry, event)) ?? ['queue'];
      if (verdicts.includes('immediately')) wake(entry, true, cause);
      else if (verdicts.includes('queue')) wake(entry, false, cause);
      else put(entry, 'unschedulable', cause);
    },
    done(entry) {
      if (entry.place !== 'in-flight') return;
      entries.delete(entry.info.key);
      leave(entry);
    },
    happened(event) {
      missed.add(event);
      for (const entry of lanes.unschedulable) wakeIfHelped(entry, event);
    },
    activate(key) {
      const entry = entries.get(key);
      if (entry?.place === 'unschedulable' || entry?.place === 'backoff') wake(entry, true, 'ForceActivate');
    },
    get: key => entries.get(key),
    entries: () => entries.values(),
    sizes() {
      const sizes = { active: 0, backoff: 0, unschedulable: 0, gated: 0, 'in-flight': 0, gone: 0 };
      for (const entry of entries.values()) sizes[entry.place]++;
      return sizes;
    },
    close() {
      lanes.close();
      staleTimer.cancel();
    },
  };
}

function newEntry(info: PodInfo, now: number): Entry {
  const nobody = new Set<string>();
  return {
    info,
    queuedAt: now,
    dueSince: undefined,
    attempts: 0,
    attemptAt: now,
    place: 'gone',
    rejectedBy: nobody,
    pendingBy: nobody,
    gate: undefined,
    backoffUntil: 0,
    failures: 0,
    errors: 0,
    ticket: 0,
    mark: 0,
  };
}

/** An event as upstream's metrics name it, such as "NodeAdd". */
function causeOf({ resource, action }: ClusterEvent): string {
  const names: Record<string, string> = { Pod: 'AssignedPod', TargetPod: 'UnschedulablePod' };
  return `${names[resource] ?? resource}${action.charAt(0).toUpperCase()}${action.slice(1)}`;
}

function mayHelp(plugin: Plugin, pod: PodInfo, event: ClusterEvent): boolean {
  if (!plugin.events) return true;
  for (const { resource, actions, hint } of plugin.events) {
    if (resource !== event.resource || !actions.includes(event.action)) continue;
    if (!hint || !event.object || hint(pod, event) === 'queue') return true;
  }
  return false;
}
