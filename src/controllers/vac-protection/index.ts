/** Keeps classes of volume attributes while claims or volumes use them (pkg/controller/volume/vacprotection of v1.35). */
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { setFinalizer } from '../support/finalizers.ts';

const finalizer = 'kubernetes.io/vac-protection';

export const classesOfClaim = ({ spec, status }: PersistentVolumeClaim): string[] =>
  [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter((name): name is string => name !== undefined && name !== '');
const classesOfVolume = ({ spec }: PersistentVolume): string[] =>
  spec?.volumeAttributesClassName ? [spec.volumeAttributesClassName] : [];

export const vacProtectionController: Controller = {
  name: 'volumeattributesclass-protection-controller',
  setUp({ informers, client }) {
    const classes = informers.informer('storage.k8s.io/v1/volumeattributesclasses');
    const claims = informers.informer('v1/persistentvolumeclaims');
    const volumes = informers.informer('v1/persistentvolumes');
    claims.addIndex('attributes', classesOfClaim);
    volumes.addIndex('attributes', classesOfVolume);
    return {
      sources: [
        watch<'storage.k8s.io/v1/volumeattributesclasses'>(classes, found => [found.metadata.name]),
        watch<'v1/persistentvolumeclaims'>(claims, (claim, old) => [
          ...classesOfClaim(old ?? claim),
          ...(old ? [] : classesOfClaim(claim)),
        ]),
        watch<'v1/persistentvolumes'>(volumes, (volume, old) => classesOfVolume(old ?? volume)),
      ],
      async reconcile(name) {
        const found = classes.store.get(name);
        if (!found) return;
        const target = client.volumeattributesclasses();
        if (!found.metadata.deletionTimestamp) return setFinalizer(target, found, finalizer, true);
        const used = [claims, volumes].some(informer => informer.store.byIndex('attributes', name).length > 0);
        if (!used) await setFinalizer(target, found, finalizer, false);
      },
    };
  },
};
