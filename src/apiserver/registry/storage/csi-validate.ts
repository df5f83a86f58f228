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
  same,
} from '../checks.ts';
import { nodeLabelComplaint, nodeLabelWarnings } from '../core/node-labels.ts';
import { validateVolumeSpec } from '../core/persistent-volume.ts';
import { csiDriverName } from '../core/pod/volume-sources.ts';
import { validateQuantity } from '../core/resource-names.ts';
import { field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';

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
    if (twice) return [field.duplicate(`${at}.audience`, audience)];
    const where = `${at}.expirationSeconds`;
    return [
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
    ...required(spec.attachRequired, 'spec.attachedRequired'),
    ...required(spec.podInfoOnMount, 'spec.podInfoOnMount'),
    ...required(spec.storageCapacity, 'spec.storageCapacity'),
    ...optional(spec.fsGroupPolicy, 'spec.fsGroupPolicy', oneOf(fsGroupPolicies)),
    ...validateTokenRequests(driver),
    ...(spec.volumeLifecycleModes ?? []).flatMap(mode =>
      oneOf(['Persistent', 'Ephemeral'])(mode, 'spec.volumeLifecycleModes'),
    ),
    ...required(spec.seLinuxMount, 'spec.seLinuxMount'),
    ...optional(spec.nodeAllocatableUpdatePeriodSeconds, 'spec.nodeAllocatableUpdatePeriodSeconds', (value, at) =>
      value < minUpdateSeconds
        ? [field.invalid(at, value, `must be greater than or equal to ${minUpdateSeconds} seconds`)]
        : [],
    ),
    ...optional(spec.serviceAccountTokenInSecrets, 'spec.serviceAccountTokenInSecrets', (value, at) =>
      spec.tokenRequests?.length
        ? []
        : [field.invalid(at, value, 'serviceAccountTokenInSecrets is set but no tokenRequests are specified')],
    ),
  ];
}

/** Tokens in volume attributes end up in logs. */
export function driverWarnings({ spec }: CSIDriver, old: CSIDriver | undefined): string[] {
  const open = spec.tokenRequests?.length && spec.serviceAccountTokenInSecrets === undefined;
  return !open || (old && same(spec.tokenRequests, old.spec.tokenRequests))
    ? []
    : [
        'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
      ];
}

export function validateDriverUpdate({ spec }: CSIDriver, { spec: old }: CSIDriver): Errors {
  return [
    ...immutable(spec.attachRequired, old.attachRequired, 'spec.attachedRequired'),
    ...immutable(spec.volumeLifecycleModes, old.volumeLifecycleModes, 'spec.volumeLifecycleModes'),
  ];
}

const maxNodeId = 256;

/** Complaints about topology keys are made at the driver. */
function validateTopologyKeys(keys: readonly string[], path: string): Errors {
  return keys.flatMap((key, i) => [
    ...(key ? [] : [field.required(path)]),
    ...(keys.indexOf(key) < i ? [field.duplicate(path, key)] : []),
    ...qualifiedName(key, path),
  ]);
}

function validateNodeDriver(
  { name, nodeID = '', topologyKeys = [], allocatable }: CSINodeDriver,
  path: string,
): Errors {
  return [
    ...csiDriverName(name, `${path}.name`),
    ...required(nodeID, `${path}.nodeID`),
    ...(byteLength(nodeID) > maxNodeId
      ? [field.invalid(`${path}.nodeID`, nodeID, `must be ${maxNodeId} characters or less`)]
      : []),
    ...optional(allocatable?.count, `${path}.allocatable.count`, nonNegative),
    ...validateTopologyKeys(topologyKeys, path),
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
  return (old.drivers ?? []).flatMap(before =>
    (spec.drivers ?? [])
      .filter(driver => driver.name === before.name)
      .filter(driver => driver.nodeID !== before.nodeID || !same(driver.topologyKeys, before.topologyKeys))
      .map(({ name, nodeID, topologyKeys = null }) => {
        // Upstream shows its internal type, without the part that may change.
        const shown = { Name: name, NodeID: nodeID, TopologyKeys: topologyKeys, Allocatable: null };
        return field.invalid('spec.drivers', shown, 'field is immutable');
      }),
  );
}

export function validateCapacity(obj: CSIStorageCapacity): Errors {
  return [
    ...validateLabelSelector(obj.nodeTopology, 'nodeTopology'),
    ...objectName()(obj.storageClassName ?? '', 'storageClassName'),
    ...optional(obj.capacity, 'capacity', (value, at) => validateQuantity('', value, at)),
  ];
}

export function capacityWarnings({ nodeTopology: topology }: CSIStorageCapacity): string[] {
  return [
    ...(topology?.matchExpressions ?? []).flatMap(({ key }, i) =>
      nodeLabelWarnings(key, `nodeTopology.matchExpressions[${i}].key`),
    ),
    ...Object.keys(topology?.matchLabels ?? {}).flatMap(key => {
      const why = nodeLabelComplaint(key);
      return why === undefined ? [] : [`nodeTopology.matchLabels.${key}: ${why}`];
    }),
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

/** The limit that is reported is that of the metadata, as upstream does. */
function validateError(error: VolumeError, path: string): Errors {
  return [
    ...(byteLength(error.message ?? '') > maxErrorBytes ? [field.tooLong(`${path}.message`, maxMetadataBytes)] : []),
    ...optional(error.errorCode, `${path}.errorCode`, (value, at) =>
      value < 0 ? [field.invalid(at, value, rangeError(0, 0x7fffffff))] : [],
    ),
  ];
}

function validateAttachmentStatus({ status }: VolumeAttachment): Errors {
  const metadata = Object.entries(status?.attachmentMetadata ?? {});
  const size = metadata.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0);
  return [
    ...(size > maxMetadataBytes ? [field.tooLong('status.attachmentMetadata', maxMetadataBytes)] : []),
    ...optional(status?.attachError, 'status.attachError', validateError),
    ...optional(status?.detachError, 'status.detachError', validateError),
  ];
}

function validateSource({ spec: { source = {} }, metadata }: VolumeAttachment): Errors {
  const path = 'spec.source';
  const { inlineVolumeSpec: inline, persistentVolumeName: name } = source;
  const detail = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inline && name !== undefined) return [field.forbidden(path, detail)];
  if (inline) return validateVolumeSpec(inline, `${path}.inlineVolumeSpec`, metadata.name, true);
  if (name === undefined) return [field.required(path, detail)];
  return required(name, `${path}.persistentVolumeName`, 'must specify non empty persistentVolumeName');
}

export function validateAttachment(attachment: VolumeAttachment): Errors {
  const { spec } = attachment;
  return [
    ...required(spec.attacher, 'spec.attacher'),
    ...validateSource(attachment),
    ...objectName()(spec.nodeName ?? '', 'spec.nodeName'),
    ...validateAttachmentStatus(attachment),
  ];
}

/** What v1 asks beyond the rules of its older versions, of new objects. */
export function validateAttachmentCreate({ spec }: VolumeAttachment): Errors {
  return [
    ...csiDriverName(spec.attacher, 'spec.attacher'),
    ...optional(spec.source?.persistentVolumeName, 'spec.source.persistentVolumeName', objectName()),
  ];
}

export function validateAttachmentUpdate({ spec }: VolumeAttachment, { spec: old }: VolumeAttachment): Errors {
  if (same(spec, old)) return [];
  const { persistentVolumeName = null, inlineVolumeSpec = null } = spec.source ?? {};
  const shown = {
    Attacher: spec.attacher,
    Source: { PersistentVolumeName: persistentVolumeName, InlineVolumeSpec: inlineVolumeSpec },
    NodeName: spec.nodeName,
  };
  return [field.invalid('spec', shown, 'field is immutable')];
}
