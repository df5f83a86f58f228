/** What nodes, quotas and budgets allow. */
import { milliValueOf } from '../../../api/quantity.ts';
import type { Node, Pod, ResourceQuota } from '../../../api/types/core-v1.ts';
import type { PodDisruptionBudget } from '../../../api/types/policy-v1.ts';
import type { Invariant } from '../contract.ts';
import type { View } from '../view.ts';
import { idOf, isActive, isReady, isTerminal, podChange, recently, typed } from './support.ts';

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

/**
 * Pods count against a quota until they end, or until their grace period has passed once more after their deletion time: a silent node
 * must not keep its user from replacing them (pkg/quota/v1/evaluator/core, QuotaV1Pod). A clock that jumps back charges nobody anew.
 */
function chargedPods() {
  const lapsed = new Set<string>();
  return (view: View, namespace: string): number => {
    const isCharged = ({ metadata, status }: Pod): boolean => {
      const { uid = '', deletionTimestamp, deletionGracePeriodSeconds: grace = 0 } = metadata;
      if (status?.phase === 'Succeeded' || status?.phase === 'Failed' || lapsed.has(uid)) return false;
      if (!deletionTimestamp || view.now <= Date.parse(deletionTimestamp) + grace * 1_000) return true;
      lapsed.add(uid);
      return false;
    };
    return view.list<Pod>('pods', namespace).filter(isCharged).length;
  };
}

/** So long a request may be on its way from admission to the store. */
const underWayMs = 5_000;

/**
 * A pod is not admitted beyond a quota. Upstream's CheckRequest holds it against the use that the quota's status tells, and writes the new
 * use with a precondition, so what is admitted is exact once the use is known. The first count of a quota is made beside requests that
 * nobody holds against it, and may miss them; that many more are forgiven until the use told is right.
 */
export function podQuota(): Invariant {
  const limits = recently();
  const forgiven = new Map<string, number>();
  const knownSince = new Map<string, number>();
  const charged = chargedPods();
  const usedBy = (quota: ResourceQuota | undefined): number | undefined => {
    const used = quota?.status?.used?.['pods'];
    return used === undefined ? undefined : Number(used);
  };
  function counted(key: string, before: ResourceQuota | undefined, after: ResourceQuota, view: View): void {
    const [was, used] = [usedBy(before), usedBy(after)];
    if (used === undefined || was === used) return;
    if (was === undefined) knownSince.set(key, view.elapsed);
    // A charge is written before its pod is there.
    const missed = Math.max(0, charged(view, after.metadata.namespace ?? '') - Math.min(used, was ?? used));
    forgiven.set(key, was === undefined ? missed : Math.min(missed, forgiven.get(key) ?? 0));
  }
  return {
    name: 'no quota is exceeded',
    *onChange(change, view) {
      const { kind, key } = change;
      if (kind === 'resourcequotas') {
        const quota = change.after as ResourceQuota | undefined;
        const hard = quota?.status?.hard?.['pods'];
        if (quota) counted(key, change.before && typed<ResourceQuota>(change.before), quota, view);
        if (quota && hard !== undefined) limits.note(key, view.elapsed, Number(hard));
        else limits.forget(key);
        return;
      }
      const { before, after } = podChange(change) ?? {};
      if (before || !after) return;
      const namespace = after.metadata.namespace ?? '';
      for (const quota of view.list<ResourceQuota>('resourcequotas', namespace)) {
        const id = idOf(quota);
        const most = limits.highest(id, view.elapsed);
        const used = usedBy(quota);
        if (used === undefined || most === Number.NEGATIVE_INFINITY) continue;
        const all = charged(view, namespace);
        if (view.elapsed - (knownSince.get(id) ?? 0) < underWayMs)
          forgiven.set(id, Math.max(forgiven.get(id) ?? 0, all - used));
        const count = all - (forgiven.get(id) ?? 0);
        if (count > most) yield `${change.key} is pod ${count} in ${namespace}, where ${most} are allowed`;
        if (count > used)
          yield `${change.key} is pod ${count} in ${namespace}, of which quota ${id} was charged ${used}`;
      }
    },
    *unsettled(view) {
      for (const quota of view.list<ResourceQuota>('resourcequotas')) {
        const count = charged(view, quota.metadata.namespace ?? '');
        const used = usedBy(quota);
        if (used !== undefined && used !== count) yield `quota ${idOf(quota)} tells ${used} pods, there are ${count}`;
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
