/**
 * Volumes in folders of the node: a claim of the class is given a folder of the node that its pod was scheduled to. Runs in the node's agent, for that
 * node's claims.
 */
import { keyOf } from '../../api/object.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/index.ts';
import { isAlreadyExists, isNotFound, messageOf } from '../../base/errors.ts';
import { type Controller, watch } from '../../controller/contract.ts';

export const localProvisioner = 'tsukube.io/local';
const selectedNode = 'volume.kubernetes.io/selected-node';
const provisionedBy = 'pv.kubernetes.io/provisioned-by';
const hostname = 'kubernetes.io/hostname';

export interface LocalVolumeOptions {
  readonly nodeName: string;
  /** Folder under which volumes are made; absolute. */
  readonly directory: string;
  /** Makes a folder that every user may write to. */
  readonly makeFolder: (path: string) => Promise<void>;
  /** Removes a folder with all that is in it. */
  readonly removeFolder: (path: string) => Promise<void>;
}

/** The volume for a claim. Pure. */
export function volumeFor(
  claim: PersistentVolumeClaim,
  reclaimPolicy: string,
  options: Pick<LocalVolumeOptions, 'nodeName' | 'directory'>,
): PersistentVolume {
  const { name, namespace = '', uid = '' } = claim.metadata;
  return {
    metadata: { name: `pvc-${uid}`, annotations: { [provisionedBy]: localProvisioner } },
    spec: {
      capacity: { storage: claim.spec.resources?.requests?.['storage'] ?? '0' },
      accessModes: claim.spec.accessModes ?? ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: claim.spec.storageClassName ?? '',
      volumeMode: 'Filesystem',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
      hostPath: { path: `${options.directory}/pvc-${uid}_${namespace}_${name}`, type: 'DirectoryOrCreate' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: hostname, operator: 'In', values: [options.nodeName] }] }],
        },
      },
    },
  };
}

export function localVolumeController(options: LocalVolumeOptions): Controller {
  return {
    name: 'local-volume-provisioner',
    component: localProvisioner,
    setUp({ client, informers, recorder }) {
      const claims = informers.informer('v1/persistentvolumeclaims');
      const volumes = informers.informer('v1/persistentvolumes');
      const classes = informers.informer('storage.k8s.io/v1/storageclasses');

      const classOf = (claim: PersistentVolumeClaim) => classes.store.get(claim.spec.storageClassName ?? '');
      const isOurs = (claim: PersistentVolumeClaim) =>
        claim.metadata.annotations?.[selectedNode] === options.nodeName &&
        classOf(claim)?.provisioner === localProvisioner &&
        !claim.spec.volumeName &&
        !claim.metadata.deletionTimestamp;

      async function provision(key: string): Promise<void> {
        const claim = claims.store.get(key);
        if (!claim || !isOurs(claim)) return;
        if (claim.spec.volumeMode === 'Block') {
          recorder.event(
            claim,
            'Warning',
            'ProvisioningFailed',
            `failed to provision volume with StorageClass "${claim.spec.storageClassName}": block volumes are not supported`,
          );
          return;
        }
        const volume = volumeFor(claim, classOf(claim)?.reclaimPolicy ?? 'Delete', options);
        recorder.event(
          claim,
          'Normal',
          'Provisioning',
          `External provisioner is provisioning volume for claim "${key}"`,
        );
        try {
          await options.makeFolder(volume.spec.hostPath?.path ?? '');
          await client.persistentvolumes().create(volume);
        } catch (error) {
          if (isAlreadyExists(error)) return;
          recorder.event(
            claim,
            'Warning',
            'ProvisioningFailed',
            `failed to provision volume with StorageClass "${claim.spec.storageClassName}": ${messageOf(error)}`,
          );
          throw error;
        }
        recorder.event(
          claim,
          'Normal',
          'ProvisioningSucceeded',
          `Successfully provisioned volume ${volume.metadata.name}`,
        );
      }

      async function reclaim(name: string): Promise<void> {
        const volume = volumes.store.get(name);
        const path = volume?.spec.hostPath?.path ?? '';
        const here =
          volume?.spec.nodeAffinity?.required?.nodeSelectorTerms?.[0]?.matchExpressions?.[0]?.values?.[0] ===
          options.nodeName;
        const released = volume?.status?.phase === 'Released' && volume.spec.persistentVolumeReclaimPolicy === 'Delete';
        if (
          !volume ||
          !here ||
          !released ||
          volume.metadata.annotations?.[provisionedBy] !== localProvisioner ||
          !path.startsWith(`${options.directory}/pvc-`)
        )
          return;
        await options.removeFolder(path);
        try {
          await client.persistentvolumes().delete(name, { preconditions: { uid: volume.metadata.uid ?? '' } });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }

      return [
        {
          sources: [
            watch<'v1/persistentvolumeclaims'>(claims, claim => (isOurs(claim) ? [keyOf(claim)] : [])),
            watch<'storage.k8s.io/v1/storageclasses'>(classes, () => claims.store.list().filter(isOurs).map(keyOf)),
          ],
          reconcile: provision,
        },
        { sources: [watch<'v1/persistentvolumes'>(volumes, volume => [volume.metadata.name])], reconcile: reclaim },
      ];
    },
  };
}
