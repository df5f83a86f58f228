/** Plugins about volumes: the default class, protection while in use, and growing. */
import type { KubeObject } from '../../api/object.ts';
import { compareQuantity } from '../../api/quantity.ts';
import type { PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import type { AdmissionPluginFactory } from './contract.ts';
import { forbid, isFor, lookUp, newestFirst, objectOf, oldObjectOf, on } from './helpers.ts';

const legacyClassAnnotation = 'volume.beta.kubernetes.io/storage-class';
const defaultAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

/** A claim that names no class gets the newest default class. */
export const defaultStorageClass: AdmissionPluginFactory = {
  name: 'DefaultStorageClass',
  create({ informers }) {
    const informer = informers.informer('storage.k8s.io/v1/storageclasses');
    return {
      name: 'DefaultStorageClass',
      handles: on('CREATE'),
      admit(request) {
        if (!isFor(request, '/persistentvolumeclaims')) return;
        const claim = objectOf<PersistentVolumeClaim>(request);
        if (claim.spec?.storageClassName !== undefined) return;
        if (claim.metadata.annotations?.[legacyClassAnnotation] !== undefined) return;
        const [found] = informer.store
          .list()
          .filter(c => defaultAnnotations.some(a => c.metadata.annotations?.[a] === 'true'))
          .sort(newestFirst);
        if (found) claim.spec = { ...claim.spec, storageClassName: found.metadata.name };
      },
    };
  },
};

const finalizers: Readonly<Record<string, string>> = {
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
};

/** Volumes and claims are not removed while something uses them; a controller lifts the finalizer. */
export const storageObjectInUseProtection: AdmissionPluginFactory = {
  name: 'StorageObjectInUseProtection',
  create: () => ({
    name: 'StorageObjectInUseProtection',
    handles: on('CREATE'),
    admit(request) {
      const finalizer = finalizers[`${request.resource.group}/${request.resource.plural}`];
      if (!finalizer || request.subresource) return;
      const { metadata } = objectOf<KubeObject>(request);
      if (!metadata.finalizers?.includes(finalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
    },
  }),
};

const sizeOf = (claim: PersistentVolumeClaim): string => claim.spec?.resources?.requests?.['storage'] ?? '0';

/** A claim grows only when it is bound and its class allows it. */
export const persistentVolumeClaimResize: AdmissionPluginFactory = {
  name: 'PersistentVolumeClaimResize',
  create({ client, informers }) {
    const informer = informers.informer('storage.k8s.io/v1/storageclasses');
    const classes = client.resource('storage.k8s.io/v1/storageclasses');
    return {
      name: 'PersistentVolumeClaimResize',
      resources: ['/persistentvolumeclaims'],
      handles: on('UPDATE'),
      async validate(request) {
        if (!isFor(request, '/persistentvolumeclaims')) return;
        const claim = objectOf<PersistentVolumeClaim>(request);
        const old = oldObjectOf<PersistentVolumeClaim>(request);
        if (compareQuantity(sizeOf(claim), sizeOf(old)) <= 0) return;
        if (old.status?.phase !== 'Bound') throw forbid(request, 'Only bound persistent volume claims can be expanded');
        const name = claim.metadata.annotations?.[legacyClassAnnotation] ?? claim.spec?.storageClassName;
        const found = name ? await lookUp(informer, classes, name) : undefined;
        if (!found?.allowVolumeExpansion)
          throw forbid(
            request,
            'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
          );
      },
    };
  },
};
