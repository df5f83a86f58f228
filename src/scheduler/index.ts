/** The scheduler: places pods on nodes. Portable; HTTP for extenders and modules of plugins are given by the caller. */
import type { Pod } from '../api/types/core-v1.ts';
import { messageOf } from '../base/errors.ts';
import type { Client, EventRecorder } from '../client/contract.ts';
import {
  createEventRecorder,
  createInformerFactory,
  type LeaderElectionOptions,
  runLeaderElection,
} from '../client/index.ts';
import type { Environment } from '../controller/contract.ts';
import { createCache } from './cache.ts';
import { buildProfiles } from './config/profiles.ts';
import type { SchedulerConfiguration } from './config/types.ts';
import type { Profile } from './cycle/profile.ts';
import { createExtender, type ExtenderCall } from './extenders.ts';
import type { PluginFactory } from './framework/plugin.ts';
import { connect, createSources } from './informers.ts';
import { createMeters, type Meters } from './meters.ts';
import type { Attempt } from './misfits.ts';
import { builtInPlugins } from './plugins/index.ts';
import { createNominations } from './queue/nominations.ts';
import { createQueue } from './queue/queue.ts';
import { createLoop } from './scheduler.ts';
import { createWaitingPods } from './waiting-pods.ts';
import { createWhy, type PendingReport, type Why } from './why.ts';

export * from './config/types.ts';
export { type ExplainOptions, type Explanation, explainPod, type NodeScore } from './explain.ts';
export type { ExtenderCall } from './extenders.ts';
export * from './framework/plugin.ts';
export type { PodInfo } from './framework/pod-info.ts';
export { type Rejection, type RejectionCode, rejections } from './framework/status.ts';
export type { NodeInfo, Snapshot } from './snapshot/snapshot.ts';
export type { NodeVerdict, PendingReport } from './why.ts';
export { whyHandler } from './why-handler.ts';

export interface SchedulerOptions {
  readonly environment: Environment;
  readonly client: Client;
  /** Default: one profile, "default-scheduler". */
  readonly configuration?: SchedulerConfiguration;
  /** Without it the scheduler works at once; with it, while it holds the lease. */
  readonly leaderElection?: Pick<
    LeaderElectionOptions,
    'namespace' | 'name' | 'identity' | 'leaseMs' | 'renewDeadlineMs' | 'retryMs' | 'onLeader'
  >;
  /** More plugins; profiles name them. */
  readonly plugins?: readonly PluginFactory[];
  /** How extenders are asked. Needed when the configuration has some. */
  readonly extenderCall?: ExtenderCall;
  readonly freeze?: boolean;
}

export interface Scheduler {
  /** Resolves when the caches are filled and pods are being scheduled; with leader election at once. @throws ConfigurationError */
  start(): Promise<void>;
  /** Resolves when what is under way is done. Safe to call twice. */
  stop(): Promise<void>;
  /** Why the pod ("namespace/name") is not on a node yet; undefined when this scheduler knows of no such pod that waits. */
  whyPending(key: string): PendingReport | undefined;
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  const stopping = new AbortController();
  let finished: Promise<void> = Promise.resolve();
  let why: Why | undefined;
  const meters = createMeters(options.environment.metrics, options.environment.clock);
  return {
    async start() {
      const { leaderElection, environment, client } = options;
      const run = (signal: AbortSignal) => {
        const running = runScheduler(options, meters, signal);
        why = running.why;
        return running;
      };
      if (leaderElection) {
        finished = runLeaderElection({
          ...leaderElection,
          client,
          clock: environment.clock,
          random: environment.random,
          log: environment.log,
          signal: stopping.signal,
          lead: signal => run(signal).finished,
        });
        return;
      }
      const running = run(stopping.signal);
      finished = running.finished;
      await Promise.race([running.ready, finished]);
    },
    async stop() {
      stopping.abort(new Error('the scheduler stopped'));
      await finished;
    },
    whyPending: key => why?.of(key),
  };
}

interface Running {
  readonly ready: Promise<void>;
  readonly finished: Promise<void>;
  readonly why: Why;
}

function runScheduler(options: SchedulerOptions, meters: Meters, signal: AbortSignal): Running {
  const { environment, client, configuration = {} } = options;
  const { clock, random, log } = environment;
  const informers = createInformerFactory(client, { ...environment, freeze: options.freeze ?? false });
  const sources = createSources(informers);
  const cache = createCache(sources.lookup);
  const nominations = createNominations();
  const waiting = createWaitingPods(clock);
  const recorderFor = recorders(options, signal);
  const handle = {
    clock,
    random,
    log,
    client,
    lookup: sources.lookup,
    recorder: recorderFor('default-scheduler'),
    waitingPods: waiting,
  };
  const profiles = buildProfiles(configuration, [...builtInPlugins, ...(options.plugins ?? [])], handle);
  const profileOf = (pod: Pod): Profile | undefined => profiles.get(pod.spec.schedulerName || 'default-scheduler');
  const queue = createQueue({
    clock,
    less: (a, b) => (profileOf(a.info.pod) ?? firstOf(profiles)).queueSort.less?.(a, b) ?? false,
    profileOf: info => profileOf(info.pod),
    initialBackoffMs: (configuration.podInitialBackoffSeconds ?? 1) * 1000,
    maxBackoffMs: (configuration.podMaxBackoffSeconds ?? 10) * 1000,
    onDue: () => loop.nudge(),
    onIncoming: meters.incoming,
  });
  meters.observe(queue, cache);
  const attempts = new Map<string, Attempt>();
  const why = createWhy({ queue, attempts });
  const loop = createLoop({
    environment,
    client,
    cache,
    queue,
    nominations,
    profiles,
    waiting,
    meters,
    recorderFor,
    signal,
    extenders: (configuration.extenders ?? []).map(e => createExtender(e, options.extenderCall ?? noExtenders)),
    onUnschedulable: attempt => attempts.set(attempt.pod.key, attempt),
  });
  const disconnect = connect(sources, {
    cache,
    queue,
    nominations,
    isMine: pod => profileOf(pod) !== undefined,
    onPodGone: key => attempts.delete(key),
    onNamespaceLabels: () => cache.namespacesChanged(),
  });
  informers.start(signal);
  const ready = sources.synced();
  const work = async () => {
    await Promise.race([ready, aborted(signal)]);
    if (!signal.aborted) await loop.run();
  };
  const finished = work()
    .catch(error => log.error('The scheduler failed', { error: messageOf(error) }))
    .finally(() => {
      disconnect();
      queue.close();
    });
  return { ready, finished, why };
}

function firstOf(profiles: ReadonlyMap<string, Profile>): Profile {
  const [first] = profiles.values();
  if (!first) throw new Error('no profile');
  return first;
}

const noExtenders: ExtenderCall = async () => {
  throw new Error('this scheduler was started without a way to call extenders');
};

/** One recorder per scheduler name: it is the source of the events. */
function recorders({ environment, client }: SchedulerOptions, signal: AbortSignal): (name: string) => EventRecorder {
  const known = new Map<string, EventRecorder>();
  return name => {
    let recorder = known.get(name);
    if (!recorder) {
      recorder = createEventRecorder({
        client,
        clock: environment.clock,
        log: environment.log,
        component: name,
        signal,
      });
      known.set(name, recorder);
    }
    return recorder;
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}
