import { messageOf } from '../base/errors.ts';
import type { Client, InformerFactory } from '../client/contract.ts';
import { createEventRecorder } from '../client/events.ts';
import { createInformerFactory } from '../client/informer.ts';
import { type LeaderElectionOptions, runLeaderElection } from '../client/leader-election.ts';
import type { Controller, ControllerContext, Environment, Loop } from './contract.ts';
import { type RunningLoop, runLoop } from './loop.ts';
import { selectControllers } from './selection.ts';

export interface ManagerOptions {
  readonly environment: Environment;
  readonly client: Client;
  readonly controllers: readonly Controller[];
  /** As `--controllers`; default ["*"]. */
  readonly enabled?: readonly string[];
  /** Without it the manager runs at once; with it, while it holds the lease. */
  readonly leaderElection?: Pick<
    LeaderElectionOptions,
    'namespace' | 'name' | 'identity' | 'leaseMs' | 'renewDeadlineMs' | 'retryMs' | 'onLeader'
  >;
  /**
   * A client that acts as a controller's service account; `client` then only reads for all of them. Default: `client` for all.
   */
  clientFor?(account: string): Client;
  /** Freezes cached objects, so that a controller that changes one fails. For tests. */
  readonly freeze?: boolean;
}

export interface Manager {
  /** Resolves when the caches are filled and the loops run; with leader election at once. Throws for an unknown controller name. */
  start(): Promise<void>;
  /** No new work; resolves when what is in work is done. Safe to call twice. */
  stop(): Promise<void>;
}

/** Runs controllers over one shared set of informers. */
export function createManager(options: ManagerOptions): Manager {
  const chosen = selectControllers(options.controllers, options.enabled);
  const stopping = new AbortController();
  let finished: Promise<void> = Promise.resolve();
  return {
    async start() {
      const { leaderElection, environment, client } = options;
      if (leaderElection) {
        finished = runLeaderElection({
          ...leaderElection,
          client,
          clock: environment.clock,
          random: environment.random,
          log: environment.log,
          signal: stopping.signal,
          lead: signal => runControllers(options, chosen, signal).finished,
        });
        return;
      }
      const run = runControllers(options, chosen, stopping.signal);
      finished = run.finished;
      await Promise.race([run.synced, finished]);
    },
    async stop() {
      stopping.abort(new Error('the manager stopped'));
      await finished;
    },
  };
}

interface Run {
  /** All loops have begun. */
  synced: Promise<void>;
  /** The signal was aborted and all work is done. */
  finished: Promise<void>;
}

function runControllers(options: ManagerOptions, chosen: readonly Controller[], signal: AbortSignal): Run {
  const { environment, client, freeze = false } = options;
  const informers = createInformerFactory(client, { ...environment, freeze });
  const loops: RunningLoop[] = [];
  const begun = chosen.map(controller => {
    const tracked = trackSync(informers);
    const context = contextFor(options, controller, tracked.factory, signal);
    const made = controller.setUp(context);
    const own = (Array.isArray(made) ? (made as readonly Loop[]) : [made as Loop]).map((loop, i) =>
      runLoop(i === 0 ? controller.name : `${controller.name}-${i}`, loop, context),
    );
    loops.push(...own);
    return async () => {
      await tracked.synced();
      if (!signal.aborted) for (const loop of own) loop.begin();
    };
  });
  informers.start(signal);
  const synced = Promise.all(begun.map(begin => begin())).then(() => undefined);
  const finished = aborted(signal).then(async () => {
    await Promise.all(loops.map(loop => loop.stop()));
  });
  synced.catch(e => environment.log.error('Controllers could not begin', { error: messageOf(e) }));
  return { synced, finished };
}

function contextFor(
  { environment, client, clientFor }: ManagerOptions,
  controller: Controller,
  informers: InformerFactory,
  signal: AbortSignal,
): ControllerContext {
  const { account = controller.name } = controller;
  const own = account === null ? client : (clientFor?.(account) ?? client);
  const log = environment.log.with({ controller: controller.name });
  const component = controller.component ?? controller.name;
  const { clock, random, metrics } = environment;
  const recorder = createEventRecorder({ client: own, clock, log, component, signal });
  return { clock, random, metrics, log, client: own, reader: client, informers, recorder, signal };
}

/** A view of the shared factory that knows which informers were asked for through it. */
function trackSync(shared: InformerFactory): { factory: InformerFactory; synced(): Promise<void> } {
  const asked: { synced(): Promise<void> }[] = [];
  const factory: InformerFactory = {
    informer(resource, options) {
      const informer = shared.informer(resource, options);
      asked.push(informer);
      return informer;
    },
    start: signal => shared.start(signal),
    synced: () => shared.synced(),
  };
  return {
    factory,
    async synced() {
      await Promise.all(asked.map(informer => informer.synced()));
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}
