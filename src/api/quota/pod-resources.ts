/** What a whole pod asks for (k8s.io/component-helpers/resource). */
import { isZeroQuantity } from '../quantity.ts';
import type { Container, PodSpec } from '../types/core-v1.ts';
import { addLists, maxLists, type ResourceList } from './resource-list.ts';

type Kind = 'requests' | 'limits';

const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';
/** Resources that may be set for the pod as a whole. */
const isPodLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

/** Sum of the containers and sidecars, or what the start needs at its worst moment, if that is more. */
function aggregate(spec: PodSpec, kind: Kind): Record<string, string> {
  const of = (container: Container): ResourceList => container.resources?.[kind] ?? {};
  let total: Record<string, string> = {};
  for (const container of spec.containers) total = addLists(total, of(container));
  let sidecars: Record<string, string> = {};
  let atStart: Record<string, string> = {};
  for (const container of spec.initContainers ?? []) {
    if (isSidecar(container)) {
      total = addLists(total, of(container));
      sidecars = addLists(sidecars, of(container));
      atStart = maxLists(atStart, sidecars);
    } else atStart = maxLists(atStart, addLists(of(container), sidecars));
  }
  return maxLists(total, atStart);
}

function withPodLevel(spec: PodSpec, kind: Kind): Record<string, string> {
  const own = Object.entries(spec.resources?.[kind] ?? {}).filter(([name]) => isPodLevel(name));
  return { ...aggregate(spec, kind), ...Object.fromEntries(own) };
}

export function podRequests(spec: PodSpec): Record<string, string> {
  return addLists(withPodLevel(spec, 'requests'), spec.overhead ?? {});
}

/** Overhead counts only where there is a limit. */
export function podLimits(spec: PodSpec): Record<string, string> {
  const limits = withPodLevel(spec, 'limits');
  const overhead = Object.entries(spec.overhead ?? {}).filter(([name]) => {
    const limit = limits[name];
    return limit !== undefined && !isZeroQuantity(limit);
  });
  return addLists(limits, Object.fromEntries(overhead));
}

/** Guaranteed, Burstable or BestEffort, by CPU and memory (pkg/apis/core/v1/helper/qos). */
export function qosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const computed = ['cpu', 'memory'];
  const positive = (list: ResourceList | undefined, name: string): string | undefined => {
    const quantity = list?.[name];
    return quantity !== undefined && !isZeroQuantity(quantity) ? quantity : undefined;
  };
  const podLevel = spec.resources?.requests ?? spec.resources?.limits;
  const holders = podLevel
    ? [spec.resources]
    : [...spec.containers, ...(spec.initContainers ?? [])].map(c => c.resources);
  const set = holders.some(r => computed.some(n => positive(r?.requests, n) ?? positive(r?.limits, n)));
  if (!set) return 'BestEffort';
  const guaranteed = holders.every(r =>
    computed.every(n => {
      const limit = positive(r?.limits, n);
      const request = positive(r?.requests, n) ?? limit;
      return limit !== undefined && request === limit;
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
