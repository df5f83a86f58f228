/** The writes that bind a claim and a volume, and part them. Each step stands in the API before the next, so that any can be resumed. */
import { keyOf } from '../../api/object.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import type { Client } from '../../client/contract.ts';
import type { Overlay } from '../support/own-writes.ts';
import { annotations } from '../support/volumes.ts';
import { isBoundTo } from './match.ts';

export interface BinderStores {
  readonly client: Client;
  readonly volumes: Overlay<PersistentVolume>;
  readonly claims: Overlay<PersistentVolumeClaim>;
}

async function updateVolume(stores: BinderStores, volume: PersistentVolume): Promise<PersistentVolume> {
  return stores.volumes.wrote(await stores.client.persistentvolumes().update(volume));
}

export async function updateClaim(stores: BinderStores, claim: PersistentVolumeClaim): Promise<PersistentVolumeClaim> {
  return stores.claims.wrote(await stores.client.persistentvolumeclaims(claim.metadata.namespace).update(claim));
}

/** `changed` tells whether the phase is news. */
export async function setVolumePhase(
  stores: BinderStores,
  volume: PersistentVolume,
  phase: string,
  message = '',
): Promise<{ volume: PersistentVolume; changed: boolean }> {
  if (volume.status?.phase === phase && (volume.status.message ?? '') === message) return { volume, changed: false };
  const { message: _old, reason: _reason, ...rest } = volume.status ?? {};
  const status = { ...rest, phase, ...(message && { message }) };
  const updated = await stores.client.persistentvolumes().updateStatus({ ...volume, status });
  return { volume: stores.volumes.wrote(updated), changed: volume.status?.phase !== phase };
}

/** Pending and Lost claims show nothing of a volume; Bound ones show the volume's modes and size. */
export async function setClaimPhase(
  stores: BinderStores,
  claim: PersistentVolumeClaim,
  phase: string,
  volume?: PersistentVolume,
): Promise<{ claim: PersistentVolumeClaim; changed: boolean }> {
  const { accessModes, capacity, currentVolumeAttributesClassName, ...rest } = claim.status ?? {};
  const attributesClass = volume?.spec?.volumeAttributesClassName;
  // What a resizer reports stays: the volume's size is shown when the claim becomes bound.
  const shown =
    capacity && claim.status?.phase === 'Bound' ? capacity : { storage: volume?.spec?.capacity?.['storage'] ?? '0' };
  const status = {
    ...rest,
    phase,
    ...(volume && {
      accessModes: volume.spec?.accessModes ?? [],
      capacity: shown,
      ...(currentVolumeAttributesClassName && { currentVolumeAttributesClassName }),
      ...(attributesClass &&
        !currentVolumeAttributesClassName && { currentVolumeAttributesClassName: attributesClass }),
    }),
  };
  if (deepEqual(status, claim.status)) return { claim, changed: false };
  const updated = await stores.client
    .persistentvolumeclaims(claim.metadata.namespace)
    .updateStatus({ ...claim, status });
  return { claim: stores.claims.wrote(updated), changed: claim.status?.phase !== phase };
}

/** Volume to claim, its phase, claim to volume, its phase. */
export async function bind(
  stores: BinderStores,
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
): Promise<void> {
  const referring = await referToClaim(stores, volume, claim);
  const { volume: bound } = await setVolumePhase(stores, referring, 'Bound');
  const referred = await referToVolume(stores, bound, claim);
  await setClaimPhase(stores, referred, 'Bound', bound);
}

async function referToClaim(stores: BinderStores, volume: PersistentVolume, claim: PersistentVolumeClaim) {
  const { name, namespace, uid, resourceVersion } = claim.metadata;
  if (volume.spec?.claimRef?.uid === uid && isBoundTo(volume, claim)) return volume;
  const ours = !volume.spec?.claimRef;
  const claimRef = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    name,
    ...(namespace && { namespace }),
    ...(uid && { uid }),
    ...(resourceVersion && { resourceVersion }),
  };
  const marks = { ...volume.metadata.annotations, ...(ours && { [annotations.boundByController]: 'yes' }) };
  return updateVolume(stores, {
    ...volume,
    metadata: { ...volume.metadata, annotations: marks },
    spec: { ...volume.spec, claimRef },
  });
}

async function referToVolume(stores: BinderStores, volume: PersistentVolume, claim: PersistentVolumeClaim) {
  const { name } = volume.metadata;
  const ours = claim.spec?.volumeName !== name;
  const present = claim.metadata.annotations ?? {};
  if (!ours && present[annotations.bindCompleted]) return claim;
  const marks = {
    ...present,
    [annotations.bindCompleted]: 'yes',
    ...(ours && { [annotations.boundByController]: 'yes' }),
  };
  return updateClaim(stores, {
    ...claim,
    metadata: { ...claim.metadata, annotations: marks },
    spec: { ...claim.spec, volumeName: name },
  });
}

/** The volume is free again, or, when a person reserved it, waits for its claim again. */
export async function unbind(stores: BinderStores, volume: PersistentVolume): Promise<void> {
  const { [annotations.boundByController]: byController, ...marks } = volume.metadata.annotations ?? {};
  const { claimRef, ...spec } = volume.spec ?? {};
  const { uid: _uid, resourceVersion: _revision, ...reserved } = claimRef ?? {};
  const freed = await updateVolume(stores, {
    ...volume,
    metadata: { ...volume.metadata, annotations: marks },
    spec: byController === undefined ? { ...spec, claimRef: reserved } : spec,
  });
  await setVolumePhase(stores, freed, 'Available');
}

export const claimKeyOf = (volume: PersistentVolume): string | undefined => {
  const ref = volume.spec?.claimRef;
  return ref?.name ? keyOf({ metadata: { name: ref.name, namespace: ref.namespace ?? '' } }) : undefined;
};
