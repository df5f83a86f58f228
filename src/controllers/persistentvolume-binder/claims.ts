/** A claim's side: finding or asking for a volume, and noticing when it is lost. */
import { keyOf } from '../../api/object.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';
import type { EventRecorder } from '../../client/contract.ts';
import { isFinished } from '../support/pods.ts';
import { annotations, classOf, defaultClass } from '../support/volumes.ts';
import { bestMatch, complaintOf, isBoundTo } from './match.ts';
import { type BinderStores, bind, setClaimPhase, updateClaim } from './write.ts';

export interface ClaimSync extends BinderStores {
  readonly recorder: EventRecorder;
  classes(): readonly StorageClass[];
  /** Pods that refer to the claim. */
  podsOf(claimKey: string): readonly Pod[];
}

export async function syncClaim(sync: ClaimSync, claim: PersistentVolumeClaim): Promise<void> {
  if (claim.metadata.annotations?.[annotations.bindCompleted] !== undefined) return syncBound(sync, claim);
  if (!claim.spec?.volumeName) return findVolume(sync, await withDefaultClass(sync, claim));
  return bindToNamed(sync, claim, claim.spec.volumeName);
}

/** Claims that were made before there was a default class get it later. */
async function withDefaultClass(sync: ClaimSync, claim: PersistentVolumeClaim): Promise<PersistentVolumeClaim> {
  if (claim.spec?.storageClassName !== undefined || claim.metadata.annotations?.[annotations.betaClass] !== undefined)
    return claim;
  const found = defaultClass(sync.classes());
  if (!found || claim.metadata.deletionTimestamp) return claim;
  return updateClaim(sync, { ...claim, spec: { ...claim.spec, storageClassName: found.metadata.name } });
}

async function findVolume(sync: ClaimSync, claim: PersistentVolumeClaim): Promise<void> {
  const storageClass = sync.classes().find(c => c.metadata.name === classOf(claim));
  const selected = claim.metadata.annotations?.[annotations.selectedNode] !== undefined;
  const delayed = !selected && storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
  const volume = bestMatch(sync.volumes.list(), claim, delayed);
  if (volume) return bind(sync, volume, claim);
  let current = claim;
  if (delayed) reportWaiting(sync, claim);
  else if (classOf(claim) !== '') current = await askProvisioner(sync, claim, storageClass);
  else
    sync.recorder.event(
      claim,
      'Normal',
      'FailedBinding',
      'no persistent volumes available for this claim and no storage class is set',
    );
  await setClaimPhase(sync, current, 'Pending');
}

function reportWaiting({ recorder, podsOf }: ClaimSync, claim: PersistentVolumeClaim): void {
  const waiting = podsOf(keyOf(claim))
    .filter(pod => !pod.metadata.deletionTimestamp && !isFinished(pod))
    .map(pod => pod.metadata.name)
    .sort();
  const [first] = waiting;
  if (first === undefined)
    recorder.event(claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
  else if (waiting.length === 1)
    recorder.event(claim, 'Normal', 'WaitForPodScheduled', `waiting for pod ${first} to be scheduled`);
  else recorder.event(claim, 'Normal', 'WaitForPodScheduled', `waiting for pods ${waiting.join(',')} to be scheduled`);
}

/** In-tree provisioners whose work CSI drivers took over (k8s.io/csi-translation-lib of v1.35). */
const migrated: Readonly<Record<string, string>> = {
  'kubernetes.io/aws-ebs': 'ebs.csi.aws.com',
  'kubernetes.io/azure-disk': 'disk.csi.azure.com',
  'kubernetes.io/azure-file': 'file.csi.azure.com',
  'kubernetes.io/cinder': 'cinder.csi.openstack.org',
  'kubernetes.io/gce-pd': 'pd.csi.storage.gke.io',
  'kubernetes.io/portworx-volume': 'pxd.portworx.com',
  'kubernetes.io/vsphere-volume': 'csi.vsphere.vmware.com',
};

/** Volumes are made by external provisioners, which go by the annotation. */
async function askProvisioner(
  sync: ClaimSync,
  claim: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
): Promise<PersistentVolumeClaim> {
  const { recorder } = sync;
  if (!storageClass) {
    recorder.event(claim, 'Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${classOf(claim)}" not found`);
    return claim;
  }
  const provisioner = migrated[storageClass.provisioner] ?? storageClass.provisioner;
  if (provisioner.startsWith('kubernetes.io/')) {
    recorder.event(claim, 'Warning', 'ProvisioningFailed', `no volume plugin matched name: ${provisioner}`);
    return claim;
  }
  const present = claim.metadata.annotations ?? {};
  const marked =
    present[annotations.provisioner] === provisioner && present[annotations.betaProvisioner] === provisioner
      ? claim
      : await updateClaim(sync, {
          ...claim,
          metadata: {
            ...claim.metadata,
            annotations: {
              ...present,
              [annotations.betaProvisioner]: provisioner,
              [annotations.provisioner]: provisioner,
            },
          },
        });
  recorder.event(
    marked,
    'Normal',
    'ExternalProvisioning',
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
  );
  return marked;
}

async function bindToNamed(sync: ClaimSync, claim: PersistentVolumeClaim, name: string): Promise<void> {
  const volume = sync.volumes.get(name);
  const ref = volume?.spec?.claimRef;
  if (!volume) {
    await setClaimPhase(sync, claim, 'Pending');
  } else if (!ref) {
    const complaint = complaintOf(volume, claim);
    if (complaint === undefined) return bind(sync, volume, claim);
    sync.recorder.event(claim, 'Warning', 'VolumeMismatch', `Cannot bind to requested volume "${name}": ${complaint}`);
    await setClaimPhase(sync, claim, 'Pending');
  } else if (isBoundTo(volume, claim)) {
    await bind(sync, volume, claim);
  } else {
    // A claim that this controller bound gets here when the volume was given away by hand in between; it waits as well.
    sync.recorder.event(claim, 'Warning', 'FailedBinding', `volume "${name}" already bound to a different claim.`);
    await setClaimPhase(sync, claim, 'Pending');
  }
}

async function syncBound(sync: ClaimSync, claim: PersistentVolumeClaim): Promise<void> {
  const name = claim.spec?.volumeName;
  if (!name)
    return lose(
      sync,
      claim,
      'ClaimLost',
      'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!',
    );
  const volume = sync.volumes.get(name);
  if (!volume)
    return lose(sync, claim, 'ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  const ref = volume.spec?.claimRef;
  if (!ref || (ref.uid ?? '') === claim.metadata.uid || isBoundTo(volume, claim)) return bind(sync, volume, claim);
  return lose(sync, claim, 'ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
}

async function lose(sync: ClaimSync, claim: PersistentVolumeClaim, reason: string, message: string): Promise<void> {
  const { changed } = await setClaimPhase(sync, claim, 'Lost');
  if (changed) sync.recorder.event(claim, 'Warning', reason, message);
}
