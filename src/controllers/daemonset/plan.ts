/** Which pods to make and to remove: pure. Rules of pkg/controller/daemon of v1.35. */
import type { DaemonSet } from '../../api/types/apps-v1.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { revisionHashLabel } from '../support/history.ts';
import { scaled } from '../support/int-or-percent.ts';
import { isPodAvailable, isPodReady } from '../support/pods.ts';
import { fitOf, targetNode } from './pods.ts';

export interface DaemonPlan {
  /** Node names. */
  readonly create: string[];
  readonly remove: Pod[];
  /** Ended pods: removed with an event, and replaced. */
  readonly ended: Pod[];
}

export const hashOfPod = (pod: Pod): string => pod.metadata.labels?.[revisionHashLabel] ?? '';
const going = (pod: Pod) => pod.metadata.deletionTimestamp !== undefined;
const ended = (pod: Pod) => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
const isRolling = (set: DaemonSet) => (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
/** Those on their node first, then by age. */
export const older = (a: Pod, b: Pod): number => Number(!a.spec.nodeName) - Number(!b.spec.nodeName) || byAge(a, b);
const byAge = (a: Pod, b: Pod) =>
  (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '')
    ? -1
    : a.metadata.creationTimestamp === b.metadata.creationTimestamp
      ? a.metadata.name < b.metadata.name
        ? -1
        : 1
      : 1;

/** How many nodes may be without an available pod, or with two, during an update. Of both, one is zero. */
function limitsOf(set: DaemonSet, desired: number): { surge: number; unavailable: number } {
  if (!isRolling(set)) return { surge: 0, unavailable: 0 };
  const { maxSurge = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const surge = desired === 0 ? 0 : (scaled(maxSurge, desired, true) ?? 0);
  const unavailable = scaled(maxUnavailable, desired, true) ?? 1;
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** Without those that have ended and are only held by a finalizer: they are in nobody's way. */
export function podsByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const out = new Map<string, Pod[]>();
  for (const pod of pods) {
    if (going(pod) && ended(pod)) continue;
    const node = targetNode(pod) ?? '';
    const known = out.get(node);
    if (known) known.push(pod);
    else out.set(node, [pod]);
  }
  return out;
}

export function planDaemons(
  set: DaemonSet,
  nodes: readonly Node[],
  pods: readonly Pod[],
  hash: string,
  now: number,
): DaemonPlan {
  const plan: DaemonPlan = { create: [], remove: [], ended: [] };
  const byNode = podsByNode(pods);
  const fits = new Map(nodes.map(node => [node.metadata.name, fitOf(set, node)]));
  const desired = [...fits.values()].filter(fit => fit.run).length;
  const limits = limitsOf(set, desired);
  for (const [node, fit] of fits) placeOn(set, node, fit, byNode.get(node) ?? [], hash, limits.surge, plan, now);
  // Pods for nodes that are gone are removed by the pod garbage collector once bound; those never bound, here.
  for (const [node, left] of byNode)
    if (!fits.has(node)) plan.remove.push(...left.filter(pod => !pod.spec.nodeName && !going(pod)));
  if (isRolling(set) && plan.create.length + plan.ended.length === 0) {
    const running = new Map(
      [...fits].filter(([, fit]) => fit.run).map(([node]) => [node, (byNode.get(node) ?? []).filter(p => !ended(p))]),
    );
    if (limits.surge > 0) rollWithSurge(set, running, hash, limits.surge, plan, now);
    else rollInPlace(set, running, hash, limits.unavailable, plan, now);
  }
  return plan;
}

function placeOn(
  set: DaemonSet,
  node: string,
  fit: { run: boolean; stay: boolean },
  pods: readonly Pod[],
  hash: string,
  surge: number,
  plan: DaemonPlan,
  now: number,
): void {
  const staying = pods.filter(pod => !going(pod));
  if (!fit.stay) {
    plan.remove.push(...staying);
    return;
  }
  plan.ended.push(...staying.filter(ended));
  if (fit.run && pods.length === 0) plan.create.push(node);
  const running = staying.filter(pod => !ended(pod)).sort(older);
  // With surge the next one need not wait until the last one is gone.
  if (surge > 0 && fit.run && pods.length > 0 && running.length === 0) plan.create.push(node);
  if (running.length <= 1) return;
  if (surge === 0) {
    plan.remove.push(...running.slice(1));
    return;
  }
  // One of each revision may stand side by side, as long as the old one is ready and until the new one is available.
  const [fresh, ...moreFresh] = running.filter(pod => hashOfPod(pod) === hash);
  const [stale, ...moreStale] = running.filter(pod => hashOfPod(pod) !== hash);
  plan.remove.push(...moreFresh, ...moreStale);
  if (!fresh || !stale) return;
  if (!isPodReady(stale) || isPodAvailable(fresh, set.spec.minReadySeconds ?? 0, now)) plan.remove.push(stale);
}

function rollInPlace(
  set: DaemonSet,
  byNode: Map<string, Pod[]>,
  hash: string,
  limit: number,
  plan: DaemonPlan,
  now: number,
): void {
  let unavailable = 0;
  const free: Pod[] = [];
  const candidates: Pod[] = [];
  for (const pods of byNode.values()) {
    const [pod] = pods.filter(p => !going(p)).sort(older);
    const available = pod !== undefined && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now);
    if (!available) unavailable += 1;
    if (!pod || hashOfPod(pod) === hash) continue;
    (available ? candidates : free).push(pod);
  }
  plan.remove.push(...free, ...candidates.slice(0, Math.max(0, limit - unavailable)));
}

function rollWithSurge(
  set: DaemonSet,
  byNode: Map<string, Pod[]>,
  hash: string,
  limit: number,
  plan: DaemonPlan,
  now: number,
): void {
  let surged = 0;
  const free: string[] = [];
  const candidates: string[] = [];
  for (const [node, pods] of byNode) {
    const live = pods.filter(p => !going(p));
    const stale = live.find(p => hashOfPod(p) !== hash);
    const fresh = live.find(p => hashOfPod(p) === hash);
    if (!stale) continue;
    if (fresh) surged += 1;
    else (isPodAvailable(stale, set.spec.minReadySeconds ?? 0, now) ? candidates : free).push(node);
  }
  plan.create.push(...free, ...candidates.slice(0, Math.max(0, limit - surged)));
}
