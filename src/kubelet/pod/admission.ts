/** The kubelet's own word on whether a pod may run here. Upstream: lifecycle/predicate.go, eviction's Admit. */

import { milliValueOf, unitsOf } from '../../api/quantity.ts';
import type { Pod, Toleration } from '../../api/types/core-v1.ts';
import type { Pressure } from '../node/node-object.ts';
import { isSidecar, isStaticPod } from './names.ts';
import { podTotals, qosClass } from './resources.ts';

export interface NodeRoom {
  allocatable: Record<string, string>;
  labels: Record<string, string>;
  pressure: Pressure;
}
export interface Refusal {
  reason: string;
  message: string;
  /** More than the whole node has. */
  impossible?: boolean;
}

const systemCritical = 2_000_000_000;
const isCritical = (pod: Pod) => isStaticPod(pod) || (pod.spec.priority ?? 0) >= systemCritical;
const active = (pod: Pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';

export function admitPod(pod: Pod, others: readonly Pod[], room: NodeRoom): Refusal | undefined {
  return (
    refuseByPressure(pod, room.pressure) ??
    refuseByResources(pod, others.filter(active), room) ??
    refuseByPorts(pod, others.filter(active)) ??
    refuseBySelector(pod, room)
  );
}

function tolerates(list: readonly Toleration[] | undefined, key: string): boolean {
  return (list ?? []).some(t => (!t.key || t.key === key) && (!t.effect || t.effect === 'NoSchedule'));
}

function refuseByPressure(pod: Pod, { memory, disk, pid }: Pressure): Refusal | undefined {
  if (isCritical(pod)) return undefined;
  const refusal = (condition: string) => ({
    reason: 'Evicted',
    message: `The node had condition: [${condition}]. `,
  });
  if (disk) return refusal('DiskPressure');
  if (pid) return refusal('PIDPressure');
  if (!memory) return undefined;
  const spared =
    qosClass(pod) !== 'BestEffort' || tolerates(pod.spec.tolerations, 'node.kubernetes.io/memory-pressure');
  return spared ? undefined : refusal('MemoryPressure');
}

function refuseByResources(pod: Pod, others: readonly Pod[], { allocatable }: NodeRoom): Refusal | undefined {
  const short = (resource: string, requested: number, used: number, capacity: number): Refusal => ({
    reason: `OutOf${resource}`,
    message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
    impossible: requested > capacity,
  });
  const maxPods = unitsOf(allocatable['pods'] ?? '110');
  if (others.length + 1 > maxPods) return short('pods', 1, others.length, maxPods);
  const own = podTotals(pod);
  const sum = (pick: (t: ReturnType<typeof podTotals>) => number) => others.reduce((n, o) => n + pick(podTotals(o)), 0);
  if (own.cpuRequest > 0) {
    const [used, capacity] = [sum(t => t.cpuRequest), milliValueOf(allocatable['cpu'] ?? '0')];
    if (used + own.cpuRequest > capacity) return short('cpu', own.cpuRequest, used, capacity);
  }
  if (own.memoryRequest > 0) {
    const [used, capacity] = [sum(t => t.memoryRequest), unitsOf(allocatable['memory'] ?? '0')];
    if (used + own.memoryRequest > capacity) return short('memory', own.memoryRequest, used, capacity);
  }
  return undefined;
}

const hostPorts = ({ spec }: Pod) =>
  [...spec.containers, ...(spec.initContainers ?? []).filter(isSidecar)]
    .flatMap(c => c.ports ?? [])
    .filter(p => p.hostPort)
    .map(({ hostPort, hostIP, protocol = 'TCP' }) => ({ hostPort, protocol, ip: hostIP || '0.0.0.0' }));
const isAny = (ip: string) => ip === '0.0.0.0' || ip === '::';

function refuseByPorts(pod: Pod, others: readonly Pod[]): Refusal | undefined {
  const taken = others.flatMap(hostPorts);
  const clash = hostPorts(pod).some(p =>
    taken.some(
      o => o.hostPort === p.hostPort && o.protocol === p.protocol && (o.ip === p.ip || isAny(o.ip) || isAny(p.ip)),
    ),
  );
  if (!clash) return undefined;
  return {
    reason: 'NodePorts',
    message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  };
}

function refuseBySelector(pod: Pod, { labels }: NodeRoom): Refusal | undefined {
  const wanted = Object.entries(pod.spec.nodeSelector ?? {});
  if (isStaticPod(pod) || wanted.every(([k, v]) => labels[k] === v)) return undefined;
  return {
    reason: 'NodeAffinity',
    message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
  };
}
