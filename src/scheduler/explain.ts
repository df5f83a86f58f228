/**
 * Answers "why is it pending?" from outside the scheduler: reads the cluster's present state through the API and runs the same pure cycle on it.
 * The answer is about now, not about the scheduler's last attempt; both agree unless something changed since. What only the scheduler's memory
 * holds (pods it has placed and not written yet, pods that wait at Permit, answers of extenders) is not in it.
 */
import { keyOf, splitKey } from '../api/object.ts';
import type { Pod } from '../api/types/core-v1.ts';
import { isNotFound } from '../base/errors.ts';
import type { Client, EventRecorder } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
import { createCache } from './cache.ts';
import { buildProfiles } from './config/profiles.ts';
import type { SchedulerConfiguration } from './config/types.ts';
import { type CycleInput, choose, findFeasible } from './cycle/cycle.ts';
import { createEvaluations } from './cycle/evaluations.ts';
import { fitMessage } from './cycle/message.ts';
import { runPostFilters } from './cycle/post-filter.ts';
import type { Profile } from './cycle/profile.ts';
import type { PluginFactory } from './framework/plugin.ts';
import { type PodInfo, podInfoOf } from './framework/pod-info.ts';
import { builtInPlugins } from './plugins/index.ts';
import { createNominations } from './queue/nominations.ts';
import { type Lookup, lookedUp, lookupOver } from './snapshot/lookup.ts';
import { createWaitingPods } from './waiting-pods.ts';
import { type PendingReport, reportOf } from './why.ts';

export interface ExplainOptions {
  readonly environment: Environment;
  readonly client: Client;
  /** The scheduler's, so that the same profile is asked. */
  readonly configuration?: SchedulerConfiguration;
  readonly plugins?: readonly PluginFactory[];
}

export type Explanation =
  | { readonly kind: 'pending'; readonly report: PendingReport }
  /** It would be placed: the scheduler does not run, or has not come to it yet. */
  | { readonly kind: 'fits'; readonly node: string; readonly feasible: number; readonly scores: readonly NodeScore[] }
  | { readonly kind: 'assigned'; readonly node: string }
  | { readonly kind: 'foreign'; readonly schedulerName: string };

export interface NodeScore {
  readonly node: string;
  readonly total: number;
  /** Weighted, by plugin. */
  readonly plugins: Readonly<Record<string, number>>;
}

/** @throws ApiError when the pod does not exist or the cluster cannot be read. */
export async function explainPod(options: ExplainOptions, key: string): Promise<Explanation> {
  const { client } = options;
  const { namespace, name } = splitKey(key);
  const pod = await client.pods(namespace).get(name);
  if (pod.spec.nodeName) return { kind: 'assigned', node: pod.spec.nodeName };
  const lookup = await readLookup(client);
  const schedulerName = pod.spec.schedulerName ?? 'default-scheduler';
  const profile = profilesFor(options, lookup).get(schedulerName);
  if (!profile) return { kind: 'foreign', schedulerName };
  const info = podInfoOf(pod);
  for (const plugin of profile.preEnqueue) {
    const gate = plugin.preEnqueue?.(info);
    if (!gate) continue;
    const message = gate.reasons.join(', ');
    const base = { pod: key, schedulerName, place: 'gated' as const, attempts: 0, message };
    return { kind: 'pending', report: { ...base, rejection: { ...gate }, nodes: [], summary: [] } };
  }
  return attempt(options, profile, info, await readCluster(client, lookup, key));
}

function profilesFor({ configuration = {}, plugins = [], environment, client }: ExplainOptions, lookup: Lookup) {
  const { clock, random, log } = environment;
  const recorder: EventRecorder = { event: () => undefined };
  const waitingPods = createWaitingPods(clock);
  const handle = { clock, random, log, client, lookup, recorder, waitingPods };
  return buildProfiles(configuration, [...builtInPlugins, ...plugins], handle);
}

interface Read {
  readonly cache: ReturnType<typeof createCache>;
  readonly nominations: ReturnType<typeof createNominations>;
}

async function readCluster(client: Client, lookup: Lookup, key: string): Promise<Read> {
  const [nodes, pods] = await Promise.all([client.nodes().list(), client.pods().list()]);
  const cache = createCache(lookup);
  const nominations = createNominations();
  for (const node of nodes.items) cache.setNode(node);
  for (const pod of pods.items.filter(isActive)) {
    if (pod.spec.nodeName) cache.setPod(pod);
    else if (pod.status?.nominatedNodeName && keyOf(pod) !== key)
      nominations.set(podInfoOf(pod), pod.status.nominatedNodeName);
  }
  return { cache, nominations };
}
const isActive = ({ status }: Pod) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed';

async function readLookup(client: Client): Promise<Lookup> {
  const lists = await Promise.all(
    lookedUp.map(async resource => {
      const { items } = await client
        .resource(resource)
        .list()
        .catch((error: unknown) => {
          // A server without the group has no objects of it.
          if (isNotFound(error)) return { items: [] };
          throw error;
        });
      return [resource, items] as const;
    }),
  );
  return lookupOver(Object.fromEntries(lists) as Parameters<typeof lookupOver>[0]);
}

function attempt({ environment }: ExplainOptions, profile: Profile, info: PodInfo, read: Read): Explanation {
  const snapshot = read.cache.snapshot();
  const input: CycleInput = {
    profile,
    snapshot,
    pod: info,
    start: 0,
    random: environment.random,
    evaluations: createEvaluations(),
    nominated: read.nominations.on,
    hasNominations: read.nominations.size > 0,
    allNodes: true,
    details: true,
  };
  const found = findFeasible(input);
  const choice = choose(input, found);
  if (choice) {
    const scores = found.nodes.map((node, i) => ({
      node: node.name,
      total: choice.totals[i] ?? 0,
      plugins: Object.fromEntries(choice.scores.map(s => [s.plugin, s.weight * (s.scores[i] ?? 0)])),
    }));
    scores.sort((a, b) => b.total - a.total);
    return { kind: 'fits', node: choice.node.name, feasible: found.nodes.length, scores };
  }
  const outcome = runPostFilters(input, found);
  const message = fitMessage(found.diagnosis, outcome.message);
  const report = reportOf({
    pod: info,
    at: environment.clock.now(),
    profile,
    diagnosis: found.diagnosis,
    nodeNames: snapshot.nodes.map(n => n?.name),
    message,
  });
  const schedulerName = profile.schedulerName;
  const { room } = outcome;
  const preemption = room && { node: room.node, victims: room.evict.victims.map(v => v.key) };
  const base = { pod: info.key, schedulerName, place: 'unschedulable' as const, attempts: 0 };
  return { kind: 'pending', report: { ...base, ...report, ...(preemption && { preemption }) } };
}
