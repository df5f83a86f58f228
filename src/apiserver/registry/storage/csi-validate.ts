/** CSI kinds and attachments (pkg/apis/storage/validation). */
import type {
  CSIDriver,
  CSINode,
  CSINodeDriver,
  CSIStorageCapacity,
  VolumeAttachment,
  VolumeError,
} from '../../../api/types/storage-v1.ts';
import { byteLength, rangeError } from '../../../api/validation/names.ts';
import {
  type Errors,
  each,
  immutable,
  nonNegative,
  objectName,
  oneOf,
  optional,
  qualifiedName,
  required,
  requiredAnd,
  same,
} from '../checks.ts';
import { validateVolumeSpec } from '../core/persistent-volume.ts';
import { csiDriverName } from '../core/pod/volume-sources.ts';
import { validateQuantity } from '../core/resource-names.ts';
import { field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import { validateLabelName } from '../meta/object-meta.ts';

const tenMinutes = 600;
const maxTokenSeconds = 2 ** 32;
const fsGroupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType'];
const minUpdateSeconds = 10;

function validateTokenRequests({ spec }: CSIDriver): Errors {
  const path = 'spec.tokenRequests';
  const audiences = new Set<string>();
  return each(spec.tokenRequests, path, ({ audience, expirationSeconds: seconds }, at) => {
    const twice = audiences.has(audience);
    audiences.add(audience);
    const where = `${at}.expirationSeconds`;
    return [
      ...(twice ? [field.duplicate(`${at}.audience`, audience)] : []),
      ...(seconds !== undefined && seconds < tenMinutes
        ? [field.invalid(where, seconds, 'may not specify a duration less than 10 minutes')]
        : []),
      ...(seconds !== undefined && seconds > maxTokenSeconds
        ? [field.invalid(where, seconds, 'may not specify a duration larger than 2^32 seconds')]
        : []),
    ];
  });
}

export function validateDriver(driver: CSIDriver): Errors {
  const { spec } = driver;
  return [
    ...csiDriverName(driver.metadata.name, 'name'),
    ...required(spec.attachRequired, 'spec.attachedRequired'),
    ...required(spec.podInfoOnMount, 'spec.podInfoOnMount'),
    ...required(spec.storageCapacity, 'spec.storageCapacity'),
    ...required(spec.requiresRepublish, 'spec.requiresRepublish'),
    ...optional(spec.fsGroupPolicy, 'spec.fsGroupPolicy', oneOf(fsGroupPolicies)),
    ...validateTokenRequests(driver),
    ...(spec.volumeLifecycleModes ?? []).flatMap(mode =>
      oneOf(['Persistent', 'Ephemeral'])(mode, 'spec.volumeLifecycleModes'),
    ),
    ...optional(spec.nodeAllocatableUpdatePeriodSeconds, 'spec.nodeAllocatableUpdatePeriodSeconds', (value, at) =>
      value < minUpdateSeconds
        ? [field.invalid(at, value, `must be greater than or equal to ${minUpdateSeconds} seconds`)]
        : [],
    ),
  ];
}

export function validateDriverUpdate({ spec }: CSIDriver, { spec: old }: CSIDriver): Errors {
  return [
    ...immutable(spec.attachRequired, old.attachRequired, 'spec.attachedRequired'),
    ...immutable(spec.volumeLifecycleModes, old.volumeLifecycleModes, 'spec.volumeLifecycleModes'),
  ];
}

const maxNodeId = 256;

function validateNodeDriver(driver: CSINodeDriver, path: string): Errors {
  const { name, nodeID, topologyKeys = [], allocatable } = driver;
  const keys = new Set<string>();
  return [
    ...csiDriverName(name, `${path}.name`),
    ...(nodeID
      ? byteLength(nodeID) > maxNodeId
        ? [field.invalid(`${path}.nodeID`, nodeID, `must be ${maxNodeId} characters or less`)]
        : []
      : [field.required(`${path}.nodeID`)]),
    ...optional(allocatable?.count, `${path}.allocatable.count`, nonNegative),
    ...topologyKeys.flatMap(key => {
      const at = `${path}.topologyKeys`;
      if (!key) return [field.required(at)];
      if (keys.has(key)) return [field.duplicate(at, key)];
      keys.add(key);
      return qualifiedName(key, at).length > 0 ? validateLabelName(key, at) : [];
    }),
  ];
}

export function validateNode({ spec }: CSINode): Errors {
  const names = new Set<string>();
  return each(spec.drivers, 'spec.drivers', (driver, at) => {
    const twice = names.has(driver.name);
    names.add(driver.name);
    return [...validateNodeDriver(driver, at), ...(twice ? [field.duplicate(`${at}.name`, driver.name)] : [])];
  });
}

/** A driver is replaced as a whole; only what the node can hold may change in place. */
export function validateNodeUpdate({ spec }: CSINode, { spec: old }: CSINode): Errors {
  const fixed = ({ allocatable: _, ...rest }: CSINodeDriver) => rest;
  return each(spec.drivers, 'spec.drivers', (driver, at) => {
    const before = old.drivers?.find(d => d.name === driver.name);
    return before && !same(fixed(driver), fixed(before)) ? [field.invalid(at, driver, 'field is immutable')] : [];
  });
}

export function validateCapacity(obj: CSIStorageCapacity): Errors {
  return [
    ...requiredAnd(obj.storageClassName, 'storageClassName', objectName()),
    ...validateLabelSelector(obj.nodeTopology, 'nodeTopology'),
    ...optional(obj.capacity, 'capacity', (value, at) => validateQuantity('storage', value, at)),
    ...optional(obj.maximumVolumeSize, 'maximumVolumeSize', (value, at) => validateQuantity('storage', value, at)),
  ];
}

export function validateCapacityUpdate(obj: CSIStorageCapacity, old: CSIStorageCapacity): Errors {
  return [
    ...immutable(obj.nodeTopology, old.nodeTopology, 'nodeTopology'),
    ...immutable(obj.storageClassName, old.storageClassName, 'storageClassName'),
  ];
}

const maxErrorBytes = 1024;
const maxMetadataBytes = 256 * 1024;

function validateError(error: VolumeError | undefined, path: string): Errors {
  if (!error) return [];
  return [
    ...(byteLength(error.message ?? '') > maxErrorBytes ? [field.tooLong(`${path}.message`, maxErrorBytes)] : []),
    ...optional(error.errorCode, `${path}.errorCode`, (value, at) =>
      value < 0 ? [field.invalid(at, value, rangeError(0, 0x7fffffff))] : [],
    ),
  ];
}

export function validateAttachmentStatus({ status }: VolumeAttachment): Errors {
  const metadata = Object.entries(status?.attachmentMetadata ?? {});
  const size = metadata.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0);
  return [
    ...(size > maxMetadataBytes ? [field.tooLong('status.attachmentMetadata', maxMetadataBytes)] : []),
    ...validateError(status?.attachError, 'status.attachError'),
    ...validateError(status?.detachError, 'status.detachError'),
  ];
}

export function validateAttachment(attachment: VolumeAttachment): Errors {
  const { spec, metadata } = attachment;
  const path = 'spec.source';
  const { inlineVolumeSpec: inline, persistentVolumeName: name } = spec.source ?? {};
  const source = inline
    ? name !== undefined
      ? [field.forbidden(path, 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')]
      : validateVolumeSpec(inline, `${path}.inlineVolumeSpec`, metadata.name, true)
    : name
      ? objectName()(name, `${path}.persistentVolumeName`)
      : [field.required(path, 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')];
  return [
    ...csiDriverName(spec.attacher, 'spec.attacher'),
    ...source,
    ...requiredAnd(spec.nodeName, 'spec.nodeName', objectName()),
    ...validateAttachmentStatus(attachment),
  ];
}

export function validateAttachmentUpdate(obj: VolumeAttachment, old: VolumeAttachment): Errors {
  return same(obj.spec, old.spec) ? [] : [field.invalid('spec', obj.spec, 'field is immutable')];
}
