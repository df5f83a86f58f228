/** A replica's name, place and claims. */
import type { Draft } from '../../api/object.ts';
import type { StatefulSet } from '../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, Volume } from '../../api/types/core-v1.ts';
import { revisionHashLabel } from '../support/history.ts';
import { controllerRef } from '../support/pod-control.ts';

export const kind = { apiVersion: 'apps/v1', kind: 'StatefulSet' };
const podNameLabel = 'statefulset.kubernetes.io/pod-name';
const podIndexLabel = 'apps.kubernetes.io/pod-index';

export const firstOrdinal = (set: StatefulSet): number => set.spec.ordinals?.start ?? 0;
export const replicasOf = (set: StatefulSet): number => set.spec.replicas ?? 1;
export const podName = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`;

/** -1 for a pod that is not named as one of the set's. */
export function ordinalOf(set: StatefulSet, pod: Pod): number {
  const match = /^(.*)-(\d+)$/.exec(pod.metadata.name);
  return match?.[1] === set.metadata.name ? Number(match[2]) : -1;
}
export const inRange = (set: StatefulSet, ordinal: number): boolean =>
  ordinal >= firstOrdinal(set) && ordinal < firstOrdinal(set) + replicasOf(set);

export const claimName = (template: PersistentVolumeClaim, set: StatefulSet, ordinal: number): string =>
  `${template.metadata.name}-${podName(set, ordinal)}`;

/** The pod of an ordinal at a revision. */
export function newPod(set: StatefulSet, template: PodTemplateSpec, revision: string, ordinal: number): Draft<Pod> {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const name = podName(set, ordinal);
  const spec = template.spec ?? { containers: [] };
  return {
    metadata: {
      name,
      namespace: set.metadata.namespace ?? '',
      labels: { ...labels, [revisionHashLabel]: revision, [podNameLabel]: name, [podIndexLabel]: String(ordinal) },
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [controllerRef(kind, set)],
    },
    spec: {
      ...spec,
      hostname: name,
      ...(set.spec.serviceName && { subdomain: set.spec.serviceName }),
      volumes: volumesOf(set, spec.volumes ?? [], ordinal),
    },
  };
}

/** The template's volumes, where those with a claim template's name mean the replica's own claim. */
function volumesOf(set: StatefulSet, volumes: readonly Volume[], ordinal: number): Volume[] {
  const claims = set.spec.volumeClaimTemplates ?? [];
  const own = claims.map(claim => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: claimName(claim, set, ordinal) },
  }));
  return [...own, ...volumes.filter(v => !claims.some(c => c.metadata.name === v.name))];
}

/** Name, labels and claims are as they must be. A pod keeps its revision. */
export function identityMatches(set: StatefulSet, pod: Pod): boolean {
  const ordinal = ordinalOf(set, pod);
  return ordinal >= 0 && pod.metadata.labels?.[podNameLabel] === pod.metadata.name;
}

export function newClaims(set: StatefulSet, ordinal: number): Draft<PersistentVolumeClaim>[] {
  return (set.spec.volumeClaimTemplates ?? []).map(template => ({
    ...template,
    metadata: {
      ...template.metadata,
      name: claimName(template, set, ordinal),
      namespace: set.metadata.namespace ?? '',
      labels: { ...template.metadata.labels, ...set.spec.selector.matchLabels },
    },
  }));
}
