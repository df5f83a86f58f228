/** The loop: takes pods from the queue, runs the cycle on a snapshot, and does what the cycle says. */
import type { Pod } from '../api/types/core-v1.ts';
import { messageOf } from '../base/errors.ts';
import type { Client, EventRecorder } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
import { createBinder } from './binding.ts';
import type { Cache } from './cache.ts';
import { type CycleInput, choose, type Diagnosis, type Feasible, findFeasible } from './cycle/cycle.ts';
import { createEvaluations } from './cycle/evaluations.ts';
import { fitMessage } from './cycle/message.ts';
import { runPostFilters } from './cycle/post-filter.ts';
import type { Profile } from './cycle/profile.ts';
import type { Extender } from './extenders.ts';
import type { PodInfo } from './framework/pod-info.ts';
import type { Rejection } from './framework/status.ts';
import { createMeters } from './meters.ts';
import type { Nominations } from './queue/nominations.ts';
import type { Entry, Queue } from './queue/queue.ts';
import { clearNomination, reportFailure } from './report.ts';
import type { WaitingPods } from './waiting-pods.ts';

export interface Attempt {
  readonly pod: PodInfo;
  /** RFC 3339. */
  readonly at: number;
  readonly profile: Profile;
  readonly diagnosis: Diagnosis;
  /** By row, the nodes' names then. */
  readonly nodeNames: readonly (string | undefined)[];
  readonly message: string;
}

export interface LoopOptions {
  readonly environment: Environment;
  readonly client: Client;
  readonly cache: Cache;
  readonly queue: Queue;
  readonly nominations: Nominations;
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly extenders: readonly Extender[];
  readonly waiting: WaitingPods;
  recorderFor(schedulerName: string): EventRecorder;
  readonly signal: AbortSignal;
  /** Told of each attempt that came to nothing. */
  onUnschedulable(attempt: Attempt): void;
}

export interface SchedulingLoop {
  run(): Promise<void>;
  /** There may be something to do. */
  nudge(): void;
}

/** Effects under way at once; more wait, which is also when events are read. */
const maxInFlight = 128;

export function createLoop(options: LoopOptions): SchedulingLoop {
  const { environment, cache, queue, nominations, profiles, extenders, signal } = options;
  const { clock, random, log } = environment;
  const evaluations = createEvaluations();
  const meters = createMeters(environment.metrics);
  const binder = createBinder({ ...options, onFailed: bindingFailed });
  const inFlight = new Set<Promise<void>>();
  let start = 0;
  let wake: (() => void) | undefined;

  function nudge(): void {
    wake?.();
    wake = undefined;
  }
  function track(effect: Promise<void>): void {
    const tracked = effect
      .catch(error => log.error('An effect of scheduling failed', { error: messageOf(error) }))
      .finally(() => inFlight.delete(tracked));
    inFlight.add(tracked);
  }
  async function run(): Promise<void> {
    signal.addEventListener('abort', nudge, { once: true });
    while (!signal.aborted) {
      if (inFlight.size >= maxInFlight) {
        await Promise.race(inFlight);
        continue;
      }
      const entry = queue.pop();
      if (entry) {
        const pending = attempt(entry);
        if (pending) await pending;
        continue;
      }
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
    await Promise.all(inFlight);
  }
  /** A promise only when the cycle has to wait for an extender. */
  function attempt(entry: Entry): Promise<void> | undefined {
    const { info } = entry;
    const profile = profiles.get(info.pod.spec.schedulerName ?? 'default-scheduler');
    if (!profile || info.terminating || cache.isAssumed(info.key)) {
      queue.done(entry);
      return undefined;
    }
    const began = clock.monotonic();
    const snapshot = cache.snapshot();
    const asked = extenders.filter(e => e.isInterested(info));
    const input: CycleInput = {
      profile,
      snapshot,
      pod: info,
      start,
      random,
      evaluations,
      nominated: nominations.on,
      hasNominations: nominations.size > 0,
      allNodes: asked.length > 0,
    };
    try {
      const found = findFeasible(input);
      if (snapshot.order.length > 0) start = (start + found.evaluated) % snapshot.order.length;
      if (asked.length > 0 && found.nodes.length > 0)
        return extended(entry, input, found, asked).finally(() => meters.attempt(clock.monotonic() - began));
      conclude(entry, input, found);
    } catch (error) {
      broken(entry, profile, error);
    }
    meters.attempt(clock.monotonic() - began);
    return undefined;
  }
  async function extended(entry: Entry, input: CycleInput, found: Feasible, asked: readonly Extender[]): Promise<void> {
    try {
      let nodes = found.nodes;
      const rejections = [...found.diagnosis.rejections];
      for (const extender of asked) {
        const answer = await extender.filter(input.pod, nodes, signal);
        for (const [row, rejection] of answer.rejected) rejections[row] = rejection;
        nodes = nodes.filter(n => !answer.rejected.has(n.row));
        if (nodes.length === 0) break;
      }
      const left: Feasible = { ...found, nodes, diagnosis: { ...found.diagnosis, rejections } };
      const extra = await prioritize(input.pod, nodes, asked);
      conclude(entry, input, left, extra);
    } catch (error) {
      broken(entry, input.profile, error);
    }
  }
  async function prioritize(pod: PodInfo, nodes: Feasible['nodes'], asked: readonly Extender[]) {
    const sums = new Float64Array(nodes.length);
    if (nodes.length > 1)
      for (const extender of asked) {
        const scores = await extender.prioritize(pod, nodes, signal);
        nodes.forEach((node, i) => {
          sums[i] = (sums[i] ?? 0) + (scores.get(node.name) ?? 0);
        });
      }
    return (totals: Float64Array) => {
      for (const [i, sum] of sums.entries()) totals[i] = (totals[i] ?? 0) + sum;
    };
  }
  function conclude(entry: Entry, input: CycleInput, found: Feasible, extra?: (totals: Float64Array) => void): void {
    const choice = choose(input, found, extra);
    if (!choice) {
      nothingFits(entry, input, found);
      return;
    }
    meters.result('scheduled', input.profile.schedulerName);
    track(binder.place(entry, input.profile, input.snapshot, choice.node));
  }
  function nothingFits(entry: Entry, input: CycleInput, found: Feasible): void {
    const { profile, pod, snapshot } = input;
    const { diagnosis } = found;
    const outcome = runPostFilters(input, found);
    const message = fitMessage(diagnosis, outcome.message);
    meters.result('unschedulable', profile.schedulerName);
    options.onUnschedulable({
      pod,
      at: clock.now(),
      profile,
      diagnosis,
      nodeNames: snapshot.nodes.map(n => n?.name),
      message,
    });
    const nominated = outcome.node;
    if (nominated) {
      yieldTo(pod, nominated, profile);
      nominations.set(pod, nominated);
    } else if (outcome.clear) nominations.delete(pod.key);
    giveBack(entry, rejectionsOf(diagnosis));
    const node = nominated ?? (outcome.clear ? '' : undefined);
    track(
      (async () => {
        if (outcome.evict) await evictFor(entry, profile, outcome.evict);
        await report(profile, pod, 'Unschedulable', message, node);
      })(),
    );
  }
  /** Pods of lower priority lose their claim on the node: room there is made for this pod now. */
  function yieldTo(pod: PodInfo, node: string, profile: Profile): void {
    for (const other of nominations.on(node)) {
      if (other.priority >= pod.priority || other.key === pod.key) continue;
      nominations.delete(other.key);
      track(clearNomination({ client: options.client, log, signal }, queue.get(other.key)?.info.pod ?? other.pod));
      queue.activate(other.key);
      log.debug('A nomination was withdrawn', { pod: other.key, node, profile: profile.schedulerName });
    }
  }
  async function evictFor(
    entry: Entry,
    profile: Profile,
    evict: NonNullable<ReturnType<typeof runPostFilters>['evict']>,
  ) {
    meters.preempted(evict.victims.length);
    try {
      await evict.run({ client: options.client, recorder: options.recorderFor(profile.schedulerName), signal });
    } catch (error) {
      log.warn('Preemption failed', { pod: entry.info.key, error: messageOf(error) });
      nominations.delete(entry.info.key);
      queue.activate(entry.info.key);
    }
  }
  function giveBack(entry: Entry, rejections: readonly Rejection[]): void {
    const error = rejections.some(r => r.code === 'Error');
    const pending = rejections.filter(r => r.code === 'Pending');
    queue.failed(entry, {
      rejectedBy: new Set(rejections.map(r => r.plugin)),
      pendingBy: new Set(pending.map(r => r.plugin)),
      error,
    });
  }
  function broken(entry: Entry, profile: Profile, error: unknown): void {
    log.error('Scheduling a pod failed', { pod: entry.info.key, error: messageOf(error) });
    meters.result('error', profile.schedulerName);
    remember(entry, profile, { plugin: '', code: 'Error', reasons: [messageOf(error)] });
    queue.failed(entry, { rejectedBy: new Set(), pendingBy: new Set(), error: true });
    track(report(profile, entry.info, 'SchedulerError', messageOf(error)));
  }
  /** The attempt ended for a reason that is no node's. */
  function remember({ info }: Entry, profile: Profile, rejection: Rejection): void {
    options.onUnschedulable({
      pod: info,
      at: clock.now(),
      profile,
      diagnosis: { nodeCount: 0, rejections: [], preFilter: rejection },
      nodeNames: [],
      message: rejection.reasons.join(', '),
    });
  }
  function bindingFailed(entry: Entry, profile: Profile, rejection: Rejection): void {
    const error = rejection.code === 'Error';
    meters.result(error ? 'error' : 'unschedulable', profile.schedulerName);
    const freed: Pod = { ...entry.info.pod, spec: { ...entry.info.pod.spec, nodeName: '' } };
    queue.happened({ resource: 'Pod', action: 'delete', object: freed });
    remember(entry, profile, rejection);
    giveBack(entry, [rejection]);
    const reason = error ? 'SchedulerError' : 'Unschedulable';
    track(report(profile, entry.info, reason, rejection.reasons.join(', ')));
  }
  async function report(profile: Profile, info: PodInfo, reason: string, message: string, nominated?: string) {
    const current = queue.get(info.key)?.info ?? info;
    await reportFailure(
      { client: options.client, recorder: options.recorderFor(profile.schedulerName), clock, log, signal },
      current.pod,
      { reason, message, ...(nominated !== undefined && { nominated }) },
    );
  }
  return { run, nudge };
}

function rejectionsOf({ preFilter, rejections }: Diagnosis): Rejection[] {
  if (preFilter) return [preFilter];
  const distinct = new Set<Rejection>();
  for (const each of rejections) if (each) distinct.add(each);
  return [...distinct];
}
