/** Which pod goes when the node runs short. Pure. Upstream: pkg/kubelet/eviction/helpers.go. */
import type { Pod } from '../../api/types/core-v1.ts';
import { isStaticPod } from '../pod/names.ts';
import { podTotals } from '../pod/resources.ts';

export type Signal = 'memory.available' | 'nodefs.available' | 'nodefs.inodesFree' | 'pid.available';
export interface Threshold {
  signal: Signal;
  /** Less than this, absolute or as a share of the capacity, is pressure. */
  quantity?: number;
  share?: number;
}
/** Upstream's hard defaults; `imagefs` is the same file system here. */
export const defaultThresholds: readonly Threshold[] = [
  { signal: 'memory.available', quantity: 100 * 2 ** 20 },
  { signal: 'nodefs.available', share: 0.1 },
  { signal: 'nodefs.inodesFree', share: 0.05 },
  { signal: 'pid.available', share: 0.02 },
];

export interface Observation {
  available: number;
  capacity: number;
}
export const isBelow = ({ quantity, share }: Threshold, { available, capacity }: Observation): boolean =>
  capacity > 0 && available < (quantity ?? (share ?? 0) * capacity);

export interface Candidate {
  pod: Pod;
  memoryBytes: number;
  diskBytes: number;
  processes: number;
}
const systemCritical = 2_000_000_000;

/** Most deserving first: those above their requests, then lower priority, then the largest use above requests. */
export function rank(candidates: readonly Candidate[], signal: Signal): Candidate[] {
  const use = (c: Candidate): number =>
    signal === 'memory.available' ? c.memoryBytes : signal === 'pid.available' ? c.processes : c.diskBytes;
  const request = (c: Candidate): number => (signal === 'memory.available' ? podTotals(c.pod).memoryRequest : 0);
  const priority = (c: Candidate): number => c.pod.spec.priority ?? 0;
  const exceeds = (c: Candidate): number => (use(c) > request(c) ? 0 : 1);
  return candidates
    .filter(({ pod }) => !isStaticPod(pod) && (pod.spec.priority ?? 0) < systemCritical)
    .sort((a, b) => {
      if (signal !== 'pid.available' && exceeds(a) !== exceeds(b)) return exceeds(a) - exceeds(b);
      if (priority(a) !== priority(b)) return priority(a) - priority(b);
      return use(b) - request(b) - (use(a) - request(a));
    });
}

const resourceNames: Record<Signal, string> = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'pid.available': 'pids',
};
const kibibytes = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`;

/** As upstream's evictionMessage. */
export function evictionMessage(signal: Signal, threshold: Threshold, seen: Observation, chosen: Candidate): string {
  const limit = threshold.quantity ?? (threshold.share ?? 0) * seen.capacity;
  const show =
    signal.endsWith('available') && signal !== 'pid.available' ? kibibytes : (n: number) => String(Math.floor(n));
  const base = `The node was low on resource: ${resourceNames[signal]}. Threshold quantity: ${show(limit)}, available: ${show(seen.available)}. `;
  if (signal !== 'memory.available') return base;
  const containers = chosen.pod.spec.containers.map(c => c.name).join(', ');
  const request = podTotals(chosen.pod).memoryRequest;
  return `${base}Container ${containers} was using ${kibibytes(chosen.memoryBytes)}, request is ${request === 0 ? '0' : kibibytes(request)}, has larger consumption of memory. `;
}
