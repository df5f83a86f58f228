/** A volume's side: its phase, and what becomes of it when its claim is gone. */
import { splitKey } from '../../api/object.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import { isNotFound } from '../../base/errors.ts';
import type { EventRecorder } from '../../client/contract.ts';
import { annotations } from '../support/volumes.ts';
import { sameVolumeMode } from './match.ts';
import { type BinderStores, claimKeyOf, setVolumePhase, unbind } from './write.ts';

export interface VolumeSync extends BinderStores {
  readonly recorder: EventRecorder;
  enqueueClaim(key: string): void;
}

export async function syncVolume(sync: VolumeSync, volume: PersistentVolume): Promise<void> {
  const ref = volume.spec?.claimRef;
  const key = claimKeyOf(volume);
  if (!ref || key === undefined || !ref.uid) {
    await setVolumePhase(sync, volume, 'Available');
    if (key !== undefined) sync.enqueueClaim(key);
    return;
  }
  const claim = await claimOf(sync, key, ref.uid);
  if (!claim) return release(sync, volume);
  if (!claim.spec?.volumeName) {
    if (!sameVolumeMode(volume, claim)) reportMode(sync, volume, claim);
    return sync.enqueueClaim(key);
  }
  if (claim.spec.volumeName === volume.metadata.name) {
    await setVolumePhase(sync, volume, 'Bound');
    return;
  }
  // The claim took another volume. One that was made for it is of no more use.
  const made = volume.metadata.annotations?.[annotations.provisionedBy] !== undefined;
  if (made && volume.spec?.persistentVolumeReclaimPolicy === 'Delete') return release(sync, volume);
  await unbind(sync, volume);
}

/** By the server's word when the cache does not show it: a volume's data must not be lost to a slow cache. */
async function claimOf(
  { claims, client }: VolumeSync,
  key: string,
  uid: string,
): Promise<PersistentVolumeClaim | undefined> {
  const cached = claims.get(key);
  if (cached?.metadata.uid === uid) return cached;
  const { namespace, name } = splitKey(key);
  const live = await client
    .persistentvolumeclaims(namespace)
    .get(name)
    .catch(e => {
      if (isNotFound(e)) return undefined;
      throw e;
    });
  return live?.metadata.uid === uid ? live : undefined;
}

function reportMode({ recorder }: VolumeSync, volume: PersistentVolume, claim: PersistentVolumeClaim): void {
  const text = (what: string, name: string) =>
    `Cannot bind PersistentVolume to requested ${what} "${name}" due to incompatible volumeMode.`;
  recorder.event(volume, 'Warning', 'VolumeMismatch', text('PersistentVolumeClaim', claim.metadata.name));
  recorder.event(
    claim,
    'Warning',
    'VolumeMismatch',
    `Cannot bind PersistentVolume "${volume.metadata.name}" to requested PersistentVolumeClaim "${claim.metadata.name}" due to incompatible volumeMode.`,
  );
}

async function release(sync: VolumeSync, volume: PersistentVolume): Promise<void> {
  const phase = volume.status?.phase;
  const done = phase === 'Released' || phase === 'Failed';
  const current = done ? volume : (await setVolumePhase(sync, volume, 'Released')).volume;
  await reclaim(sync, current);
}

async function reclaim(sync: VolumeSync, volume: PersistentVolume): Promise<void> {
  const { persistentVolumeReclaimPolicy: policy = 'Retain' } = volume.spec ?? {};
  if (policy === 'Retain') return;
  if (policy === 'Recycle')
    return fail(sync, volume, 'VolumeFailedRecycle', 'No recycler plugin found for the volume!');
  if (policy !== 'Delete')
    return fail(sync, volume, 'VolumeUnknownReclaimPolicy', 'Volume has unrecognized PersistentVolumeReclaimPolicy');
  // Whoever provisioned it deletes it.
  if (volume.metadata.annotations?.[annotations.provisionedBy]) return;
  return fail(sync, volume, 'VolumeFailedDelete', whyNotDeleted(volume));
}

/** Nobody deletes a volume that a person made: what upstream's plugins say to that. */
function whyNotDeleted({ metadata, spec }: PersistentVolume): string {
  const path = spec?.hostPath?.path;
  if (path !== undefined && !path.startsWith('/tmp/'))
    return `host_path deleter only supports /tmp/.+ but received provided ${path}`;
  const known = spec?.nfs || spec?.local;
  return `error getting deleter volume plugin for volume "${metadata.name}": no ${known ? 'deletable ' : ''}volume plugin matched`;
}

async function fail(sync: VolumeSync, volume: PersistentVolume, reason: string, message: string): Promise<void> {
  const { changed } = await setVolumePhase(sync, volume, 'Failed', message);
  if (changed) sync.recorder.event(volume, 'Warning', reason, message);
}
