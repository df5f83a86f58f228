import type { Pod, PodCondition } from '../../api/types/core-v1.ts';

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find(c => c.type === type);
}
export const isPodReady = (pod: Pod): boolean => podCondition(pod, 'Ready')?.status === 'True';

/** Ready for at least `minReadySeconds`. */
export function isPodAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  return isPodReady(pod) && availableInMs(pod, minReadySeconds, now) <= 0;
}

/** How long until a ready pod counts as available. Infinity for one that is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, now: number): number {
  const ready = podCondition(pod, 'Ready');
  if (ready?.status !== 'True') return Number.POSITIVE_INFINITY;
  if (minReadySeconds === 0) return 0;
  const since = ready.lastTransitionTime ? Date.parse(ready.lastTransitionTime) : Number.NaN;
  if (Number.isNaN(since)) return Number.POSITIVE_INFINITY;
  return Math.max(0, since + minReadySeconds * 1000 - now);
}

export const isFinished = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined && !isFinished(pod);
/** Counts towards its owner's replicas. */
export const isActive = (pod: Pod): boolean => !isFinished(pod) && pod.metadata.deletionTimestamp === undefined;

const phaseOrder: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };
const deletionCost = (pod: Pod): number => {
  const cost = pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? '0';
  return /^-?\d+$/.test(cost) ? Number(cost) : 0;
};
const restarts = (pod: Pod): number => {
  const sum = (list: { restartCount: number }[] | undefined) => Math.max(0, ...(list ?? []).map(s => s.restartCount));
  return sum(pod.status?.containerStatuses);
};
/** Ages are compared by magnitude, so that among pods of about one age chance decides (upstream's LogarithmicScaleDown). */
const magnitude = (time: string | undefined, now: number): number => {
  const age = time ? now - Date.parse(time) : 0;
  return age <= 0 ? 0 : Math.floor(Math.log2(age * 1e6));
};

/** Sorts pods so that those to give up first come first: upstream's ActivePodsWithRanks. `rank` counts related pods on a pod's node. */
export function deletionOrder(pods: readonly Pod[], rank: (pod: Pod) => number, now: number): Pod[] {
  const since = (pod: Pod) => podCondition(pod, 'Ready')?.lastTransitionTime;
  const order = (a: Pod, b: Pod): number =>
    Number(a.spec.nodeName !== undefined && a.spec.nodeName !== '') -
      Number(b.spec.nodeName !== undefined && b.spec.nodeName !== '') ||
    (phaseOrder[a.status?.phase ?? 'Pending'] ?? 0) - (phaseOrder[b.status?.phase ?? 'Pending'] ?? 0) ||
    Number(isPodReady(a)) - Number(isPodReady(b)) ||
    deletionCost(a) - deletionCost(b) ||
    rank(b) - rank(a) ||
    (isPodReady(a) ? magnitude(since(a), now) - magnitude(since(b), now) : 0) ||
    restarts(b) - restarts(a) ||
    magnitude(a.metadata.creationTimestamp, now) - magnitude(b.metadata.creationTimestamp, now) ||
    ((a.metadata.uid ?? '') < (b.metadata.uid ?? '') ? -1 : 1);
  return [...pods].sort(order);
}
