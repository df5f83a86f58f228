import { type Errors, nonNegative, optional } from '../checks.ts';
import { field } from '../field-errors.ts';

interface ReplicaStatus {
  replicas?: number;
  fullyLabeledReplicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  observedGeneration?: number;
}

const counted = [
  'replicas',
  'fullyLabeledReplicas',
  'readyReplicas',
  'availableReplicas',
  'observedGeneration',
] as const;

/** Counts in the status of replica sets and replication controllers. */
export function validateReplicaStatus(status: ReplicaStatus): Errors {
  const { replicas = 0, readyReplicas: ready = 0, availableReplicas: available = 0 } = status;
  const tooMany = (key: string, value: number, than: string) =>
    field.invalid(`status.${key}`, value, `cannot be greater than ${than}`);
  return [
    ...counted.flatMap(key => optional(status[key], `status.${key}`, nonNegative)),
    ...((status.fullyLabeledReplicas ?? 0) > replicas
      ? [tooMany('fullyLabeledReplicas', status.fullyLabeledReplicas ?? 0, 'status.replicas')]
      : []),
    ...(ready > replicas ? [tooMany('readyReplicas', ready, 'status.replicas')] : []),
    ...(available > replicas ? [tooMany('availableReplicas', available, 'status.replicas')] : []),
    ...(available > ready ? [tooMany('availableReplicas', available, 'readyReplicas')] : []),
  ];
}
