/** Extenders: other processes that are asked over HTTP (k8s.io/kube-scheduler/extender/v1). The HTTP client is given. */
import { messageOf } from '../base/errors.ts';
import type { ExtenderConfiguration } from './config/types.ts';
import type { Candidate } from './framework/plugin.ts';
import type { PodInfo } from './framework/pod-info.ts';
import { type Rejection, rejections } from './framework/status.ts';
import type { NodeInfo } from './snapshot/snapshot.ts';

/** POSTs JSON and gives the JSON answer; rejects when the answer is not 200. */
export type ExtenderCall = (
  extender: ExtenderConfiguration,
  url: string,
  body: unknown,
  signal: AbortSignal,
) => Promise<unknown>;

export interface Extender {
  isInterested(pod: PodInfo): boolean;
  filter(pod: PodInfo, nodes: readonly NodeInfo[], signal: AbortSignal): Promise<{ rejected: Map<number, Rejection> }>;
  /** Weighted, by node. */
  prioritize(pod: PodInfo, nodes: readonly NodeInfo[], signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /** The candidates for preemption that are left, some with fewer victims. */
  readonly preempt?: (
    pod: PodInfo,
    candidates: readonly Candidate[],
    signal: AbortSignal,
  ) => Promise<readonly Candidate[]>;
  readonly bind?: (pod: PodInfo, node: string, signal: AbortSignal) => Promise<void>;
}

interface PreemptionResult {
  nodeNameToMetaVictims?: Record<string, { pods?: { uid: string }[]; numPDBViolations?: number }>;
}

interface FilterResult {
  nodes?: { items?: { metadata: { name: string } }[] };
  nodenames?: string[];
  failedNodes?: Record<string, string>;
  failedAndUnresolvableNodes?: Record<string, string>;
  error?: string;
}

/** Scores of extenders go to 10, those of plugins to 100. */
const scale = 10;

export function createExtender(config: ExtenderConfiguration, call: ExtenderCall): Extender {
  const reject = rejections(config.urlPrefix);
  const managed = new Set((config.managedResources ?? []).map(r => r.name));
  const post = (verb: string, body: unknown, signal: AbortSignal) =>
    call(config, `${config.urlPrefix.replace(/\/+$/, '')}/${verb}`, body, signal);
  const argsOf = ({ pod }: PodInfo, nodes: readonly NodeInfo[]) => ({
    pod,
    ...(config.nodeCacheCapable
      ? { nodenames: nodes.map(n => n.name) }
      : { nodes: { apiVersion: 'v1', kind: 'NodeList', metadata: {}, items: nodes.map(n => n.node) } }),
  });
  function readFilter(result: FilterResult, nodes: readonly NodeInfo[]): Map<number, Rejection> {
    if (result.error) throw new Error(result.error);
    const kept = new Set(result.nodenames ?? result.nodes?.items?.map(n => n.metadata.name) ?? []);
    const rejected = new Map<number, Rejection>();
    for (const node of nodes) {
      const never = result.failedAndUnresolvableNodes?.[node.name];
      const no = result.failedNodes?.[node.name];
      if (never !== undefined) rejected.set(node.row, reject('UnschedulableAndUnresolvable', never));
      else if (no !== undefined) rejected.set(node.row, reject('Unschedulable', no));
      else if (!kept.has(node.name))
        rejected.set(node.row, reject('Unschedulable', 'node(s) were rejected by an extender'));
    }
    return rejected;
  }
  const { bindVerb, preemptVerb } = config;
  const failed = (error: unknown) => new Error(`extender ${config.urlPrefix} failed: ${messageOf(error)}`);
  return {
    isInterested: pod => managed.size === 0 || [...pod.requests.amounts.keys()].some(name => managed.has(name)),
    async filter(pod, nodes, signal) {
      if (!config.filterVerb) return { rejected: new Map() };
      try {
        return {
          rejected: readFilter((await post(config.filterVerb, argsOf(pod, nodes), signal)) as FilterResult, nodes),
        };
      } catch (error) {
        if (config.ignorable) return { rejected: new Map() };
        throw failed(error);
      }
    },
    async prioritize(pod, nodes, signal) {
      if (!config.prioritizeVerb) return new Map();
      try {
        const list = (await post(config.prioritizeVerb, argsOf(pod, nodes), signal)) as {
          host: string;
          score: number;
        }[];
        return new Map(list.map(({ host, score }) => [host, score * (config.weight ?? 1) * scale]));
      } catch {
        // Preferences of an extender that does not answer do not count.
        return new Map();
      }
    },
    ...(preemptVerb && {
      async preempt(pod, candidates, signal) {
        try {
          const body = { pod: pod.pod, ...victimsOf(candidates, config.nodeCacheCapable ?? false) };
          return readVictims((await post(preemptVerb, body, signal)) as PreemptionResult, candidates, config);
        } catch (error) {
          if (config.ignorable) return candidates;
          throw failed(error);
        }
      },
    }),
    ...(bindVerb && {
      async bind(pod, node, signal) {
        const { name, namespace, uid } = pod.pod.metadata;
        const body = { podName: name, podNamespace: namespace, podUID: uid, node };
        const answer = (await post(bindVerb, body, signal)) as { error?: string } | undefined;
        if (answer?.error) throw new Error(answer.error);
      },
    }),
  };
}

/** A caching extender knows the pods: their uids are enough. */
function victimsOf(candidates: readonly Candidate[], cached: boolean): object {
  const byNode = Object.fromEntries(
    candidates.map(({ node, victims, violations }) => {
      const pods = victims.map(v => (cached ? { uid: v.uid } : v.pod));
      return [node.name, { pods, numPDBViolations: violations }];
    }),
  );
  return cached ? { nodeNameToMetaVictims: byNode } : { nodeNameToVictims: byNode };
}

/** @throws when the answer names a node or a pod that does not exist, or a node without victims (unless the extender may be ignored). */
function readVictims(
  { nodeNameToMetaVictims = {} }: PreemptionResult,
  candidates: readonly Candidate[],
  { ignorable }: ExtenderConfiguration,
): Candidate[] {
  const left: Candidate[] = [];
  for (const [name, { pods = [], numPDBViolations = 0 }] of Object.entries(nodeNameToMetaVictims)) {
    const node = candidates.find(c => c.node.name === name)?.node;
    if (!node) throw new Error(`it names node "${name}", which is no candidate`);
    const byUid = new Map([...node.pods.values()].map(p => [p.uid, p]));
    const victims = pods.map(({ uid }) => {
      const victim = byUid.get(uid);
      if (!victim) throw new Error(`it preempts pod ${uid}, which is not on node "${name}"`);
      return victim;
    });
    if (victims.length > 0) left.push({ node, victims, violations: numPDBViolations });
    else if (!ignorable) throw new Error(`expected at least one victim pod on node "${name}"`);
  }
  return left;
}
