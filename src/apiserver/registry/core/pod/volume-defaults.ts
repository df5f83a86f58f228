import type { Volume, VolumeProjection } from '../../../../api/types/core-v1.ts';
import { defaultClaimSpec } from '../claim-defaults.ts';
import { isLatestImage } from './defaults.ts';

/** Fills absent fields of a volume source. */
function fill<T extends object>(source: T | undefined, defaults: Partial<T>): void {
  if (!source) return;
  for (const key of Object.keys(defaults) as (keyof T)[]) {
    const value = defaults[key];
    if ((source[key] === undefined || source[key] === '') && value !== undefined) source[key] = value;
  }
}

function defaultItems(items: { fieldRef?: { apiVersion?: string }; resourceFieldRef?: { divisor?: string } }[] = []) {
  for (const item of items) {
    if (item.fieldRef) item.fieldRef.apiVersion ||= 'v1';
    if (item.resourceFieldRef) item.resourceFieldRef.divisor ||= '0';
  }
}

function defaultProjection(projection: VolumeProjection): void {
  if (projection.serviceAccountToken) projection.serviceAccountToken.expirationSeconds ??= 3600;
  if (projection.podCertificate) projection.podCertificate.maxExpirationSeconds ??= 86400;
  defaultItems(projection.downwardAPI?.items);
}

const fileMode = 0o644;

export function defaultVolume(volume: Volume): void {
  const { name: _, ...sources } = volume;
  if (Object.keys(sources).length === 0) volume.emptyDir = {};
  fill(volume.secret, { defaultMode: fileMode });
  fill(volume.configMap, { defaultMode: fileMode });
  fill(volume.downwardAPI, { defaultMode: fileMode });
  defaultItems(volume.downwardAPI?.items);
  fill(volume.projected, { defaultMode: fileMode });
  volume.projected?.sources?.forEach(defaultProjection);
  if (volume.hostPath) volume.hostPath.type ??= '';
  fill(volume.iscsi, { iscsiInterface: 'default' });
  fill(volume.rbd, { pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' });
  fill(volume.azureDisk, { cachingMode: 'ReadWrite', kind: 'Shared', fsType: 'ext4', readOnly: false });
  fill(volume.scaleIO, { storageMode: 'ThinProvisioned', fsType: 'xfs' });
  if (volume.ephemeral?.volumeClaimTemplate) {
    volume.ephemeral.volumeClaimTemplate.metadata ??= {};
    defaultClaimSpec(volume.ephemeral.volumeClaimTemplate.spec);
  }
  if (volume.image) volume.image.pullPolicy ||= isLatestImage(volume.image.reference ?? '') ? 'Always' : 'IfNotPresent';
}
