/** How a node's resources are scored (pkg/scheduler/framework/plugins/noderesources). */
import type { PodInfo } from '../framework/pod-info.ts';
import type { NodeInfo, Snapshot } from '../snapshot/snapshot.ts';
import { maxNodeScore } from './normalize.ts';

export interface ResourceWeight {
  readonly name: string;
  readonly weight: number;
}
export const defaultResources: readonly ResourceWeight[] = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
];

const isNative = (name: string) => !name.includes('/') && !name.startsWith('hugepages-');

/** Asked for with the pod, and available: "" of both when the resource does not count. `real`: without defaults for pods that ask for nothing. */
export function useOf(
  resource: string,
  node: NodeInfo,
  pod: PodInfo,
  { columns }: Snapshot,
  real: boolean,
): { requested: number; allocatable: number } {
  const { row } = node;
  const asked = pod.requests.amounts.get(resource) ?? 0;
  if (asked === 0 && !isNative(resource)) return { requested: 0, allocatable: 0 };
  const column = columns.column(resource);
  const allocatable = column.allocatable[row] ?? 0;
  if (!real && resource === 'cpu')
    return { requested: (columns.nonZeroCpu[row] ?? 0) + pod.requests.nonZeroCpu, allocatable };
  if (!real && resource === 'memory')
    return { requested: (columns.nonZeroMemory[row] ?? 0) + pod.requests.nonZeroMemory, allocatable };
  return { requested: (column.requested[row] ?? 0) + asked, allocatable };
}

type Shape = (requested: number, allocatable: number) => number;

export const least: Shape = (requested, allocatable) =>
  requested > allocatable ? 0 : Math.floor(((allocatable - requested) * maxNodeScore) / allocatable);

export const most: Shape = (requested, allocatable) =>
  Math.floor((Math.min(requested, allocatable) * maxNodeScore) / allocatable);

export interface ShapePoint {
  readonly utilization: number;
  /** 0 to 10. */
  readonly score: number;
}
/** Straight lines between the points, level outside. */
export function ratio(points: readonly ShapePoint[]): Shape {
  const scaled = points.map(({ utilization, score }) => ({ utilization, score: score * 10 }));
  const at = (p: number): number => {
    for (const [i, point] of scaled.entries()) {
      if (p > point.utilization) continue;
      const before = scaled[i - 1];
      if (!before) return point.score;
      const rise = (point.score - before.score) * (p - before.utilization);
      return before.score + Math.trunc(rise / (point.utilization - before.utilization));
    }
    return scaled.at(-1)?.score ?? 0;
  };
  return (requested, allocatable) => {
    if (allocatable === 0 || requested > allocatable) return at(maxNodeScore);
    return at(Math.floor((requested * maxNodeScore) / allocatable));
  };
}

/** The weighted mean over the resources that the node has. */
export function weighted(
  resources: readonly ResourceWeight[],
  shape: Shape,
  options: {
    real: boolean /** Zero scores do not count (RequestedToCapacityRatio), and the mean is rounded. */;
    skipZero: boolean;
  },
) {
  return (node: NodeInfo, pod: PodInfo, snapshot: Snapshot): number => {
    let sum = 0;
    let weights = 0;
    for (const { name, weight } of resources) {
      const { requested, allocatable } = useOf(name, node, pod, snapshot, options.real);
      if (allocatable === 0) continue;
      const score = shape(requested, allocatable);
      if (options.skipZero && score <= 0) continue;
      sum += score * weight;
      weights += weight;
    }
    if (weights === 0) return 0;
    return options.skipZero ? Math.round(sum / weights) : Math.floor(sum / weights);
  };
}

/** 100 when all resources are used to the same share. */
export function balanced(resources: readonly ResourceWeight[]) {
  return (node: NodeInfo, pod: PodInfo, snapshot: Snapshot): number => {
    const shares: number[] = [];
    for (const { name } of resources) {
      const { requested, allocatable } = useOf(name, node, pod, snapshot, true);
      if (allocatable !== 0) shares.push(Math.min(1, requested / allocatable));
    }
    return Math.trunc((1 - deviation(shares)) * maxNodeScore);
  };
}

function deviation(shares: readonly number[]): number {
  const [a = 0, b = 0] = shares;
  if (shares.length < 2) return 0;
  if (shares.length === 2) return Math.abs((a - b) / 2);
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return Math.sqrt(shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length);
}
