import type { PersistentVolume, PersistentVolumeClaim } from '../../../api/types/core-v1.ts';
import { ageColumn, formatAccessModes, nameColumn, text, wideText } from '../columns.ts';
import { clusterScoped, namespaced, statusSubresource } from '../define.ts';
import { defaultClaimSpec } from './claim-defaults.ts';
import { validateClaimSpec } from './claim-spec.ts';
import { keepDataSource, validateClaimStatus, validateClaimUpdate } from './claim-update.ts';
import { validateVolume, validateVolumeUpdate } from './persistent-volume.ts';

const classAnnotation = 'volume.beta.kubernetes.io/storage-class';
const className = (obj: PersistentVolume | PersistentVolumeClaim) =>
  obj.metadata.annotations?.[classAnnotation] ?? obj.spec.storageClassName ?? '';
const phaseOf = (obj: PersistentVolume | PersistentVolumeClaim) =>
  obj.metadata.deletionTimestamp ? 'Terminating' : (obj.status?.phase ?? '');

function claimOf(volume: PersistentVolume): string {
  const ref = volume.spec.claimRef;
  return ref ? `${ref.namespace ?? ''}/${ref.name ?? ''}` : '';
}

export const persistentVolumes = clusterScoped<PersistentVolume>({
  resource: '/persistentvolumes',
  default(volume) {
    volume.status ??= {};
    volume.status.phase ||= 'Pending';
    volume.spec.persistentVolumeReclaimPolicy ||= 'Retain';
    volume.spec.volumeMode ??= 'Filesystem';
    if (volume.spec.claimRef) volume.spec.claimRef.kind ||= 'PersistentVolumeClaim';
    if (volume.spec.claimRef) volume.spec.claimRef.apiVersion ||= 'v1';
    if (volume.spec.hostPath) volume.spec.hostPath.type ??= '';
  },
  initialStatus: () => ({ phase: 'Pending' }),
  validate: validateVolume,
  validateUpdate: validateVolumeUpdate,
  columns: [
    nameColumn,
    text('Capacity', obj => obj.spec.capacity?.['storage'] ?? ''),
    text('Access Modes', obj => formatAccessModes(obj.spec.accessModes)),
    text('Reclaim Policy', obj => obj.spec.persistentVolumeReclaimPolicy ?? ''),
    text('Status', phaseOf),
    text('Claim', claimOf),
    text('StorageClass', className),
    text('VolumeAttributesClass', obj => obj.spec.volumeAttributesClassName ?? '<unset>'),
    text('Reason', obj => obj.status?.reason ?? ''),
    ageColumn,
    wideText('VolumeMode', obj => obj.spec.volumeMode ?? '<unset>'),
  ],
});

export const persistentVolumeClaims = namespaced<PersistentVolumeClaim>({
  resource: '/persistentvolumeclaims',
  default(claim) {
    claim.status ??= {};
    claim.status.phase ||= 'Pending';
    defaultClaimSpec(claim.spec);
  },
  initialStatus: () => ({ phase: 'Pending' }),
  prepareForCreate: ({ spec }) => keepDataSource(spec),
  validate: claim => validateClaimSpec(claim.spec, 'spec'),
  validateUpdate: validateClaimUpdate,
  subresources: { status: statusSubresource<PersistentVolumeClaim>({ validateUpdate: validateClaimStatus }) },
  columns: [
    nameColumn,
    text('Status', phaseOf),
    text('Volume', obj => obj.spec.volumeName ?? ''),
    text('Capacity', obj => (obj.spec.volumeName ? (obj.status?.capacity?.['storage'] ?? '0') : '')),
    text('Access Modes', obj => (obj.spec.volumeName ? formatAccessModes(obj.status?.accessModes) : '')),
    text('StorageClass', className),
    text('VolumeAttributesClass', obj => obj.spec.volumeAttributesClassName ?? '<unset>'),
    ageColumn,
    wideText('VolumeMode', obj => obj.spec.volumeMode ?? '<unset>'),
  ],
});
