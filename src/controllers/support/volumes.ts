/** What the controllers of volumes have in common: annotations, classes, which claims a pod uses. */
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';

export const annotations = {
  bindCompleted: 'pv.kubernetes.io/bind-completed',
  boundByController: 'pv.kubernetes.io/bound-by-controller',
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
  selectedNode: 'volume.kubernetes.io/selected-node',
  provisioner: 'volume.kubernetes.io/storage-provisioner',
  betaProvisioner: 'volume.beta.kubernetes.io/storage-provisioner',
  betaClass: 'volume.beta.kubernetes.io/storage-class',
  resizer: 'volume.kubernetes.io/storage-resizer',
} as const;

/** The class by the old annotation or the field; "" for none. */
export function classOf(obj: PersistentVolume | PersistentVolumeClaim): string {
  return obj.metadata.annotations?.[annotations.betaClass] ?? obj.spec?.storageClassName ?? '';
}

const defaultMarks = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];
/** The newest class that is marked as default; of equally old ones the first by name. */
export function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  const created = (c: StorageClass) => c.metadata.creationTimestamp ?? '';
  return classes
    .filter(c => defaultMarks.some(mark => c.metadata.annotations?.[mark] === 'true'))
    .sort((a, b) => created(b).localeCompare(created(a)) || (a.metadata.name < b.metadata.name ? -1 : 1))[0];
}

export const storageOf = (list: Record<string, string> | undefined): string => list?.['storage'] ?? '0';

/** Names of claims made for generic ephemeral volumes. */
export const ephemeralClaimName = (pod: Pod, volume: Volume): string => `${pod.metadata.name}-${volume.name}`;

export function claimNameOf(pod: Pod, volume: Volume): string | undefined {
  if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim.claimName;
  return volume.ephemeral ? ephemeralClaimName(pod, volume) : undefined;
}

/** Keys ("namespace/name") of the claims that a pod refers to. */
export function claimKeysOf(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap(volume => {
    const name = claimNameOf(pod, volume);
    return name === undefined ? [] : [`${pod.metadata.namespace}/${name}`];
  });
}

/** The claim was made for this pod, and not by chance given the name of its ephemeral volume. */
export function isClaimOfPod(pod: Pod, claim: PersistentVolumeClaim): boolean {
  return claim.metadata.ownerReferences?.some(ref => ref.controller && ref.uid === pod.metadata.uid) === true;
}
