/** Which free volume fits a claim best (k8s.io/component-helpers/storage/volume, FindMatchingVolume). */
import { unitsOf } from '../../api/quantity.ts';
import { selectorFromObject } from '../../api/selectors/index.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import { classNameOf, volumeClassNameOf } from './claims.ts';
import { compileNodeSelector } from './node-selector.ts';

export const sizeOf = (volume: PersistentVolume): number => unitsOf(volume.spec.capacity?.['storage'] ?? '0');
export const requestOf = (claim: PersistentVolumeClaim): number =>
  unitsOf(claim.spec.resources?.requests?.['storage'] ?? '0');

export function isReachable(volume: PersistentVolume, node: NodeInfo): boolean {
  const required = volume.spec.nodeAffinity?.required;
  return !required || compileNodeSelector(required)(node);
}

const isFor = ({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean =>
  spec.claimRef?.name === metadata.name &&
  spec.claimRef.namespace === metadata.namespace &&
  (!spec.claimRef.uid || spec.claimRef.uid === metadata.uid);

/** A volume that names the claim wins; else the smallest that is large enough. */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  node: NodeInfo,
  taken: (volume: PersistentVolume) => boolean,
): PersistentVolume | undefined {
  const wanted = requestOf(claim);
  const selector = claim.spec.selector ? selectorFromObject(claim.spec.selector) : undefined;
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    const { spec, metadata, status } = volume;
    if (
      taken(volume) ||
      metadata.deletionTimestamp ||
      (spec.volumeMode ?? 'Filesystem') !== (claim.spec.volumeMode ?? 'Filesystem')
    )
      continue;
    if (sizeOf(volume) < wanted || !isReachable(volume, node)) continue;
    if (spec.claimRef) {
      if (isFor(volume, claim)) return volume;
      continue;
    }
    if (status?.phase !== undefined && status.phase !== 'Available') continue;
    if (volumeClassNameOf(volume) !== classNameOf(claim) || selector?.matches(metadata.labels) === false) continue;
    if (!(claim.spec.accessModes ?? []).every(mode => spec.accessModes?.includes(mode))) continue;
    if (!best || sizeOf(volume) < sizeOf(best)) best = volume;
  }
  return best;
}
