/** What nodes, quotas and budgets allow. */
import { milliValueOf } from '../../../api/quantity.ts';
import type { Node, Pod, ResourceQuota } from '../../../api/types/core-v1.ts';
import type { PodDisruptionBudget } from '../../../api/types/policy-v1.ts';
import type { Invariant } from '../contract.ts';
import type { View } from '../view.ts';
import { isActive, isReady, isTerminal, podChange, recently, typed } from './support.ts';

function milliCpu(pod: Pod): number {
  const of = (c: { resources?: { requests?: Record<string, string> } }) =>
    milliValueOf(c.resources?.requests?.['cpu'] ?? '0');
  return pod.spec.containers.reduce((sum, container) => sum + of(container), 0);
}

export function freeMilliCpu(view: View, node: Node): number {
  const total = milliValueOf(node.status?.allocatable?.['cpu'] ?? '0');
  const used = view
    .list<Pod>('pods')
    .filter(pod => pod.spec.nodeName === node.metadata.name && !isTerminal(pod))
    .reduce((sum, pod) => sum + milliCpu(pod), 0);
  return total - used;
}
export const wantedMilliCpu = milliCpu;

/** The scheduler puts no more on a node than it has. */
export const nodeCapacity: Invariant = {
  name: 'no node is promised more than it has',
  *onChange(change, view) {
    const { before, after } = podChange(change) ?? {};
    if (!after?.spec.nodeName || before?.spec.nodeName) return;
    const node = view.get<Node>('nodes', after.spec.nodeName);
    if (!node?.status?.allocatable) return;
    const free = freeMilliCpu(view, node);
    if (free < -0.5) yield `${change.key} was bound to ${node.metadata.name}, which lacks ${-free} milli-CPU for it`;
  },
};

/** A pod that should be gone, but whose node is silent, costs nothing any more. */
const isCharged = (pod: Pod, now: number): boolean =>
  !isTerminal(pod) && !(Date.parse(pod.metadata.deletionTimestamp ?? '') <= now);

/** After a recount that lowered what is told as used: it may have missed a pod in the making, as upstream's may. */
const recountMs = -1;

/** A pod is not admitted beyond a quota that was there, and known to the server, before it. */
export function podQuota(): Invariant {
  const limits = recently();
  const lowered = new Map<string, number>();
  return {
    name: 'no quota is exceeded',
    *onChange(change, view) {
      const { kind, key } = change;
      if (kind === 'resourcequotas') {
        const quota = change.after as ResourceQuota | undefined;
        const hard = quota?.status?.hard?.['pods'];
        const old = change.before && typed<ResourceQuota>(change.before);
        if (Number(quota?.status?.used?.['pods']) < Number(old?.status?.used?.['pods'])) lowered.set(key, view.elapsed);
        if (quota && hard !== undefined) limits.note(key, view.elapsed, Number(hard));
        else limits.forget(key);
        return;
      }
      const { before, after } = podChange(change) ?? {};
      if (before || !after) return;
      const namespace = after.metadata.namespace ?? '';
      for (const quota of view.list<ResourceQuota>('resourcequotas', namespace)) {
        const recounted = lowered.get(`${namespace}/${quota.metadata.name}`) ?? Number.NEGATIVE_INFINITY;
        if (quota.status?.used?.['pods'] === undefined || view.elapsed - recounted < recountMs) continue;
        const most = limits.highest(`${namespace}/${quota.metadata.name}`, view.elapsed);
        const count = view.list<Pod>('pods', namespace).filter(pod => isCharged(pod, view.now)).length;
        if (count > most && most > Number.NEGATIVE_INFINITY && count > Number(quota.status.used['pods']))
          yield `${change.key} is pod ${count} in ${namespace}, where ${most} are allowed`;
      }
    },
    *unsettled(view) {
      for (const quota of view.list<ResourceQuota>('resourcequotas')) {
        const { namespace = '', name } = quota.metadata;
        const count = view.list<Pod>('pods', namespace).filter(pod => isCharged(pod, view.now)).length;
        const used = quota.status?.used?.['pods'];
        if (used !== undefined && Number(used) !== count)
          yield `quota ${namespace}/${name} tells ${used} pods, there are ${count}`;
      }
    },
  };
}

/** An eviction leaves at least what the budget asks for, by what the budget knew. */
export const budgets: Invariant = {
  name: 'evictions keep budgets',
  *onChange({ kind, key, before, after }) {
    if (kind !== 'policy/poddisruptionbudgets' || !before || !after) return;
    const [old, now] = [typed<PodDisruptionBudget>(before), typed<PodDisruptionBudget>(after)];
    if ((now.status?.disruptionsAllowed ?? 0) < 0)
      yield `budget ${key} allows ${now.status?.disruptionsAllowed} disruptions`;
    const evicted =
      Object.keys(now.status?.disruptedPods ?? {}).length > Object.keys(old.status?.disruptedPods ?? {}).length;
    if (evicted && (old.status?.disruptionsAllowed ?? 0) <= 0) yield `an eviction went past budget ${key}`;
  },
  *unsettled(view) {
    for (const budget of view.list<PodDisruptionBudget>('policy/poddisruptionbudgets')) {
      const { namespace = '', name } = budget.metadata;
      if (!budget.status?.observedGeneration) continue;
      const app = budget.spec.selector?.matchLabels?.['app'];
      const healthy = view
        .list<Pod>('pods', namespace)
        .filter(pod => pod.metadata.labels?.['app'] === app && isActive(pod) && isReady(pod)).length;
      if (budget.status.currentHealthy !== healthy)
        yield `budget ${namespace}/${name} tells of ${budget.status.currentHealthy} healthy pods, there are ${healthy}`;
    }
  },
};

export const capacityInvariants = (): readonly Invariant[] => [nodeCapacity, podQuota(), budgets];
