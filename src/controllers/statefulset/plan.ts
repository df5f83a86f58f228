/** What to do next with a set's pods: pure, one step at a time. Rules of pkg/controller/statefulset/stateful_set_control.go of v1.35. */
import type { StatefulSet } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { revisionHashLabel } from '../support/history.ts';
import { scaled } from '../support/int-or-percent.ts';
import { isPodAvailable, isPodReady } from '../support/pods.ts';
import { firstOrdinal, identityMatches, inRange, ordinalOf, replicasOf } from './identity.ts';

export interface Revisions {
  /** Names. */
  readonly current: string;
  readonly update: string;
}
export interface Step {
  /** Ordinals to make, with the revision to make them at. */
  readonly create: readonly { ordinal: number; revision: string }[];
  readonly remove: readonly Pod[];
  readonly fix: readonly Pod[];
}

interface Mutable extends Step {
  readonly create: { ordinal: number; revision: string }[];
  readonly remove: Pod[];
  readonly fix: Pod[];
}

export const revisionOf = (pod: Pod): string => pod.metadata.labels?.[revisionHashLabel] ?? '';
const terminating = (pod: Pod) => pod.metadata.deletionTimestamp !== undefined;
const isParallel = (set: StatefulSet) => set.spec.podManagementPolicy === 'Parallel';
const finished = (pod: Pod) => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';

/** How many ordinals, from the first, an update leaves alone. */
function partitionOf(set: StatefulSet): number {
  return set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
}

/** Which revision a missing ordinal gets: those below the partition, and those that had not been updated, the current one. */
function revisionFor(set: StatefulSet, revisions: Revisions, ordinal: number): string {
  const type = set.spec.updateStrategy?.type ?? 'RollingUpdate';
  if (type !== 'RollingUpdate') return revisions.update;
  const start = firstOrdinal(set);
  const current = set.status?.currentReplicas ?? 0;
  const noPartition = set.spec.updateStrategy?.rollingUpdate?.partition === undefined;
  const keepsCurrent = noPartition ? ordinal < start + current : ordinal < start + partitionOf(set);
  return keepsCurrent ? revisions.current : revisions.update;
}

export function planStep(set: StatefulSet, pods: readonly Pod[], revisions: Revisions, now: number): Step {
  const byOrdinal = new Map(pods.map(pod => [ordinalOf(set, pod), pod]));
  const step: Mutable = { create: [], remove: [], fix: [] };
  const start = firstOrdinal(set);
  for (let ordinal = start; ordinal < start + replicasOf(set); ordinal++) {
    if (!bringUp(set, byOrdinal.get(ordinal), ordinal, revisions, now, step) && !isParallel(set)) return step;
  }
  if (!condemn(set, pods, now, step)) return step;
  if (step.create.length > 0 || step.remove.some(finished)) return step;
  updateNext(set, byOrdinal, revisions, now, step);
  return step;
}

/** False when the ordinals after this one have to wait for it. */
function bringUp(
  set: StatefulSet,
  pod: Pod | undefined,
  ordinal: number,
  revisions: Revisions,
  now: number,
  step: Mutable,
): boolean {
  if (!pod) {
    step.create.push({ ordinal, revision: revisionFor(set, revisions, ordinal) });
    return false;
  }
  if (finished(pod)) {
    if (!terminating(pod)) step.remove.push(pod);
    return false;
  }
  if (terminating(pod)) return false;
  if (!identityMatches(set, pod)) step.fix.push(pod);
  return isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now);
}

/** Pods beyond the size go, highest first, one at a time unless parallel. False: the update has to wait. */
function condemn(set: StatefulSet, pods: readonly Pod[], now: number, step: { remove: Pod[] }): boolean {
  const surplus = pods
    .filter(pod => !inRange(set, ordinalOf(set, pod)))
    .sort((a, b) => ordinalOf(set, b) - ordinalOf(set, a));
  if (surplus.length === 0) return true;
  if (isParallel(set)) {
    step.remove.push(...surplus.filter(pod => !terminating(pod)));
    return true;
  }
  const [highest] = surplus;
  if (!highest || surplus.some(terminating)) return false;
  // As long as another pod is unhealthy, only that one may be taken.
  const unhealthy = pods.filter(
    pod => inRange(set, ordinalOf(set, pod)) && !isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now),
  );
  if (isPodReady(highest) && unhealthy.length > 0) return false;
  step.remove.push(highest);
  return false;
}

/** The highest ordinals of an old revision go, as many as may be unavailable. */
function updateNext(
  set: StatefulSet,
  byOrdinal: Map<number, Pod>,
  revisions: Revisions,
  now: number,
  step: { remove: Pod[] },
): void {
  if ((set.spec.updateStrategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return;
  const start = firstOrdinal(set);
  const replicas = replicasOf(set);
  const limit = Math.max(1, scaled(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, replicas, true) ?? 1);
  const lowest = start + partitionOf(set);
  let unavailable = 0;
  for (let o = start; o < start + replicas; o++) {
    const pod = byOrdinal.get(o);
    if (!pod || terminating(pod) || !isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now)) unavailable += 1;
  }
  for (let o = start + replicas - 1; o >= lowest; o--) {
    const pod = byOrdinal.get(o);
    if (!pod || terminating(pod)) continue;
    const available = isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now);
    if (revisionOf(pod) !== revisions.update) {
      // One that does not serve may be replaced without making anything worse.
      if (available && unavailable >= limit) return;
      if (available) unavailable += 1;
      step.remove.push(pod);
    } else if (!available && !isParallel(set) && unavailable >= limit) return;
  }
}
