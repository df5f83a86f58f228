/** Marks claims that want to grow for the CSI driver's resizer (pkg/controller/volume/expand of v1.35). */
import { keyOf } from '../../api/object.ts';
import { compareQuantity } from '../../api/quantity.ts';
import type { PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { annotations, storageOf } from '../support/volumes.ts';

function wantsToGrow({ spec, status }: PersistentVolumeClaim): boolean {
  if (status?.phase !== 'Bound' || !spec?.volumeName) return false;
  return compareQuantity(storageOf(spec.resources?.requests), storageOf(status.capacity)) > 0;
}

export const persistentVolumeExpander: Controller = {
  name: 'persistentvolume-expander-controller',
  account: 'expand-controller',
  component: 'volume_expand',
  aliases: ['persistentvolume-expander'],
  setUp({ informers, client, recorder }) {
    const claims = informers.informer('v1/persistentvolumeclaims');
    const volumes = informers.informer('v1/persistentvolumes');
    return {
      sources: [
        watch<'v1/persistentvolumeclaims'>(claims, (claim, old, kind) => {
          const size = (c: PersistentVolumeClaim) => storageOf(c.spec?.resources?.requests);
          const changed =
            !old || compareQuantity(size(old), size(claim)) !== 0 || old.status?.phase !== claim.status?.phase;
          return kind !== 'delete' && changed && wantsToGrow(claim) ? [keyOf(claim)] : [];
        }),
      ],
      async reconcile(key) {
        const claim = claims.store.get(key);
        const volume = claim?.spec?.volumeName ? volumes.store.get(claim.spec.volumeName) : undefined;
        if (!claim || !volume || !wantsToGrow(claim) || volume.spec?.claimRef?.uid !== claim.metadata.uid) return;
        const driver = volume.spec?.csi?.driver;
        const message = driver
          ? 'waiting for an external controller to expand this PVC'
          : "didn't find a plugin capable of expanding the volume; waiting for an external controller to process this PVC";
        recorder.event(claim, 'Normal', 'ExternalExpanding', message);
        if (!driver || claim.metadata.annotations?.[annotations.resizer] === driver) return;
        const { name, namespace, uid } = claim.metadata;
        await client
          .persistentvolumeclaims(namespace)
          .patch(
            name,
            'merge',
            { metadata: { uid, annotations: { [annotations.resizer]: driver } } },
            { subresource: 'status' },
          )
          .catch(e => {
            if (!isNotFound(e)) throw e;
          });
      },
    };
  },
};
