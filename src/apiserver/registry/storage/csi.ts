import type { CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment } from '../../../api/types/storage-v1.ts';
import { ageColumn, flag, integer, nameColumn, text } from '../columns.ts';
import { clusterScoped, namespaced, statusSubresource } from '../define.ts';
import * as rules from './csi-validate.ts';

export const csiDrivers = clusterScoped<CSIDriver>({
  resource: 'storage.k8s.io/csidrivers',
  validate: rules.validateDriver,
  validateUpdate: rules.validateDriverUpdate,
  warnings: rules.driverWarnings,
  allowUnconditionalUpdate: false,
  generation: true,
  default({ spec }) {
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  columns: [
    nameColumn,
    flag('AttachRequired', obj => obj.spec.attachRequired ?? true),
    flag('PodInfoOnMount', obj => obj.spec.podInfoOnMount ?? false),
    flag('StorageCapacity', obj => obj.spec.storageCapacity ?? false),
    text('TokenRequests', obj => obj.spec.tokenRequests?.map(r => r.audience).join(',') ?? '<unset>'),
    flag('RequiresRepublish', obj => obj.spec.requiresRepublish ?? false),
    text('Modes', obj => obj.spec.volumeLifecycleModes?.join(',') || '<none>'),
    ageColumn,
  ],
});

export const csiNodes = clusterScoped<CSINode>({
  resource: 'storage.k8s.io/csinodes',
  validate: rules.validateNode,
  validateUpdate: rules.validateNodeUpdate,
  allowUnconditionalUpdate: false,
  columns: [nameColumn, integer('Drivers', obj => obj.spec.drivers?.length ?? 0), ageColumn],
});

export const csiStorageCapacities = namespaced<CSIStorageCapacity>({
  resource: 'storage.k8s.io/csistoragecapacities',
  validate: rules.validateCapacity,
  validateUpdate: rules.validateCapacityUpdate,
  warnings: rules.capacityWarnings,
  allowUnconditionalUpdate: false,
  specless: true,
  columns: [
    nameColumn,
    text('StorageClassName', obj => obj.storageClassName),
    text('Capacity', obj => obj.capacity ?? '<unset>'),
  ],
});

export const volumeAttachments = clusterScoped<VolumeAttachment>({
  resource: 'storage.k8s.io/volumeattachments',
  generation: false,
  allowUnconditionalUpdate: false,
  validate: rules.validateAttachment,
  validateCreate: rules.validateAttachmentCreate,
  validateUpdate: rules.validateAttachmentUpdate,
  subresources: {
    status: statusSubresource<VolumeAttachment>({ fixedMetadata: true, validateUpdate: rules.validateAttachment }),
  },
  default(obj) {
    obj.status ??= { attached: false };
    if (obj.spec?.source?.inlineVolumeSpec) obj.spec.source.inlineVolumeSpec.volumeMode ??= 'Filesystem';
  },
  initialStatus: () => ({ attached: false }),
  columns: [
    nameColumn,
    { ...text('Attacher', (obj: VolumeAttachment) => obj.spec.attacher), format: 'name' },
    text('PV', obj => obj.spec.source?.persistentVolumeName ?? ''),
    text('Node', obj => obj.spec.nodeName),
    flag('Attached', obj => obj.status?.attached ?? false),
    ageColumn,
  ],
});
