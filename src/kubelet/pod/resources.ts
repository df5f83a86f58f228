/** Requests and limits as the kernel takes them: shares, quotas, OOM scores, QoS classes. Upstream: cm/helpers_linux.go, qos/policy.go. */
import { milliValueOf, unitsOf } from '../../api/quantity.ts';
import type { Pod, ResourceRequirements } from '../../api/types/core-v1.ts';
import type { LinuxResources } from '../runtime/contract.ts';
import { type AnyContainer, isSidecar } from './names.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const minShares = 2;
const maxShares = 262_144;
const sharesPerCpu = 1024;
const quotaPeriod = 100_000;
const minQuota = 1000;

export const milliCpuToShares = (milli: number): number =>
  milli === 0 ? minShares : Math.min(maxShares, Math.max(minShares, Math.floor((milli * sharesPerCpu) / 1000)));
/** 0: no quota. */
export const milliCpuToQuota = (milli: number): number =>
  milli === 0 ? 0 : Math.max(minQuota, Math.floor((milli * quotaPeriod) / 1000));

export const cpuOf = (list: Record<string, string> | undefined): number =>
  list?.['cpu'] ? milliValueOf(list['cpu']) : 0;
export const memoryOf = (list: Record<string, string> | undefined): number =>
  list?.['memory'] ? unitsOf(list['memory']) : 0;

export function qosClass(pod: Pod): QosClass {
  const set = pod.status?.qosClass;
  if (set) return set as QosClass;
  const requirements = pod.spec.resources
    ? [pod.spec.resources]
    : [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(c => c.resources ?? {});
  const positive = (list: Record<string, string> | undefined) => cpuOf(list) > 0 || memoryOf(list) > 0;
  if (!requirements.some(r => positive(r.requests) || positive(r.limits))) return 'BestEffort';
  return requirements.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

function isGuaranteed({ requests, limits }: ResourceRequirements): boolean {
  const cpu = cpuOf(limits);
  const memory = memoryOf(limits);
  if (cpu === 0 || memory === 0) return false;
  const sameCpu = !requests?.['cpu'] || cpuOf(requests) === cpu;
  return sameCpu && (!requests?.['memory'] || memoryOf(requests) === memory);
}

/** Guaranteed −997, BestEffort 1000, Burstable between, by its share of the node's memory. */
export function oomScoreAdj(pod: Pod, container: AnyContainer, nodeMemory: number): number {
  if (pod.spec.priorityClassName === 'system-node-critical') return -997;
  const qos = qosClass(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort' || nodeMemory === 0) return 1000;
  const adjusted = 1000 - Math.floor((1000 * memoryOf(container.resources?.requests)) / nodeMemory);
  return Math.max(1000 - 997, Math.min(999, adjusted));
}

export function containerResources(pod: Pod, container: AnyContainer, nodeMemory: number): LinuxResources {
  const { requests, limits } = container.resources ?? {};
  const limitCpu = cpuOf(limits);
  const limitMemory = memoryOf(limits);
  return {
    cpuPeriod: quotaPeriod,
    ...(limitCpu > 0 && { cpuQuota: milliCpuToQuota(limitCpu) }),
    cpuShares: milliCpuToShares(requests?.['cpu'] === undefined ? limitCpu : cpuOf(requests)),
    ...(limitMemory > 0 && { memoryLimitInBytes: limitMemory }),
    oomScoreAdj: oomScoreAdj(pod, container, nodeMemory),
    ...hugePages(limits),
  };
}

/** `hugepages-2Mi` is what the kernel calls 2MB. */
function hugePages(limits: Record<string, string> = {}): Pick<LinuxResources, 'hugepageLimits'> {
  const found = Object.entries(limits).flatMap(([name, amount]) => {
    const [, number, unit] = /^hugepages-(\d+)([KMG])i$/.exec(name) ?? [];
    return number === undefined ? [] : [{ pageSize: `${number}${unit}B`, limit: unitsOf(amount) }];
  });
  return found.length > 0 ? { hugepageLimits: found } : {};
}

export interface PodTotals {
  cpuRequest: number;
  memoryRequest: number;
  /** 0 when a container has none. */
  cpuLimit: number;
  memoryLimit: number;
}

/** What a pod needs: its containers and sidecars together, or an init container with the sidecars before it if that is more. */
export function podTotals(pod: Pod): PodTotals {
  const total = (pick: (r: ResourceRequirements) => number, bounded: boolean): number => {
    const own = pod.spec.resources ? pick(pod.spec.resources) : 0;
    if (own > 0) return own;
    const values = pod.spec.containers.map(c => pick(c.resources ?? {}));
    let sidecars = 0;
    let peak = 0;
    for (const c of pod.spec.initContainers ?? []) {
      const value = pick(c.resources ?? {});
      if (bounded && value === 0) return 0;
      if (isSidecar(c)) sidecars += value;
      peak = Math.max(peak, isSidecar(c) ? sidecars : sidecars + value);
    }
    if (bounded && values.some(v => v === 0)) return 0;
    return Math.max(peak, sidecars + values.reduce((a, b) => a + b, 0));
  };
  const overhead = pod.spec.overhead;
  const add = (value: number, extra: number) => (value === 0 ? 0 : value + extra);
  return {
    cpuRequest:
      total(r => (r.requests?.['cpu'] === undefined ? cpuOf(r.limits) : cpuOf(r.requests)), false) + cpuOf(overhead),
    memoryRequest:
      total(r => (r.requests?.['memory'] === undefined ? memoryOf(r.limits) : memoryOf(r.requests)), false) +
      memoryOf(overhead),
    cpuLimit: add(
      total(r => cpuOf(r.limits), true),
      cpuOf(overhead),
    ),
    memoryLimit: add(
      total(r => memoryOf(r.limits), true),
      memoryOf(overhead),
    ),
  };
}

const resizable = ['cpu', 'memory'] as const;
const amountOf = (name: 'cpu' | 'memory', list: Record<string, string> | undefined) =>
  name === 'cpu' ? cpuOf(list) : memoryOf(list);
const sameResource = (name: 'cpu' | 'memory', a: ResourceRequirements, b: ResourceRequirements) =>
  amountOf(name, a.limits) === amountOf(name, b.limits) && amountOf(name, a.requests) === amountOf(name, b.requests);

export function sameResources(a: ResourceRequirements, b: ResourceRequirements): boolean {
  return resizable.every(name => sameResource(name, a, b));
}

/** Whether a changed resource's resize policy wants the container restarted. */
export function needsRestart(container: AnyContainer, before: ResourceRequirements): boolean {
  return resizable.some(name => {
    const policy = container.resizePolicy?.find(p => p.resourceName === name)?.restartPolicy;
    return policy === 'RestartContainer' && !sameResource(name, before, container.resources ?? {});
  });
}
