/** Which volume suits which claim (k8s.io/component-helpers/storage/volume of v1.35). Pure. */
import { compareQuantity } from '../../api/quantity.ts';
import { selectorFromObject } from '../../api/selectors/index.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import { classOf, storageOf } from '../support/volumes.ts';

const modeOf = (obj: PersistentVolume | PersistentVolumeClaim) => obj.spec?.volumeMode ?? 'Filesystem';
const attributesOf = (obj: PersistentVolume | PersistentVolumeClaim) => obj.spec?.volumeAttributesClassName ?? '';
const requested = (claim: PersistentVolumeClaim) => storageOf(claim.spec?.resources?.requests);
const capacity = (volume: PersistentVolume) => storageOf(volume.spec?.capacity);

export const sameVolumeMode = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  modeOf(volume) === modeOf(claim);

/** The volume names this claim; by uid too, unless it was written down by hand. */
export function isBoundTo(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const ref = volume.spec?.claimRef;
  if (!ref || ref.name !== claim.metadata.name || ref.namespace !== claim.metadata.namespace) return false;
  return !ref.uid || ref.uid === claim.metadata.uid;
}

function offersModes(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const offered = volume.spec?.accessModes ?? [];
  return (claim.spec?.accessModes ?? []).every(mode => offered.includes(mode));
}

/** Why a volume that a claim asks for by name does not do; undefined when it does. */
export function complaintOf(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (volume.metadata.deletionTimestamp) return `the volume is marked for deletion "${volume.metadata.name}"`;
  if (compareQuantity(capacity(volume), requested(claim)) < 0) return 'requested PV is too small';
  if (classOf(volume) !== classOf(claim)) return 'storageClassName does not match';
  if (attributesOf(volume) !== attributesOf(claim)) return 'volumeAttributesClassName does not match';
  if (!sameVolumeMode(volume, claim)) return 'incompatible volumeMode';
  if (!offersModes(volume, claim)) return 'incompatible accessMode';
  return undefined;
}

/**
 * The volume for a claim that names none: one that is reserved for it, else, unless the scheduler is to choose (`delayed`), the
 * smallest that suits among those with the fewest access modes.
 */
export function bestMatch(
  volumes: readonly PersistentVolume[],
  claim: PersistentVolumeClaim,
  delayed: boolean,
): PersistentVolume | undefined {
  const large = volumes.filter(
    volume =>
      compareQuantity(capacity(volume), requested(claim)) >= 0 &&
      sameVolumeMode(volume, claim) &&
      attributesOf(volume) === attributesOf(claim) &&
      offersModes(volume, claim) &&
      !volume.metadata.deletionTimestamp,
  );
  const reserved = large.filter(volume => isBoundTo(volume, claim)).sort(bySize);
  if (reserved[0] || delayed) return reserved[0];
  const selector = claim.spec?.selector ? selectorFromObject(claim.spec.selector) : undefined;
  return large
    .filter(
      volume =>
        !volume.spec?.claimRef &&
        volume.status?.phase === 'Available' &&
        (selector?.matches(volume.metadata.labels) ?? true) &&
        classOf(volume) === classOf(claim),
    )
    .sort(bySize)[0];
}

function bySize(a: PersistentVolume, b: PersistentVolume): number {
  return (
    (a.spec?.accessModes?.length ?? 0) - (b.spec?.accessModes?.length ?? 0) ||
    compareQuantity(capacity(a), capacity(b)) ||
    (a.metadata.name < b.metadata.name ? -1 : 1)
  );
}
