/** Which ReplicaSet is the new one, and the annotations that make history. */
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import type { PodTemplateSpec } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { byAge, desiredReplicas, desiredReplicasAnnotation, maxReplicasAnnotation, maxSurge } from './rollout.ts';

export const hashLabel = 'pod-template-hash';
export const revisionAnnotation = 'deployment.kubernetes.io/revision';
const historyAnnotation = 'deployment.kubernetes.io/revision-history';
/** Bytes that the history annotation may grow to. */
const historyLimit = 2000;
const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  historyAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'deprecated.deployment.rollback.to',
]);

export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return deepEqual(withoutHash(a), withoutHash(b));
}
function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec {
  const { [hashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {};
  const { labels: _labels, creationTimestamp: _time, ...metadata } = template?.metadata ?? {};
  return { ...template, metadata: { ...metadata, labels } };
}

/** The oldest set with the deployment's template. */
export function findNewSet(d: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...sets].sort(byAge).find(rs => sameTemplate(rs.spec?.template, d.spec.template));
}

export const revisionOf = (obj: { metadata: { annotations?: Record<string, string> } }): number => {
  const revision = Number(obj.metadata.annotations?.[revisionAnnotation] ?? 0);
  return Number.isSafeInteger(revision) ? revision : 0;
};
export const nextRevision = (oldSets: readonly ReplicaSet[]): number => Math.max(0, ...oldSets.map(revisionOf)) + 1;

/** A set's annotations after those of its deployment, with size and revision. */
export function setAnnotations(
  d: Deployment,
  rs: Partial<ReplicaSet>,
  revision: number,
  exists: boolean,
): Record<string, string> {
  const old = rs.metadata?.annotations ?? {};
  const copied = Object.entries(d.metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key));
  const annotations: Record<string, string> = { ...old, ...Object.fromEntries(copied) };
  const oldRevision = old[revisionAnnotation];
  if (Number(oldRevision ?? 0) < revision) {
    annotations[revisionAnnotation] = String(revision);
    if (exists && oldRevision) annotations[historyAnnotation] = extendHistory(old[historyAnnotation], oldRevision);
  }
  return exists ? annotations : { ...annotations, ...sizeAnnotations(d) };
}

function extendHistory(history: string | undefined, revision: string): string {
  const all = [...(history ? history.split(',') : []), revision];
  while (all.length > 1 && all.join(',').length > historyLimit) all.shift();
  return all.join(',');
}

export function sizeAnnotations(d: Deployment): Record<string, string> {
  const desired = desiredReplicas(d);
  return {
    [desiredReplicasAnnotation]: String(desired),
    [maxReplicasAnnotation]: String(desired + maxSurge(d)),
  };
}
