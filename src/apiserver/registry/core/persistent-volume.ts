/** Persistent volumes (ValidatePersistentVolume). */

import { sortedMap } from '../../../api/codec/coerce.ts';
import type {
  AzureFilePersistentVolumeSource,
  CinderPersistentVolumeSource,
  CSIPersistentVolumeSource,
  GlusterfsPersistentVolumeSource,
  LocalVolumeSource,
  PersistentVolume,
  PersistentVolumeSpec,
  StorageOSPersistentVolumeSource,
  VolumeNodeAffinity,
} from '../../../api/types/core-v1.ts';
import { nameIsDnsLabel } from '../../../api/validation/names.ts';
import {
  type Check,
  type Errors,
  eachEntry,
  forbidden,
  immutable,
  invalidAll,
  nonEmpty,
  objectName,
  oneMember,
  oneOf,
  optional,
  required,
  same,
} from '../checks.ts';
import { field } from '../field-errors.ts';
import { internalForm } from '../internal-form.ts';
import { describeChanges } from '../meta/diff.ts';
import { validateAccessModes, volumeMode } from './claim-spec.ts';
import { noBacksteps } from './pod/paths.ts';
import { validateNodeSelector } from './pod/scheduling.ts';
import * as source from './pod/volume-sources.ts';
import { validatePositiveQuantity } from './resource-names.ts';
import { volumeAffinity } from './shown-selectors.ts';

const { fieldsRequired } = source;

const glusterfs: Check<GlusterfsPersistentVolumeSource> = (volume, path) => [
  ...fieldsRequired<GlusterfsPersistentVolumeSource>('endpoints', 'path')(volume, path),
  ...optional(volume.endpointsNamespace, `${path}.endpointsNamespace`, (value, at) =>
    value === ''
      ? [field.invalid(at, value, 'if the endpointnamespace is set, it must be a valid namespace name')]
      : invalidAll(at, value, nameIsDnsLabel(value, false)),
  ),
];

const cinder: Check<CinderPersistentVolumeSource> = (volume, path) => [
  ...required(volume.volumeID, `${path}.volumeID`),
  ...optional(volume.secretRef, `${path}.secretRef`, source.namespacedSecretRef),
];

const azureFile: Check<AzureFilePersistentVolumeSource> = (volume, path) => [
  ...fieldsRequired<AzureFilePersistentVolumeSource>('secretName', 'shareName')(volume, path),
  ...optional(volume.secretNamespace, `${path}.secretNamespace`, (value, at) => required(value, at)),
];

const storageos: Check<StorageOSPersistentVolumeSource> = (volume, path) => [
  ...source.storageos(volume, path),
  ...optional(volume.secretRef, `${path}.secretRef`, source.namespacedSecretRef),
];

const local: Check<LocalVolumeSource> = (volume, path) =>
  volume.path ? noBacksteps(volume.path, `${path}.path`) : [field.required(`${path}.path`)];

const csiSecrets = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
] as const;
const csi: Check<CSIPersistentVolumeSource> = (volume, path) => [
  ...source.csiDriverName(volume.driver, `${path}.driver`),
  ...required(volume.volumeHandle, `${path}.volumeHandle`),
  ...csiSecrets.flatMap(key => optional(volume[key], `${path}.${key}`, source.strictSecretRef)),
];

const iscsi: Check<source.Iscsi> = (volume, path) => [
  ...source.iscsi(volume, path),
  ...optional(volume.secretRef, `${path}.secretRef`, source.secretRef),
];

const sources = [
  { key: 'hostPath', check: source.hostPath },
  { key: 'gcePersistentDisk', check: source.gcePersistentDisk },
  { key: 'awsElasticBlockStore', check: source.awsElasticBlockStore },
  { key: 'glusterfs', check: glusterfs },
  { key: 'flocker', check: source.flocker },
  { key: 'nfs', check: source.nfs },
  { key: 'rbd', check: fieldsRequired('monitors', 'image') },
  { key: 'quobyte', check: source.quobyte },
  { key: 'cephfs', check: fieldsRequired('monitors') },
  { key: 'iscsi', check: iscsi },
  { key: 'cinder', check: cinder },
  { key: 'fc', check: source.fc },
  { key: 'flexVolume', check: source.flexVolume },
  { key: 'azureFile', check: azureFile },
  { key: 'vsphereVolume', check: fieldsRequired('volumePath') },
  { key: 'photonPersistentDisk', check: fieldsRequired('pdID') },
  { key: 'portworxVolume', check: fieldsRequired('volumeID') },
  { key: 'azureDisk', check: source.azureDisk },
  { key: 'scaleIO', check: fieldsRequired('gateway', 'system', 'volumeName') },
  { key: 'local', check: local },
  { key: 'storageos', check: storageos },
  { key: 'csi', check: csi },
] as const satisfies readonly { key: keyof PersistentVolumeSpec; check: Check<never> }[];

function validateCapacity(spec: PersistentVolumeSpec, path: string): Errors {
  const names = Object.keys(spec.capacity ?? {});
  const only = names.length === 1 && names[0] === 'storage';
  return [
    ...required(names, path),
    ...(only ? [] : [field.notSupported(path, spec.capacity && sortedMap(spec.capacity), ['storage'])]),
    ...eachEntry(spec.capacity, path, (value, at) => validatePositiveQuantity(value, at)),
  ];
}

/** An inline volume of an attachment is a CSI volume without the parts that only stored volumes have. */
function validateInline(spec: PersistentVolumeSpec, path: string): Errors {
  const not = 'may not be specified in the context of inline volumes';
  const policy = spec.persistentVolumeReclaimPolicy;
  return [
    ...forbidden(spec.claimRef, `${path}.claimRef`, not),
    ...forbidden(Object.keys(spec.capacity ?? {}).length, `${path}.capacity`, not),
    ...(spec.csi ? [] : [field.required(`${path}.csi`, 'has to be specified in the context of inline volumes')]),
    ...forbidden(
      policy && policy !== 'Retain',
      `${path}.persistentVolumeReclaimPolicy`,
      'may only be Retain in the context of inline volumes',
    ),
    ...forbidden(spec.nodeAffinity, `${path}.nodeAffinity`, not),
    ...forbidden(spec.storageClassName, `${path}.storageClassName`, not),
  ];
}

function validateStored(spec: PersistentVolumeSpec, path: string): Errors {
  const affinity = spec.nodeAffinity;
  const node = `${path}.nodeAffinity`;
  const recycled = spec.persistentVolumeReclaimPolicy === 'Recycle';
  return [
    ...validateCapacity(spec, `${path}.capacity`),
    ...nonEmpty(
      spec.persistentVolumeReclaimPolicy,
      `${path}.persistentVolumeReclaimPolicy`,
      oneOf(['Delete', 'Recycle', 'Retain']),
    ),
    ...(affinity
      ? affinity.required
        ? validateNodeSelector(affinity.required, `${node}.required`)
        : [field.required(`${node}.required`, 'must specify required node constraints')]
      : []),
    ...(spec.local && !affinity ? [field.required(node, 'Local volume requires node affinity')] : []),
    ...forbidden(
      spec.hostPath?.path === '/' && recycled,
      `${path}.persistentVolumeReclaimPolicy`,
      "may not be 'recycle' for a hostPath mount of '/'",
    ),
    ...nonEmpty(spec.storageClassName, `${path}.storageClassName`, objectName()),
    ...optional(spec.volumeAttributesClassName, `${path}.volumeAttributesClassName`, (name, at) => [
      ...(name === '' ? [field.required(at, 'an empty string is disallowed')] : objectName()(name, at)),
      ...(spec.csi ? [] : [field.required(`${path}.csi`, 'has to be specified when using volumeAttributesClassName')]),
    ]),
  ];
}

/** @param inline the spec stands in a volume attachment. */
export function validateVolumeSpec(spec: PersistentVolumeSpec, path: string, name: string, inline = false): Errors {
  const portal = spec.iscsi?.targetPortal;
  const tooLong = spec.iscsi?.initiatorName !== undefined && `${name}:${portal}`.length > 64;
  return [
    ...required(spec.accessModes, `${path}.accessModes`),
    ...validateAccessModes(spec.accessModes, `${path}.accessModes`),
    ...(inline ? validateInline(spec, path) : validateStored(spec, path)),
    ...oneMember(
      spec,
      path,
      sources as unknown as Parameters<typeof oneMember<PersistentVolumeSpec>>[2],
      'may not specify more than 1 volume type',
      'must specify a volume type',
    ),
    ...(tooLong ? [field.invalid(`${path}.iscsi.targetportal`, portal, source.iscsiNameTooLong)] : []),
    ...optional(spec.volumeMode, `${path}.volumeMode`, volumeMode),
  ];
}

export function validateVolume(volume: PersistentVolume): Errors {
  return validateVolumeSpec(volume.spec, 'spec', volume.metadata.name);
}

const pick = (spec: PersistentVolumeSpec) =>
  Object.fromEntries(sources.map(({ key }) => [key, spec[key]] as const).filter(([, value]) => value !== undefined));

/** Only the secrets that a CSI driver needs to expand may be added to a source. */
function sourceOf(spec: PersistentVolumeSpec, old: PersistentVolumeSpec): unknown {
  const found = structuredClone(pick(spec)) as { csi?: CSIPersistentVolumeSource };
  for (const key of ['controllerExpandSecretRef', 'nodeExpandSecretRef'] as const) {
    if (found.csi && old.csi && old.csi[key] === undefined) delete found.csi[key];
  }
  return found;
}

/** Labels of old may become those that took their place; nothing else changes. */
const successors: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
};

function validateAffinityUpdate(now: VolumeNodeAffinity | undefined, old: VolumeNodeAffinity): Errors {
  const why = 'field is immutable, except for updating from beta label to GA';
  const keyAt = (term: number, list: 'matchExpressions' | 'matchFields', i: number) =>
    now?.required?.nodeSelectorTerms[term]?.[list]?.[i]?.key;
  const renamed = structuredClone(old);
  for (const [t, term] of (renamed.required?.nodeSelectorTerms ?? []).entries())
    for (const list of ['matchExpressions', 'matchFields'] as const)
      for (const [i, requirement] of (term[list] ?? []).entries()) {
        const successor = successors[requirement.key];
        if (successor !== undefined && successor === keyAt(t, list, i)) requirement.key = successor;
      }
  return same(now, renamed) ? [] : [field.invalid('nodeAffinity', internalForm(volumeAffinity, now), why)];
}

export function validateVolumeUpdate({ spec }: PersistentVolume, { spec: old }: PersistentVolume): Errors {
  const now = sourceOf(spec, old);
  const before = pick(old);
  const why = 'spec.persistentvolumesource is immutable after creation';
  return [
    ...(same(now, before)
      ? []
      : [field.forbidden('spec.persistentvolumesource', `${why}\n${describeChanges(before, now)}`)]),
    ...immutable(spec.volumeMode, old.volumeMode, 'volumeMode'),
    ...(old.nodeAffinity ? validateAffinityUpdate(spec.nodeAffinity, old.nodeAffinity) : []),
    ...forbidden(
      old.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined,
      'spec.volumeAttributesClassName',
      'update from non-nil value to nil is forbidden',
    ),
  ];
}
