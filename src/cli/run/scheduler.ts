/** Assembles a scheduler process, or the scheduler inside another process. */
import { hostname } from 'node:os';
import { uuid } from '../../base/random.ts';
import type { Client } from '../../client/contract.ts';
import type { Environment } from '../../controller/contract.ts';
import {
  createScheduler,
  type PluginFactory,
  type Scheduler,
  type SchedulerConfiguration,
} from '../../scheduler/index.ts';
import { callExtender, parseDuration } from './scheduler-configuration.ts';

export interface SchedulerProcessOptions {
  readonly environment: Environment;
  readonly client: Client;
  readonly leaderElect: boolean;
  readonly configuration?: SchedulerConfiguration;
  /** More plugins, loaded from the modules that the configuration names. */
  readonly plugins?: readonly PluginFactory[];
}

/** Upstream's defaults, in milliseconds: 15 s, 10 s and 2 s. */
function durations({
  leaseDuration,
  renewDeadline,
  retryPeriod,
}: NonNullable<SchedulerConfiguration['leaderElection']>) {
  return {
    ...(leaseDuration !== undefined && { leaseMs: parseDuration(leaseDuration) }),
    ...(renewDeadline !== undefined && { renewDeadlineMs: parseDuration(renewDeadline) }),
    ...(retryPeriod !== undefined && { retryMs: parseDuration(retryPeriod) }),
  };
}

export function schedulerFor(options: SchedulerProcessOptions): Scheduler {
  const { environment, client, leaderElect, configuration = {}, plugins = [] } = options;
  const election = configuration.leaderElection ?? {};
  return createScheduler({
    environment,
    client,
    configuration,
    plugins,
    extenderCall: callExtender,
    ...(leaderElect && {
      leaderElection: {
        namespace: election.resourceNamespace ?? 'kube-system',
        name: election.resourceName ?? 'kube-scheduler',
        identity: `${hostname()}_${uuid(environment.random)}`,
        ...durations(election),
      },
    }),
  });
}
