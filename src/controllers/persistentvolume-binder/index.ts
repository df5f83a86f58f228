/** Binds claims and volumes (pkg/controller/volume/persistentvolume of v1.35). Volumes are made and deleted by external provisioners. */
import { keyOf } from '../../api/object.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { overlay } from '../support/own-writes.ts';
import { annotations, claimKeysOf, classOf } from '../support/volumes.ts';
import { syncClaim } from './claims.ts';
import { syncVolume } from './volumes.ts';
import { claimKeyOf } from './write.ts';

/** Upstream's --pvclaimbinder-sync-period. */
const everyMs = 15_000;
const volumeKey = (name: string) => `volume:${name}`;
const claimKey = (key: string) => `claim:${key}`;
const isUnbound = (claim: PersistentVolumeClaim) =>
  claim.metadata.annotations?.[annotations.bindCompleted] === undefined;

export const persistentVolumeBinder: Controller = {
  name: 'persistentvolume-binder-controller',
  account: 'persistent-volume-binder',
  component: 'persistentvolume-controller',
  aliases: ['persistentvolume-binder'],
  setUp({ informers, client, recorder }) {
    const volumes = informers.informer('v1/persistentvolumes');
    const claims = informers.informer('v1/persistentvolumeclaims');
    const classes = informers.informer('storage.k8s.io/v1/storageclasses');
    const pods = informers.informer('v1/pods');
    pods.addIndex('claim', claimKeysOf);
    claims.addIndex('unbound', claim => (isUnbound(claim) ? ['any', `class:${classOf(claim)}`] : []));
    let enqueue: (key: string) => void = () => undefined;
    const stores = { client, recorder, volumes: overlay(volumes), claims: overlay(claims) };
    const sync = {
      ...stores,
      classes: () => classes.store.list(),
      podsOf: (key: string) => pods.store.byIndex('claim', key),
      enqueueClaim: (key: string) => enqueue(claimKey(key)),
    };
    /** Not so when its claim went before it knew of the volume, or took another one: then nobody may tell whose it was. */
    const isAtRest = ({ metadata, spec, status }: PersistentVolume, key: string | undefined): boolean => {
      if (status?.phase === 'Available') return !spec?.claimRef?.uid;
      const claim = claims.store.get(key ?? '');
      const isHolder = claim?.metadata.uid === spec?.claimRef?.uid && claim?.spec?.volumeName === metadata.name;
      return status?.phase === 'Bound' && isHolder;
    };
    const waiting = (name: string) => claims.store.byIndex('unbound', name).map(claim => claimKey(keyOf(claim)));
    return {
      attach(add) {
        enqueue = add;
      },
      sources: [
        watch<'v1/persistentvolumes'>(volumes, volume => {
          const key = claimKeyOf(volume);
          const free = key === undefined ? waiting(`class:${classOf(volume)}`) : [claimKey(key)];
          return [volumeKey(volume.metadata.name), ...free];
        }),
        watch<'v1/persistentvolumeclaims'>(claims, claim => [
          claimKey(keyOf(claim)),
          ...(claim.spec?.volumeName ? [volumeKey(claim.spec.volumeName)] : []),
        ]),
        watch<'storage.k8s.io/v1/storageclasses'>(classes, (found, old, kind) =>
          kind === 'update' && old?.metadata.annotations === found.metadata.annotations
            ? []
            : [...waiting(`class:${found.metadata.name}`), ...waiting('class:')],
        ),
      ],
      // One at a time: two claims must not take the same volume.
      concurrency: 1,
      resync: {
        everyMs,
        keys: () => [
          ...waiting('any'),
          ...volumes.store
            .list()
            .filter(v => !isAtRest(v, claimKeyOf(v)))
            .map(v => volumeKey(v.metadata.name)),
        ],
      },
      async reconcile(key) {
        const at = key.indexOf(':');
        const name = key.slice(at + 1);
        if (key.startsWith('volume:')) {
          const volume = stores.volumes.get(name);
          if (volume) await syncVolume(sync, volume);
        } else {
          const claim = stores.claims.get(name);
          if (claim) await syncClaim(sync, claim);
        }
      },
    };
  },
};
