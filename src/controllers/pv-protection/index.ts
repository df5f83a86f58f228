/** Keeps volumes while they are bound (pkg/controller/volume/pvprotection of v1.35). */
import { keyOf } from '../../api/object.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { setFinalizer } from '../support/finalizers.ts';

const finalizer = 'kubernetes.io/pv-protection';

export const pvProtectionController: Controller = {
  name: 'persistentvolume-protection-controller',
  account: 'pv-protection-controller',
  aliases: ['pv-protection'],
  setUp({ informers, client }) {
    const volumes = informers.informer('v1/persistentvolumes');
    return {
      sources: [
        watch<'v1/persistentvolumes'>(volumes, (volume, _old, kind) => {
          const has = volume.metadata.finalizers?.includes(finalizer) === true;
          return kind !== 'delete' && has === (volume.metadata.deletionTimestamp !== undefined) ? [keyOf(volume)] : [];
        }),
      ],
      async reconcile(name) {
        const volume = volumes.store.get(name);
        if (!volume) return;
        const going = volume.metadata.deletionTimestamp !== undefined;
        if (going && volume.status?.phase === 'Bound') return;
        await setFinalizer(client.persistentvolumes(), volume, finalizer, !going);
      },
    };
  },
};
