/** The claims that a pod's volumes name, and what they stand for. */
import type { PersistentVolume, PersistentVolumeClaim, Volume } from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import type { Lookup } from '../snapshot/lookup.ts';

export interface ClaimUse {
  readonly name: string;
  readonly key: string;
  /** The pod brings it along. */
  readonly ephemeral: boolean;
}

export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';
export const bindCompletedAnnotation = 'pv.kubernetes.io/bind-completed';
export const boundByControllerAnnotation = 'pv.kubernetes.io/bound-by-controller';

const claimName = (pod: PodInfo, volume: Volume): string | undefined =>
  volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${pod.pod.metadata.name}-${volume.name}` : undefined);

export function claimsOf(pod: PodInfo): readonly ClaimUse[] {
  if (!pod.hasVolumes) return [];
  return (pod.pod.spec.volumes ?? []).flatMap(volume => {
    const name = claimName(pod, volume);
    return name ? [{ name, key: `${pod.namespace}/${name}`, ephemeral: volume.ephemeral !== undefined }] : [];
  });
}

export const classNameOf = (claim: PersistentVolumeClaim): string =>
  claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? claim.spec.storageClassName ?? '';
export const volumeClassNameOf = (volume: PersistentVolume): string =>
  volume.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? volume.spec.storageClassName ?? '';

export const classOf = (claim: PersistentVolumeClaim, lookup: Lookup): StorageClass | undefined =>
  lookup.of('storage.k8s.io/v1/storageclasses').get(classNameOf(claim));

export const waitsForConsumer = (claim: PersistentVolumeClaim, lookup: Lookup): boolean =>
  classOf(claim, lookup)?.volumeBindingMode === 'WaitForFirstConsumer';

/** Bound, and the volume controller has finished with it. */
export const isFullyBound = (claim: PersistentVolumeClaim): boolean =>
  Boolean(claim.spec.volumeName) && claim.metadata.annotations?.[bindCompletedAnnotation] !== undefined;

export function volumeOf(claim: PersistentVolumeClaim | undefined, lookup: Lookup): PersistentVolume | undefined {
  const name = claim?.spec.volumeName;
  return name ? lookup.of('v1/persistentvolumes').get(name) : undefined;
}
