/** The loop: takes pods from the queue, runs the cycle on a snapshot, and has done what the cycle says. */
import { messageOf } from '../base/errors.ts';
import type { Environment } from '../controller/contract.ts';
import { createBinder } from './binding.ts';
import type { Cache } from './cache.ts';
import { type CycleInput, choose, type Feasible, findFeasible } from './cycle/cycle.ts';
import { createEvaluations } from './cycle/evaluations.ts';
import type { Profile } from './cycle/profile.ts';
import { askExtenders } from './extended-cycle.ts';
import type { Extender } from './extenders.ts';
import type { Meters } from './meters.ts';
import { createMisfits, type MisfitOptions } from './misfits.ts';
import type { Entry } from './queue/queue.ts';
import type { WaitingPods } from './waiting-pods.ts';

export interface LoopOptions extends Omit<MisfitOptions, 'track'> {
  readonly environment: Environment;
  readonly cache: Cache;
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly extenders: readonly Extender[];
  readonly waiting: WaitingPods;
  readonly meters: Meters;
}

export interface SchedulingLoop {
  run(): Promise<void>;
  /** There may be something to do. */
  nudge(): void;
}

/** Effects under way at once; more wait, which is also when events are read. */
const maxInFlight = 128;

export function createLoop(options: LoopOptions): SchedulingLoop {
  const { environment, cache, queue, nominations, profiles, extenders, meters, signal } = options;
  const { clock, random, log } = environment;
  const evaluations = createEvaluations();
  const misfits = createMisfits({ ...options, track });
  const binder = createBinder({ ...options, onFailed: misfits.bindingFailed });
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
    const profile = profiles.get(entry.info.pod.spec.schedulerName ?? 'default-scheduler');
    if (!profile || entry.info.terminating || cache.isAssumed(entry.info.key)) {
      queue.done(entry);
      return undefined;
    }
    const began = clock.monotonic();
    const measured = () => meters.cycle(clock.monotonic() - began);
    const asked = extenders.filter(e => e.isInterested(entry.info));
    const input = inputOf(entry, profile, asked.length > 0);
    try {
      const found = findFeasible(input);
      const nodes = input.snapshot.order.length;
      if (nodes > 0) start = (start + found.evaluated) % nodes;
      if (asked.length > 0) return extended(entry, input, found, asked).finally(measured);
      conclude(entry, input, found);
    } catch (error) {
      misfits.broken(entry, profile, error);
    }
    measured();
    return undefined;
  }
  function inputOf({ info }: Entry, profile: Profile, allNodes: boolean): CycleInput {
    return {
      profile,
      snapshot: cache.snapshot(),
      pod: info,
      start,
      random,
      evaluations,
      nominated: nominations.on,
      hasNominations: nominations.size > 0,
      allNodes,
    };
  }
  async function extended(entry: Entry, input: CycleInput, found: Feasible, asked: readonly Extender[]): Promise<void> {
    try {
      if (found.nodes.length === 0) return await misfits.nothingFits(entry, input, found, asked);
      const answer = await askExtenders(input, found, asked, signal);
      if (answer.found.nodes.length === 0) return await misfits.nothingFits(entry, input, answer.found, asked);
      conclude(entry, input, answer.found, answer.addPreferences);
    } catch (error) {
      misfits.broken(entry, input.profile, error);
    }
  }
  function conclude(entry: Entry, input: CycleInput, found: Feasible, extra?: (totals: Float64Array) => void): void {
    const choice = choose(input, found, extra);
    if (choice) track(binder.place(entry, input.profile, input.snapshot, choice.node));
    else misfits.nothingFits(entry, input, found);
  }
  return { run, nudge };
}
