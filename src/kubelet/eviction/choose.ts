/** Which pod goes when the node runs short. Pure. Upstream: pkg/kubelet/eviction/helpers.go. */
import { formatQuantity, unitsOf } from '../../api/quantity.ts';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { isStaticPod } from '../pod/names.ts';
import { podTotals } from '../pod/resources.ts';
import { amountOf, type Observation, type Signal, type Threshold } from './thresholds.ts';

export interface ContainerUse {
  name: string;
  memoryBytes: number;
  /** Its writable layer and its logs. */
  diskBytes: number;
}
export interface Candidate {
  pod: Pod;
  memoryBytes: number;
  /** Its containers and its local volumes. */
  diskBytes: number;
  inodes: number;
  processes: number;
  containers: readonly ContainerUse[];
}
const systemCritical = 2_000_000_000;
export const mayEvict = (pod: Pod): boolean => !isStaticPod(pod) && (pod.spec.priority ?? 0) < systemCritical;

export const resourceOf: Record<Signal, 'memory' | 'ephemeral-storage' | 'inodes' | 'pids'> = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'imagefs.inodesFree': 'inodes',
  'pid.available': 'pids',
};

/** What all regular containers name of a resource, in bytes. */
export function storageTotal(pod: Pod, kind: 'requests' | 'limits'): number {
  return pod.spec.containers.reduce((n, c) => n + storageOf(c, kind), 0);
}
export const storageOf = (container: Container, kind: 'requests' | 'limits'): number => {
  const text = container.resources?.[kind]?.['ephemeral-storage'];
  return text ? unitsOf(text) : 0;
};

function useOf(c: Candidate, signal: Signal): number {
  const uses = { memory: c.memoryBytes, 'ephemeral-storage': c.diskBytes, inodes: c.inodes, pids: c.processes };
  return uses[resourceOf[signal]];
}
function requestOf({ pod }: Candidate, signal: Signal): number {
  const resource = resourceOf[signal];
  if (resource === 'memory') return podTotals(pod).memoryRequest;
  return resource === 'ephemeral-storage' ? storageTotal(pod, 'requests') : 0;
}

/** Most deserving first: those above their requests, then lower priority, then the largest use above requests. */
export function rank(candidates: readonly Candidate[], signal: Signal): Candidate[] {
  const excess = (c: Candidate) => useOf(c, signal) - requestOf(c, signal);
  const priority = (c: Candidate): number => c.pod.spec.priority ?? 0;
  const within = (c: Candidate): number => (excess(c) > 0 ? 0 : 1);
  return candidates
    .filter(({ pod }) => mayEvict(pod))
    .sort((a, b) => {
      if (signal !== 'pid.available' && within(a) !== within(b)) return within(a) - within(b);
      return priority(a) - priority(b) || excess(b) - excess(a);
    });
}

/** As upstream writes a quantity of bytes: `100Mi`, `92160Ki`, `100`. */
const shown = (bytes: number) =>
  formatQuantity({ nano: BigInt(Math.floor(bytes)) * 1_000_000_000n, format: 'BinarySI' });

/** As upstream's evictionMessage. */
export function evictionMessage(threshold: Threshold, seen: Observation, chosen: Candidate): string {
  const resource = resourceOf[threshold.signal];
  const inBytes = resource === 'memory' || resource === 'ephemeral-storage';
  const show = inBytes ? shown : (n: number) => String(Math.floor(n));
  const limit = amountOf(threshold, seen.capacity);
  const base = `The node was low on resource: ${resource}. Threshold quantity: ${show(limit)}, available: ${show(seen.available)}. `;
  if (!inBytes) return base;
  const parts = chosen.containers.map(use => {
    const used = resource === 'memory' ? use.memoryBytes : use.diskBytes;
    const requests = chosen.pod.spec.containers.find(c => c.name === use.name)?.resources?.requests ?? {};
    const request = unitsOf(requests[resource] ?? '0');
    if (used <= request) return '';
    return `Container ${use.name} was using ${shown(used)}, request is ${shown(request)}, has larger consumption of ${resource}. `;
  });
  return base + parts.join('');
}
