/** What follows an attempt that placed no pod: room is made or not, the pod goes back to the queue, its user is told. */
import type { Pod } from '../api/types/core-v1.ts';
import { messageOf } from '../base/errors.ts';
import type { Client, EventRecorder } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
import type { CycleInput, Diagnosis, Feasible } from './cycle/cycle.ts';
import { fitMessage } from './cycle/message.ts';
import { type PostFilterResult, runPostFilters } from './cycle/post-filter.ts';
import type { Profile } from './cycle/profile.ts';
import { askAboutVictims } from './extended-cycle.ts';
import type { Extender } from './extenders.ts';
import type { Evict } from './framework/plugin.ts';
import type { PodInfo } from './framework/pod-info.ts';
import type { Rejection } from './framework/status.ts';
import type { Meters } from './meters.ts';
import type { Nominations } from './queue/nominations.ts';
import type { Entry, Queue } from './queue/queue.ts';
import { patchNomination, reportFailure } from './report.ts';

export interface Attempt {
  readonly pod: PodInfo;
  /** Milliseconds of the wall clock. */
  readonly at: number;
  readonly profile: Profile;
  readonly diagnosis: Diagnosis;
  /** By row, the nodes' names then. */
  readonly nodeNames: readonly (string | undefined)[];
  readonly message: string;
}

export interface MisfitOptions {
  readonly environment: Environment;
  readonly client: Client;
  readonly queue: Queue;
  readonly nominations: Nominations;
  readonly meters: Meters;
  readonly signal: AbortSignal;
  recorderFor(schedulerName: string): EventRecorder;
  /** Told of each attempt that came to nothing. */
  onUnschedulable(attempt: Attempt): void;
  /** Takes an effect that goes on beside other cycles. */
  track(effect: Promise<void>): void;
}

export interface Misfits {
  /** A promise only when extenders are asked about victims. */
  nothingFits(
    entry: Entry,
    input: CycleInput,
    found: Feasible,
    extenders?: readonly Extender[],
  ): Promise<void> | undefined;
  bindingFailed(entry: Entry, profile: Profile, rejection: Rejection): void;
  /** The scheduler itself failed. */
  broken(entry: Entry, profile: Profile, error: unknown): void;
}

export function createMisfits(options: MisfitOptions): Misfits {
  const { environment, queue, nominations, client, meters, signal, track } = options;
  const { clock, log } = environment;

  async function narrowed(
    pod: PodInfo,
    outcome: PostFilterResult,
    extenders: readonly Extender[],
  ): Promise<PostFilterResult> {
    const { room, ...rest } = outcome;
    if (!room) return outcome;
    try {
      const left = await askAboutVictims(pod, room, extenders, signal);
      return left ? { ...rest, room: left } : rest;
    } catch (error) {
      log.warn('Preemption failed', { pod: pod.key, error: messageOf(error) });
      return rest;
    }
  }
  function unschedulable(
    entry: Entry,
    { profile, pod, snapshot }: CycleInput,
    diagnosis: Diagnosis,
    outcome: PostFilterResult,
  ) {
    const { room, clear } = outcome;
    const message = fitMessage(diagnosis, outcome.message);
    meters.attempted('unschedulable', profile.schedulerName, entry);
    const nodeNames = snapshot.nodes.map(n => n?.name);
    options.onUnschedulable({ pod, at: clock.now(), profile, diagnosis, nodeNames, message });
    if (room) {
      yieldTo(pod, room.node, profile);
      nominations.set(pod, room.node);
    } else if (clear) nominations.delete(pod.key);
    giveBack(entry, rejectionsOf(diagnosis));
    const nominated = room?.node ?? (clear ? '' : undefined);
    const effects = async () => {
      if (room) await evictFor(entry, profile, room.evict);
      await report(profile, pod, 'Unschedulable', message, nominated);
    };
    track(effects());
  }
  /** Pods of lower priority lose their claim on the node: room there is made for this pod now. */
  function yieldTo(pod: PodInfo, node: string, profile: Profile): void {
    for (const other of nominations.on(node)) {
      if (other.priority >= pod.priority || other.key === pod.key) continue;
      nominations.delete(other.key);
      track(patchNomination({ client, log, signal }, queue.get(other.key)?.info.pod ?? other.pod, null));
      queue.activate(other.key);
      log.debug('A nomination was withdrawn', { pod: other.key, node, profile: profile.schedulerName });
    }
  }
  async function evictFor(entry: Entry, profile: Profile, evict: Evict): Promise<void> {
    meters.preempted(evict.victims.length);
    try {
      await evict.run({ client, recorder: options.recorderFor(profile.schedulerName), signal });
    } catch (error) {
      log.warn('Preemption failed', { pod: entry.info.key, error: messageOf(error) });
      nominations.delete(entry.info.key);
      queue.activate(entry.info.key);
    }
  }
  function giveBack(entry: Entry, rejections: readonly Rejection[]): void {
    const pending = rejections.filter(r => r.code === 'Pending');
    queue.failed(entry, {
      rejectedBy: new Set(rejections.map(r => r.plugin)),
      pendingBy: new Set(pending.map(r => r.plugin)),
      error: rejections.some(r => r.code === 'Error'),
    });
  }
  /** The attempt ended for a reason that is no node's. */
  function remember({ info }: Entry, profile: Profile, rejection: Rejection): void {
    const diagnosis = { nodeCount: 0, rejections: [], preFilter: rejection };
    const message = rejection.reasons.join(', ');
    options.onUnschedulable({ pod: info, at: clock.now(), profile, diagnosis, nodeNames: [], message });
  }
  async function report(profile: Profile, info: PodInfo, reason: string, message: string, nominated?: string) {
    const current = queue.get(info.key)?.info ?? info;
    const recorder = options.recorderFor(profile.schedulerName);
    const failure = { reason, message, ...(nominated !== undefined && { nominated }) };
    await reportFailure({ client, recorder, clock, log, signal }, current.pod, failure);
  }
  return {
    nothingFits(entry, input, found, extenders = []) {
      const outcome = runPostFilters(input, found);
      if (!outcome.room || extenders.length === 0) {
        unschedulable(entry, input, found.diagnosis, outcome);
        return undefined;
      }
      return narrowed(input.pod, outcome, extenders).then(left => unschedulable(entry, input, found.diagnosis, left));
    },
    bindingFailed(entry, profile, rejection) {
      const error = rejection.code === 'Error';
      meters.attempted(error ? 'error' : 'unschedulable', profile.schedulerName, entry);
      const freed: Pod = { ...entry.info.pod, spec: { ...entry.info.pod.spec, nodeName: '' } };
      queue.happened({ resource: 'Pod', action: 'delete', object: freed });
      remember(entry, profile, rejection);
      giveBack(entry, [rejection]);
      const reason = error ? 'SchedulerError' : 'Unschedulable';
      track(report(profile, entry.info, reason, rejection.reasons.join(', ')));
    },
    broken(entry, profile, error) {
      log.error('Scheduling a pod failed', { pod: entry.info.key, error: messageOf(error) });
      meters.attempted('error', profile.schedulerName, entry);
      const rejection: Rejection = { plugin: '', code: 'Error', reasons: [messageOf(error)] };
      remember(entry, profile, rejection);
      queue.failed(entry, { rejectedBy: new Set(), pendingBy: new Set(), error: true });
      track(report(profile, entry.info, 'SchedulerError', messageOf(error)));
    },
  };
}

function rejectionsOf({ preFilter, rejections }: Diagnosis): Rejection[] {
  if (preFilter) return [preFilter];
  const distinct = new Set<Rejection>();
  for (const each of rejections) if (each) distinct.add(each);
  return [...distinct];
}
