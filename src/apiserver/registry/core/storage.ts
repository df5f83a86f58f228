import type { PersistentVolume, PersistentVolumeClaim } from '../../../api/types/core-v1.ts';
import { ageColumn, formatAccessModes, nameColumn, text, wideText } from '../columns.ts';
import { clusterScoped, namespaced, statusSubresource } from '../define.ts';
import { defaultClaimSpec } from './claim-defaults.ts';
import { validateClaimSpec } from './claim-spec.ts';
import { keepDataSource, validateClaimStatus, validateClaimUpdate } from './claim-update.ts';
import { validateVolume, validateVolumeUpdate } from './persistent-volume.ts';
import { claimSpecWarnings } from './pod/byte-warnings.ts';

const classAnnotation = 'volume.beta.kubernetes.io/storage-class';
const className = (obj: PersistentVolume | PersistentVolumeClaim) =>
  obj.metadata.annotations?.[classAnnotation] ?? obj.spec.storageClassName ?? '';
const phaseOf = (obj: PersistentVolume | PersistentVolumeClaim) =>
  obj.metadata.deletionTimestamp ? 'Terminating' : (obj.status?.phase ?? '');

function claimOf(volume: PersistentVolume): string {
  const ref = volume.spec.claimRef;
  return ref ? `${ref.namespace ?? ''}/${ref.name ?? ''}` : '';
}

const deprecatedSources: readonly [keyof PersistentVolume['spec'], string][] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];
const recycle =
  'The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.';

function classWarning(obj: PersistentVolume | PersistentVolumeClaim): string[] {
  return obj.metadata.annotations?.[classAnnotation] === undefined
    ? []
    : [`metadata.annotations[${classAnnotation}]: deprecated since v1.8; use "storageClassName" attribute instead`];
}

function volumeWarnings(volume: PersistentVolume): string[] {
  return [
    ...classWarning(volume),
    ...(volume.spec.persistentVolumeReclaimPolicy === 'Recycle'
      ? [`spec.persistentVolumeReclaimPolicy: ${recycle}`]
      : []),
    ...deprecatedSources.flatMap(([key, why]) => (volume.spec[key] ? [`spec.${key}: ${why}`] : [])),
  ];
}

function claimWarnings(claim: PersistentVolumeClaim): string[] {
  return [...classWarning(claim), ...claimSpecWarnings(claim.spec, 'spec')];
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
  warnings: volumeWarnings,
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
  prepareForUpdate: ({ spec }, { spec: old }) => keepDataSource(spec, old),
  validate: claim => validateClaimSpec(claim.spec, 'spec'),
  validateUpdate: validateClaimUpdate,
  warnings: claimWarnings,
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
