import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/types/apps-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { conditionOf, withoutCondition } from '../support/conditions.ts';
import { desiredReplicas, maxUnavailable, totalReplicas } from './rollout.ts';

type Status = DeploymentStatus;
const sum = (sets: readonly ReplicaSet[], of: (rs: ReplicaSet) => number | undefined) =>
  sets.reduce((n, rs) => n + (of(rs) ?? 0), 0);

export const hasProgressDeadline = (d: Deployment): boolean =>
  d.spec.progressDeadlineSeconds !== undefined && d.spec.progressDeadlineSeconds !== 2147483647;

/** Upstream's SetDeploymentCondition: an equal status and reason change nothing; the transition time moves with the status. */
export function setCondition(status: Status, next: DeploymentCondition, now: number): Status {
  const old = conditionOf(status.conditions, next.type);
  if (old && old.status === next.status && old.reason === next.reason) return status;
  const at = rfc3339(now);
  const lastTransitionTime = (old?.status === next.status && old.lastTransitionTime) || at;
  const made = { ...next, lastUpdateTime: at, lastTransitionTime };
  return { ...status, conditions: [...withoutCondition(status.conditions, next.type), made] };
}
function dropCondition(status: Status, type: string): Status {
  const conditions = withoutCondition(status.conditions, type);
  return conditions.length === (status.conditions?.length ?? 0) ? status : { ...status, conditions };
}
export const progressing = (
  status: 'True' | 'False' | 'Unknown',
  reason: string,
  message: string,
): DeploymentCondition => ({
  type: 'Progressing',
  status,
  reason,
  message,
});

/** Counts and availability. */
export function countedStatus(
  d: Deployment,
  sets: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  now: number,
): Status {
  const available = sum(sets, rs => rs.status?.availableReplicas);
  const status: Status = {
    ...(d.metadata.generation !== undefined && { observedGeneration: d.metadata.generation }),
    replicas: sum(sets, rs => rs.status?.replicas),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sum(sets, rs => rs.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, totalReplicas(sets) - available),
    terminatingReplicas: sum(sets, rs => rs.status?.terminatingReplicas),
    ...(d.status?.collisionCount !== undefined && { collisionCount: d.status.collisionCount }),
    conditions: d.status?.conditions ?? [],
  };
  const enough = available >= desiredReplicas(d) - maxUnavailable(d);
  const condition = enough
    ? { status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
    : {
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
  return setCondition(status, { type: 'Available', ...condition }, now);
}

/** Every pod is of the new template, and all are available. */
export function isComplete(d: Deployment, status: Status | undefined): boolean {
  const desired = desiredReplicas(d);
  return (
    (status?.updatedReplicas ?? 0) === desired &&
    (status?.replicas ?? 0) === desired &&
    (status?.availableReplicas ?? 0) === desired &&
    (status?.observedGeneration ?? 0) >= (d.metadata.generation ?? 0)
  );
}

function madeProgress(old: Status | undefined, next: Status): boolean {
  const n = (v: number | undefined) => v ?? 0;
  return (
    n(next.updatedReplicas) > n(old?.updatedReplicas) ||
    n(next.replicas) - n(next.updatedReplicas) < n(old?.replicas) - n(old?.updatedReplicas) ||
    n(next.readyReplicas) > n(old?.readyReplicas) ||
    n(next.availableReplicas) > n(old?.availableReplicas)
  );
}

/** Milliseconds until the rollout counts as stuck; undefined when that is not in question. */
export function progressDeadlineIn(d: Deployment, status: Status | undefined, now: number): number | undefined {
  const condition = conditionOf(status?.conditions, 'Progressing');
  if (!hasProgressDeadline(d) || !condition || condition.reason === 'NewReplicaSetAvailable') return undefined;
  if (condition.reason === 'ProgressDeadlineExceeded') return 0;
  const since = Date.parse(condition.lastUpdateTime ?? condition.lastTransitionTime ?? '');
  if (Number.isNaN(since)) return undefined;
  return since + (d.spec.progressDeadlineSeconds ?? 0) * 1000 - now;
}

/** The whole status during a rollout: counts, progress, and the sets' failures. */
export function rolloutStatus(
  d: Deployment,
  sets: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  now: number,
): Status {
  let status = countedStatus(d, sets, newSet, now);
  if (!hasProgressDeadline(d)) status = dropCondition(status, 'Progressing');
  const current = conditionOf(d.status?.conditions, 'Progressing');
  const wasComplete = status.replicas === status.updatedReplicas && current?.reason === 'NewReplicaSetAvailable';
  if (hasProgressDeadline(d) && !wasComplete) status = withProgress(d, status, newSet, now);
  const failure = [...(newSet ? [newSet] : []), ...sets]
    .map(rs => conditionOf(rs.status?.conditions, 'ReplicaFailure'))
    .find(c => c?.status === 'True');
  if (!failure) return dropCondition(status, 'ReplicaFailure');
  return setCondition(status, { ...failure }, now);
}

function withProgress(d: Deployment, status: Status, newSet: ReplicaSet | undefined, now: number): Status {
  const current = conditionOf(d.status?.conditions, 'Progressing');
  const what = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${d.metadata.name}"`;
  if (isComplete(d, status))
    return setCondition(
      status,
      progressing('True', 'NewReplicaSetAvailable', `${what} has successfully progressed.`),
      now,
    );
  if (madeProgress(d.status, status)) {
    const made = progressing('True', 'ReplicaSetUpdated', `${what} is progressing.`);
    // Each step forward counts from now, also when status and reason stay.
    const at = rfc3339(now);
    const lastTransitionTime = (current?.status === 'True' && current.lastTransitionTime) || at;
    const rest = withoutCondition(status.conditions, 'Progressing');
    return { ...status, conditions: [...rest, { ...made, lastUpdateTime: at, lastTransitionTime }] };
  }
  const left = progressDeadlineIn(d, d.status, now);
  if (left === undefined || left > 0) return status;
  const late = progressing('False', 'ProgressDeadlineExceeded', `${what} has timed out progressing.`);
  return setCondition(status, late, now);
}
