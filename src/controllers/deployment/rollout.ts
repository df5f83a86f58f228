/** The arithmetic of rollouts, as functions from counts to counts. Rules of pkg/controller/deployment of v1.35. */
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import { scaled } from '../support/int-or-percent.ts';

export const replicasOf = (rs: ReplicaSet): number => rs.spec?.replicas ?? 1;
export const totalReplicas = (sets: readonly ReplicaSet[]): number => sets.reduce((n, rs) => n + replicasOf(rs), 0);
/** Pods that surely stay available: a set that was just scaled down reports, for a while, pods that are going. */
const availableOf = (rs: ReplicaSet): number => Math.min(rs.status?.availableReplicas ?? 0, replicasOf(rs));
export const desiredReplicas = (d: Deployment): number => d.spec.replicas ?? 1;
export const isRolling = (d: Deployment): boolean => (d.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';

/** Both zero would never move: one may then be unavailable (ResolveFenceposts). */
export function fenceposts(d: Deployment): { surge: number; unavailable: number } {
  const replicas = desiredReplicas(d);
  const { maxSurge = '25%', maxUnavailable = '25%' } = d.spec.strategy?.rollingUpdate ?? {};
  const surge = scaled(maxSurge, replicas, true) ?? 0;
  const unavailable = scaled(maxUnavailable, replicas, false) ?? 0;
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}
export const maxSurge = (d: Deployment): number => (isRolling(d) ? fenceposts(d).surge : 0);
export function maxUnavailable(d: Deployment): number {
  const replicas = desiredReplicas(d);
  return !isRolling(d) || replicas === 0 ? 0 : Math.min(fenceposts(d).unavailable, replicas);
}

/** A set that was told of its size may have more pods than that, until it reports. */
const isObserved = (rs: ReplicaSet): boolean => (rs.status?.observedGeneration ?? 0) >= (rs.metadata.generation ?? 0);
const mostPods = (sets: readonly ReplicaSet[]): number =>
  sets.reduce((n, rs) => n + Math.max(replicasOf(rs), rs.status?.replicas ?? 0), 0);

/**
 * What the new set should have now. Upstream counts what the sets are meant to have; counting what they still have as well keeps to
 * maxSurge also while a set is slow to give up pods.
 */
export function newSetReplicas(d: Deployment, sets: readonly ReplicaSet[], current: number): number {
  const desired = desiredReplicas(d);
  if (!isRolling(d) || current > desired) return desired;
  if (!sets.every(isObserved)) return current;
  const room = desired + maxSurge(d) - mostPods(sets);
  return room <= 0 ? current : current + Math.min(room, desired - current);
}

export interface Scaling {
  readonly set: ReplicaSet;
  readonly replicas: number;
}

/**
 * Which old sets give pods now, so that never more than maxUnavailable are missing: first those that do not serve anyway, then, oldest
 * set first, as many as are available above the minimum.
 */
export function scaleDownOld(d: Deployment, newSet: ReplicaSet, oldSets: readonly ReplicaSet[]): Scaling[] {
  const minAvailable = desiredReplicas(d) - maxUnavailable(d);
  const newUnavailable = replicasOf(newSet) - availableOf(newSet);
  const limit = totalReplicas([newSet, ...oldSets]) - minAvailable - newUnavailable;
  if (limit <= 0) return [];
  const left = new Map(oldSets.map(rs => [rs, replicasOf(rs)]));
  const oldestFirst = [...oldSets].sort(byAge);
  let given = 0;
  const take = (rs: ReplicaSet, count: number) => {
    left.set(rs, (left.get(rs) ?? 0) - count);
    given += count;
  };
  for (const rs of oldestFirst) take(rs, Math.min(limit - given, replicasOf(rs) - availableOf(rs)));
  const available = [newSet, ...oldSets].reduce((n, rs) => n + availableOf(rs), 0);
  let surplus = Math.min(available - minAvailable, limit - given);
  for (const rs of oldestFirst) {
    const count = Math.max(0, Math.min(surplus, left.get(rs) ?? 0));
    take(rs, count);
    surplus -= count;
  }
  return changes(left);
}

/** Spreads a change of size over the sets of a rollout in progress, by their share; the rest goes to the largest. */
export function proportional(d: Deployment, sets: readonly ReplicaSet[]): Scaling[] {
  const active = sets.filter(rs => replicasOf(rs) > 0);
  const desired = desiredReplicas(d);
  const allowed = desired > 0 ? desired + maxSurge(d) : 0;
  const change = allowed - totalReplicas(active);
  const newerFirst = change > 0 ? -1 : 1;
  const sorted = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || newerFirst * byAge(a, b));
  const sizes = new Map<ReplicaSet, number>();
  let added = 0;
  for (const rs of sorted) {
    const share = change === 0 ? 0 : proportion(d, rs, change - added);
    sizes.set(rs, replicasOf(rs) + share);
    added += share;
  }
  const [largest] = sorted;
  if (largest) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + change - added));
  return [...sizes].map(([set, replicas]) => ({ set, replicas }));
}

function proportion(d: Deployment, rs: ReplicaSet, remaining: number): number {
  if (remaining === 0) return 0;
  const share = fraction(d, rs);
  return remaining > 0 ? Math.min(share, remaining) : Math.max(share, remaining);
}

function fraction(d: Deployment, rs: ReplicaSet): number {
  const size = replicasOf(rs);
  if (desiredReplicas(d) === 0) return -size;
  const before = Number(rs.metadata.annotations?.[maxReplicasAnnotation] ?? d.status?.replicas ?? 0);
  if (!(before > 0)) return 0;
  return Math.round((size * (desiredReplicas(d) + maxSurge(d))) / before) - size;
}

export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';

/** Older first; names decide between twins. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const [ta = '', tb = ''] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return ta < tb ? -1 : ta > tb ? 1 : a.metadata.name < b.metadata.name ? -1 : 1;
}

function changes(left: ReadonlyMap<ReplicaSet, number>): Scaling[] {
  return [...left].filter(([rs, n]) => n !== replicasOf(rs)).map(([set, replicas]) => ({ set, replicas }));
}
