/** The arithmetic of disruption budgets (pkg/controller/disruption of v1.35). Pure. */
import type { Pod } from '../../api/types/core-v1.ts';
import type { PodDisruptionBudget } from '../../api/types/policy-v1.ts';
import { scaled } from '../support/int-or-percent.ts';
import { isPodReady, podCondition } from '../support/pods.ts';

/** So long a pod whose eviction was granted may take to be deleted (upstream's DeletionTimeout). */
const deletionTimeoutMs = 120_000;
/** So long a DisruptionTarget condition may stand on a pod that is not being deleted. */
const staleConditionMs = 120_000;

/** Is the number of pods that should exist asked of their controllers? Else the pods that there are count. */
export const needsScale = ({ spec }: PodDisruptionBudget): boolean =>
  spec.maxUnavailable !== undefined || typeof spec.minAvailable === 'string';

/** `expected`: pods that should exist. */
export function desiredHealthy({ spec }: PodDisruptionBudget, expected: number): number {
  if (spec.maxUnavailable !== undefined)
    return Math.max(0, expected - (scaled(spec.maxUnavailable, expected, true) ?? 0));
  return spec.minAvailable === undefined ? 0 : (scaled(spec.minAvailable, expected, true) ?? 0);
}

export interface Disrupted {
  /** Granted evictions that may still happen. */
  readonly pods: Record<string, string>;
  /** Pods that were to be deleted and were not. */
  readonly overdue: readonly Pod[];
  /** When the next of them is overdue, in milliseconds since the epoch. */
  readonly recheckAt: number | undefined;
}

export function disruptedPods(pods: readonly Pod[], known: Record<string, string>, now: number): Disrupted {
  const current: Record<string, string> = {};
  const overdue: Pod[] = [];
  let recheckAt: number | undefined;
  for (const pod of pods) {
    const granted = known[pod.metadata.name];
    if (pod.metadata.deletionTimestamp || granted === undefined) continue;
    const due = Date.parse(granted) + deletionTimeoutMs;
    if (due < now) {
      overdue.push(pod);
      continue;
    }
    current[pod.metadata.name] = granted;
    recheckAt = Math.min(recheckAt ?? due, due);
  }
  return { pods: current, overdue, recheckAt };
}

/** Ready, not going, and not about to be evicted. */
export function countHealthy(pods: readonly Pod[], disrupted: Record<string, string>): number {
  return pods.filter(
    pod => !pod.metadata.deletionTimestamp && disrupted[pod.metadata.name] === undefined && isPodReady(pod),
  ).length;
}

export function disruptionsAllowed(healthy: number, desired: number, expected: number): number {
  return expected <= 0 ? 0 : Math.max(0, healthy - desired);
}

/** In how many milliseconds a pod's DisruptionTarget condition is stale; undefined when it never will be. */
export function staleIn(pod: Pod, now: number): number | undefined {
  const condition = podCondition(pod, 'DisruptionTarget');
  const phase = pod.status?.phase;
  if (pod.metadata.deletionTimestamp || condition?.status !== 'True' || condition.reason === 'TerminationByKubelet')
    return undefined;
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;
  return Math.max(0, Date.parse(condition.lastTransitionTime ?? '') + staleConditionMs - now || 0);
}
