import { type Errors, nonNegative, optional } from '../checks.ts';
import { field } from '../field-errors.ts';

export interface ReplicaStatus {
  readonly [count: string]: unknown;
}
const numberAt = (status: ReplicaStatus, key: string) => {
  const value = status[key];
  return typeof value === 'number' ? value : undefined;
};

/** Counts are not negative. */
export function validateCounts(status: ReplicaStatus, counted: readonly string[]): Errors {
  return counted.flatMap(key => optional(numberAt(status, key), `status.${key}`, nonNegative));
}

/**
 * Counts in the status of whatever runs replicas: none is more than all replicas, and those available are ready.
 * @param bounded the counts that are part of `replicas`.
 * @param readyName how the last message names the ready replicas.
 */
export function validateReplicaCounts(
  status: ReplicaStatus,
  counted: readonly string[],
  bounded: readonly string[],
  readyName = 'readyReplicas',
): Errors {
  const count = (key: string) => numberAt(status, key) ?? 0;
  const below = (key: string, limit: number, than: string): Errors =>
    count(key) > limit ? [field.invalid(`status.${key}`, count(key), `cannot be greater than ${than}`)] : [];
  return [
    ...validateCounts(status, counted),
    ...bounded.flatMap(key => below(key, count('replicas'), 'status.replicas')),
    ...below('availableReplicas', count('readyReplicas'), readyName),
  ];
}

/** Replica sets and replication controllers. */
export const validateReplicaStatus = (status: ReplicaStatus = {}): Errors =>
  validateReplicaCounts(
    status,
    [
      'replicas',
      'fullyLabeledReplicas',
      'readyReplicas',
      'availableReplicas',
      'observedGeneration',
      'terminatingReplicas',
    ],
    ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
  );

/** How often a name was taken only ever grows. */
export function validateCollisions(status: ReplicaStatus = {}, old: ReplicaStatus = {}): Errors {
  const [now, before] = [numberAt(status, 'collisionCount') ?? 0, numberAt(old, 'collisionCount') ?? 0];
  return now < before ? [field.invalid('status.collisionCount', now, 'cannot be decremented')] : [];
}
