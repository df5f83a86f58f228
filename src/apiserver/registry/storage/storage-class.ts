import type { StorageClass, VolumeAttributesClass } from '../../../api/types/storage-v1.ts';
import { ageColumn, flag, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';

const defaultKeys = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];
const isDefault = (obj: StorageClass) => defaultKeys.some(key => obj.metadata.annotations?.[key] === 'true');

export const storageClasses = clusterScoped<StorageClass>({
  resource: 'storage.k8s.io/storageclasses',
  specless: true,
  default(obj) {
    obj.reclaimPolicy ??= 'Delete';
    obj.volumeBindingMode ??= 'Immediate';
  },
  columns: [
    { ...nameColumn, cell: (obj: StorageClass) => `${obj.metadata.name}${isDefault(obj) ? ' (default)' : ''}` },
    text('Provisioner', obj => obj.provisioner),
    text('ReclaimPolicy', obj => obj.reclaimPolicy ?? 'Delete'),
    text('VolumeBindingMode', obj => obj.volumeBindingMode ?? 'Immediate'),
    flag('AllowVolumeExpansion', obj => obj.allowVolumeExpansion ?? false),
    ageColumn,
  ],
});

export const volumeAttributesClasses = clusterScoped<VolumeAttributesClass>({
  resource: 'storage.k8s.io/volumeattributesclasses',
  specless: true,
  columns: [nameColumn, text('DriverName', obj => obj.driverName), ageColumn],
});
