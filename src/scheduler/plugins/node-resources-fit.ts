import type { Node, Pod } from '../../api/types/core-v1.ts';
import { definePlugin, type EventInterest, type Plugin, type PluginFactory } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { amountOf, podRequests } from '../framework/pod-requests.ts';
import { type Rejection, rejections } from '../framework/status.ts';
import type { NodeInfo, Snapshot } from '../snapshot/snapshot.ts';
import {
  balanced,
  defaultResources,
  least,
  most,
  type ResourceWeight,
  ratio,
  type ShapePoint,
  weighted,
} from './resource-score.ts';

const name = 'NodeResourcesFit';
const reject = rejections(name);

interface FitArgs {
  ignoredResources?: readonly string[];
  ignoredResourceGroups?: readonly string[];
  scoringStrategy?: {
    type?: 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio';
    resources?: readonly Partial<ResourceWeight>[];
    requestedToCapacityRatio?: { shape?: readonly ShapePoint[] };
  };
}

const resourcesKey = ({ requests }: PodInfo): string => {
  let key = `${requests.nonZeroCpu},${requests.nonZeroMemory}`;
  for (const [resource, value] of requests.amounts) key += `,${resource}=${value}`;
  return key;
};

function insufficient(
  node: NodeInfo,
  pod: PodInfo,
  { columns }: Snapshot,
  ignored: (resource: string) => boolean,
): Rejection | undefined {
  const { row } = node;
  let reasons: string[] | undefined;
  let hopeless = false;
  if ((columns.pods[row] ?? 0) + 1 > (columns.allowedPods[row] ?? 0)) reasons = ['Too many pods'];
  for (const [resource, asked] of pod.requests.amounts) {
    const column = columns.column(resource);
    const allocatable = column.allocatable[row] ?? 0;
    if (asked <= allocatable - (column.requested[row] ?? 0) || ignored(resource)) continue;
    (reasons ??= []).push(`Insufficient ${resource}`);
    if (asked > allocatable) hopeless = true;
  }
  return reasons && reject(hopeless ? 'UnschedulableAndUnresolvable' : 'Unschedulable', ...reasons);
}

function ignoring({ ignoredResources = [], ignoredResourceGroups = [] }: FitArgs) {
  const names = new Set(ignoredResources);
  const groups = new Set(ignoredResourceGroups);
  if (names.size === 0 && groups.size === 0) return () => false;
  return (resource: string) =>
    resource.includes('/') && (names.has(resource) || groups.has(resource.slice(0, resource.indexOf('/'))));
}

function strategyOf({ scoringStrategy = {} }: FitArgs) {
  const resources = (scoringStrategy.resources ?? defaultResources).map(r => ({
    name: r.name ?? '',
    weight: r.weight || 1,
  }));
  switch (scoringStrategy.type ?? 'LeastAllocated') {
    case 'MostAllocated':
      return weighted(resources, most, { real: false, skipZero: false });
    case 'RequestedToCapacityRatio':
      return weighted(resources, ratio(scoringStrategy.requestedToCapacityRatio?.shape ?? []), {
        real: true,
        skipZero: true,
      });
    default:
      return weighted(resources, least, { real: false, skipZero: false });
  }
}

/** One event is put to every pod that waits. */
const amountsByPod = new WeakMap<Pod, ReadonlyMap<string, number>>();
function amountsOf(pod: Pod): ReadonlyMap<string, number> {
  let amounts = amountsByPod.get(pod);
  if (!amounts) {
    amounts = podRequests(pod).amounts;
    amountsByPod.set(pod, amounts);
  }
  return amounts;
}

const freesSomething = (pod: PodInfo, freed: ReadonlyMap<string, number>) =>
  pod.requests.amounts.size === 0 || [...pod.requests.amounts.keys()].some(resource => (freed.get(resource) ?? 0) > 0);

/** A node with too little of something stays so until it grows; growing pods and other nodes' changes help nobody. */
const events: readonly EventInterest[] = [
  {
    resource: 'Pod',
    actions: ['delete', 'update'],
    hint: (pod, { object, old, action }) => {
      const now = amountsOf(object as Pod);
      if (action === 'delete') return freesSomething(pod, now) ? 'queue' : 'skip';
      const before = old ? amountsOf(old as Pod) : new Map<string, number>();
      const shrunk = [...before].some(([r, value]) => (now.get(r) ?? 0) < value && pod.requests.amounts.has(r));
      return shrunk ? 'queue' : 'skip';
    },
  },
  {
    resource: 'Node',
    actions: ['add', 'update'],
    hint: (pod, { object, old }) => {
      const now = (object as Node).status?.allocatable ?? {};
      const amount = (list: Record<string, string>, r: string) => amountOf(r, list[r] ?? '0');
      for (const [r, asked] of pod.requests.amounts) if (amount(now, r) < asked) return 'skip';
      if (amount(now, 'pods') < 1) return 'skip';
      if (!old) return 'queue';
      const before = (old as Node).status?.allocatable ?? {};
      const grew = ['pods', ...pod.requests.amounts.keys()].some(r => amount(now, r) > amount(before, r));
      return grew ? 'queue' : 'skip';
    },
  },
  { resource: 'TargetPod', actions: ['update'] },
];

export const nodeResourcesFit: PluginFactory = {
  name,
  create(args: FitArgs): Plugin {
    const ignored = ignoring(args);
    const score = strategyOf(args);
    return definePlugin<undefined>({
      name,
      signature: resourcesKey,
      filter: (_state, node, pod, snapshot) => insufficient(node, pod, snapshot, ignored),
      score: (_state, node, pod, snapshot) => score(node, pod, snapshot),
      events,
    });
  },
};

/** Prefers nodes whose resources would be used evenly. */
export const nodeResourcesBalancedAllocation: PluginFactory = {
  name: 'NodeResourcesBalancedAllocation',
  create({ resources }: { resources?: readonly Partial<ResourceWeight>[] }): Plugin {
    const counted = (resources ?? defaultResources).map(r => ({ name: r.name ?? '', weight: r.weight || 1 }));
    const score = balanced(counted);
    return definePlugin<undefined, undefined>({
      name: 'NodeResourcesBalancedAllocation',
      signature: resourcesKey,
      // Pods that ask for nothing would all go to the same node.
      preScore: pod =>
        counted.every(r => (pod.requests.amounts.get(r.name) ?? 0) === 0) ? { skip: true } : { state: undefined },
      score: (_state, node, pod, snapshot) => score(node, pod, snapshot),
    });
  },
};
