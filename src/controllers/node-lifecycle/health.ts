/** Node health as functions of what was last heard (pkg/controller/nodelifecycle of upstream). Pure. */
import type { Lease, Node, NodeCondition, Taint } from '../../api/types/index.ts';

export const taintKeys = {
  notReady: 'node.kubernetes.io/not-ready',
  unreachable: 'node.kubernetes.io/unreachable',
  unschedulable: 'node.kubernetes.io/unschedulable',
  memoryPressure: 'node.kubernetes.io/memory-pressure',
  diskPressure: 'node.kubernetes.io/disk-pressure',
  pidPressure: 'node.kubernetes.io/pid-pressure',
  networkUnavailable: 'node.kubernetes.io/network-unavailable',
} as const;

/** What was seen of a node's heartbeat: a text that changes with each one, and when this controller saw it change. */
export interface Heartbeat {
  readonly beat: string;
  readonly seenAt: number;
}

/** A text that changes with each sign of life: the lease's renewal or a status update. */
export function beatOf(node: Node, lease: Lease | undefined): string {
  const heard = node.status?.conditions?.find(c => c.type === 'Ready')?.lastHeartbeatTime ?? '';
  return `${lease?.spec?.renewTime ?? ''} ${heard}`;
}

const reported: readonly string[] = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** Conditions of a node that fell silent: all Unknown. Undefined when they are so already. */
export function silentConditions(node: Node, now: string): NodeCondition[] | undefined {
  const present = node.status?.conditions ?? [];
  let changed = false;
  const next = present.map(condition => {
    if (!reported.includes(condition.type) || condition.status === 'Unknown') return condition;
    changed = true;
    return {
      ...condition,
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
      lastTransitionTime: now,
    };
  });
  for (const type of reported) {
    if (present.some(c => c.type === type)) continue;
    changed = true;
    const created = node.metadata.creationTimestamp;
    next.push({
      type,
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
      lastTransitionTime: now,
      ...(created !== undefined && { lastHeartbeatTime: created }),
    });
  }
  return changed ? next : undefined;
}

export function readyStatus(node: Node): 'True' | 'False' | 'Unknown' {
  const status = node.status?.conditions?.find(c => c.type === 'Ready')?.status;
  return status === 'True' || status === 'False' ? status : 'Unknown';
}

const conditionTaints: readonly { condition: string; status: string; key: string }[] = [
  { condition: 'Ready', status: 'False', key: taintKeys.notReady },
  { condition: 'Ready', status: 'Unknown', key: taintKeys.unreachable },
  { condition: 'MemoryPressure', status: 'True', key: taintKeys.memoryPressure },
  { condition: 'DiskPressure', status: 'True', key: taintKeys.diskPressure },
  { condition: 'PIDPressure', status: 'True', key: taintKeys.pidPressure },
  { condition: 'NetworkUnavailable', status: 'True', key: taintKeys.networkUnavailable },
];
const ownKeys = new Set<string>(Object.values(taintKeys));

/** Whether the pods of a node that is not ready are to go: at once; not yet, if the node is not tainted already; or not at all. */
export type Eviction = 'now' | 'later' | 'never';

/**
 * The taints a node should have: those that others set, NoSchedule by its conditions, and NoExecute while it is not ready and its pods are to
 * go. Times of taints that stay are kept. Undefined when nothing changes.
 */
export function wantedTaints(node: Node, eviction: Eviction, now: string): Taint[] | undefined {
  const present = node.spec.taints ?? [];
  const conditions = new Map((node.status?.conditions ?? []).map(c => [c.type, c.status]));
  const keys: { key: string; effect: string }[] = conditionTaints
    .filter(t => (conditions.get(t.condition) ?? (t.condition === 'Ready' ? 'Unknown' : '')) === t.status)
    .map(t => ({ key: t.key, effect: 'NoSchedule' }));
  if (node.spec.unschedulable) keys.push({ key: taintKeys.unschedulable, effect: 'NoSchedule' });
  const ready = readyStatus(node);
  if (ready !== 'True') {
    const key = ready === 'False' ? taintKeys.notReady : taintKeys.unreachable;
    const isTainted = present.some(t => t.key === key && t.effect === 'NoExecute');
    if (eviction === 'now' || (eviction === 'later' && isTainted)) keys.push({ key, effect: 'NoExecute' });
  }
  const isOwn = (taint: Taint) =>
    ownKeys.has(taint.key) && (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute');
  const kept = present.filter(t => !isOwn(t));
  const own = keys.map(
    ({ key, effect }) => present.find(t => t.key === key && t.effect === effect) ?? { key, effect, timeAdded: now },
  );
  const next = [...kept, ...own];
  const same = next.length === present.length && next.every(t => present.includes(t));
  return same ? undefined : next;
}

/** How much of a zone is down, which decides how fast pods are evicted from it. */
export type ZoneState = 'normal' | 'partial' | 'full';

export function zoneState(ready: number, notReady: number, unhealthyThreshold = 0.55): ZoneState {
  if (ready === 0 && notReady > 0) return 'full';
  if (notReady > 2 && notReady / (notReady + ready) >= unhealthyThreshold) return 'partial';
  return 'normal';
}
