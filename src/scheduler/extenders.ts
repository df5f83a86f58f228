/** Extenders: other processes that are asked over HTTP (k8s.io/kube-scheduler/extender/v1). The HTTP client is given. */
import { messageOf } from '../base/errors.ts';
import type { ExtenderConfiguration } from './config/types.ts';
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
  readonly bind?: (pod: PodInfo, node: string, signal: AbortSignal) => Promise<void>;
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
  const { bindVerb } = config;
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
        throw new Error(`extender ${config.urlPrefix} failed: ${messageOf(error)}`);
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
