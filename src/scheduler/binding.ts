/** The binding cycle: Reserve, Permit, PreBind, Bind, PostBind. The pod counts as placed from Reserve on. */

import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Client, EventRecorder } from '../client/contract.ts';
import type { Cache } from './cache.ts';
import type { Profile } from './cycle/profile.ts';
import type { Extender } from './extenders.ts';
import type { EffectContext, Plugin } from './framework/plugin.ts';
import { type Rejection, rejections } from './framework/status.ts';
import type { Meters } from './meters.ts';
import type { Nominations } from './queue/nominations.ts';
import type { Entry, Queue } from './queue/queue.ts';
import { patchNomination } from './report.ts';
import type { NodeInfo, Snapshot } from './snapshot/snapshot.ts';
import type { WaitingPods } from './waiting-pods.ts';

export interface BinderOptions {
  readonly client: Client;
  readonly environment: { readonly log: Logger };
  readonly cache: Cache;
  readonly queue: Queue;
  readonly nominations: Nominations;
  readonly waiting: WaitingPods;
  readonly meters: Meters;
  readonly extenders: readonly Extender[];
  readonly signal: AbortSignal;
  recorderFor(schedulerName: string): EventRecorder;
  onFailed(entry: Entry, profile: Profile, rejection: Rejection): void;
}

export interface Binder {
  /** Assumes the pod on the node before it returns; the rest goes on beside other cycles. */
  place(entry: Entry, profile: Profile, snapshot: Snapshot, node: NodeInfo): Promise<void>;
}

const failed = rejections('');

export function createBinder(options: BinderOptions): Binder {
  const { cache, queue, nominations, client, signal, waiting } = options;
  const { log } = options.environment;

  function giveUp(entry: Entry, profile: Profile, context: EffectContext, reserved: readonly Plugin[], why: Rejection) {
    for (const plugin of [...reserved].reverse()) plugin.unreserve?.(context);
    cache.forget(entry.info);
    if (signal.aborted) return;
    options.onFailed(entry, profile, why);
  }
  function reserve(profile: Profile, context: EffectContext): { reserved: Plugin[]; rejection?: Rejection } {
    const reserved: Plugin[] = [];
    for (const plugin of profile.reserve) {
      reserved.push(plugin);
      const rejection = plugin.reserve?.(context);
      if (rejection) return { reserved, rejection };
    }
    return { reserved };
  }
  function permit(profile: Profile, context: EffectContext): Rejection | ReadonlyMap<string, number> {
    const waits = new Map<string, number>();
    for (const plugin of profile.permit) {
      const outcome = plugin.permit?.(context);
      if (!outcome) continue;
      if ('reject' in outcome) return outcome.reject;
      waits.set(plugin.name, outcome.wait);
    }
    return waits;
  }
  async function bind(profile: Profile, context: EffectContext): Promise<Rejection | undefined> {
    for (const plugin of preBinders(profile, context)) {
      const rejection = await plugin.preBind?.(context);
      if (rejection) return rejection;
    }
    for (const extender of options.extenders)
      if (extender.bind && extender.isInterested(context.pod)) {
        await extender.bind(context.pod, context.node.name, signal);
        return undefined;
      }
    for (const plugin of profile.bind) {
      const outcome = await plugin.bind?.(context);
      if (outcome === 'bound') return undefined;
      if (outcome !== undefined && outcome !== 'skip') return outcome;
    }
    return failed('Error', 'no plugin bound the pod');
  }
  async function finish(
    entry: Entry,
    profile: Profile,
    context: EffectContext,
    reserved: readonly Plugin[],
    waits: ReadonlyMap<string, number>,
  ): Promise<void> {
    // Others, such as an autoscaler, should know where a pod goes that takes its time (KEP-5278).
    const slow = waits.size > 0 || preBinders(profile, context).length > 0;
    const nominate = (node: string | null) => patchNomination({ client, log, signal }, entry.info.pod, node);
    const fail = async (why: Rejection) => {
      giveUp(entry, profile, context, reserved, why);
      if (slow) await nominate(null);
    };
    try {
      if (slow && entry.info.pod.status?.nominatedNodeName !== context.node.name) await nominate(context.node.name);
      const denied = waits.size > 0 ? await waiting.wait(entry.info, waits, signal) : undefined;
      const rejection = denied ?? (await bind(profile, context));
      if (rejection) return await fail(rejection);
    } catch (error) {
      return await fail({ ...failed('Error', messageOf(error)) });
    }
    options.meters.attempted('scheduled', profile.schedulerName, entry);
    queue.done(entry);
    const recorder = options.recorderFor(profile.schedulerName);
    const message = `Successfully assigned ${entry.info.key} to ${context.node.name}`;
    recorder.event(entry.info.pod, 'Normal', 'Scheduled', message);
    for (const plugin of profile.postBind) plugin.postBind?.(context);
  }
  return {
    place(entry, profile, snapshot, node) {
      const context: EffectContext = { client, signal, pod: entry.info, node, snapshot };
      cache.assume(entry.info, node.name);
      nominations.delete(entry.info.key);
      const { reserved, rejection } = reserve(profile, context);
      const waits = rejection ?? permit(profile, context);
      if ('plugin' in waits) {
        giveUp(entry, profile, context, reserved, waits);
        return Promise.resolve();
      }
      return finish(entry, profile, context, reserved, waits);
    },
  };
}

/** The plugins whose PreBind has something to do. */
function preBinders(profile: Profile, context: EffectContext): Plugin[] {
  return profile.preBind.filter(plugin => plugin.needsPreBind?.(context) !== false);
}
