/** One check per kind of volume, shared by pods and persistent volumes. */
import type {
  AzureDiskVolumeSource,
  FCVolumeSource,
  FlockerVolumeSource,
  HostPathVolumeSource,
  KeyToPath,
  QuobyteVolumeSource,
} from '../../../../api/types/core-v1.ts';
import { isDns1123Subdomain, rangeError } from '../../../../api/validation/names.ts';
import {
  type Check,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  eachEntry,
  invalidAll,
  oneOf,
  optional,
  required,
  requiredAnd,
} from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { fileMode, localNonReservedPath, noBacksteps } from './paths.ts';

/** Every named field must be there. */
export function fieldsRequired<T extends object>(...keys: (keyof T & string)[]): Check<T> {
  return (source, path) => keys.flatMap(key => required(source[key], `${path}.${key}`));
}

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

export const hostPath: Check<HostPathVolumeSource> = (source, path) => {
  if (!source.path) return [field.required(`${path}.path`)];
  return [...noBacksteps(source.path, `${path}.path`), ...optional(source.type, `${path}.type`, oneOf(hostPathTypes))];
};

interface Disk {
  partition?: number;
}
const partitioned =
  <T extends Disk>(key: keyof T & string): Check<T> =>
  (disk, path) => [
    ...required(disk[key], `${path}.${key}`),
    ...optional(disk.partition, `${path}.partition`, (value, at) =>
      value < 0 || value > 255 ? [field.invalid(at, value, rangeError(1, 255))] : [],
    ),
  ];
/** Upstream reports these under the field's old name. */
export const gcePersistentDisk: Check<Disk & { pdName: string }> = (disk, path) =>
  partitioned<Disk & { pdName: string }>('pdName')(disk, path.replace(/gcePersistentDisk$/, 'persistentDisk'));
export const awsElasticBlockStore = partitioned<Disk & { volumeID: string }>('volumeID');

export const keyToPath: Check<KeyToPath> = (item, path) => [
  ...required(item.key, `${path}.key`),
  ...required(item.path, `${path}.path`),
  ...localNonReservedPath(item.path ?? '', `${path}.path`),
  ...optional(item.mode, `${path}.mode`, fileMode),
];

export const nfs: Check<{ server: string; path: string }> = (source, path) => [
  ...fieldsRequired<{ server: string; path: string }>('server', 'path')(source, path),
  ...(source.path?.startsWith('/')
    ? []
    : [field.invalid(`${path}.path`, source.path ?? '', 'must be an absolute path')]),
];

export interface Iscsi {
  targetPortal: string;
  iqn: string;
  lun: number;
  initiatorName?: string;
  chapAuthDiscovery?: boolean;
  chapAuthSession?: boolean;
  secretRef?: { name?: string };
}
const initiatorFormats = [
  { prefix: 'iqn', pattern: /iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$/ },
  { prefix: 'eui', pattern: /^eui.[A-Za-z0-9]{16}$/ },
  { prefix: 'naa', pattern: /^naa.[A-Za-z0-9]{32}$/ },
];

const initiator: Check<string> = (name, path) => {
  const format = initiatorFormats.find(f => name.startsWith(f.prefix));
  if (!format) return [field.invalid(path, name, 'must be valid format starting with iqn, eui, or naa')];
  return format.pattern.test(name) ? [] : [field.invalid(path, name, 'must be valid format')];
};

export const iscsi: Check<Iscsi> = (source, path) => [
  ...required(source.targetPortal, `${path}.targetPortal`),
  ...requiredAnd(source.iqn, `${path}.iqn`, initiator),
  ...(source.lun < 0 || source.lun > 255 ? [field.invalid(`${path}.lun`, source.lun, rangeError(0, 255))] : []),
  ...((source.chapAuthDiscovery || source.chapAuthSession) && !source.secretRef
    ? [field.required(`${path}.secretRef`)]
    : []),
  ...optional(source.initiatorName, `${path}.initiatorname`, initiator),
];

export const iscsiNameTooLong =
  'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';

export const flocker: Check<FlockerVolumeSource> = (source, path) => [
  ...(!source.datasetName && !source.datasetUUID
    ? [field.required(path, 'one of datasetName and datasetUUID is required')]
    : []),
  ...(source.datasetName && source.datasetUUID
    ? [field.invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously')]
    : []),
  ...(source.datasetName?.includes('/')
    ? [field.invalid(`${path}.datasetName`, source.datasetName, "must not contain '/'")]
    : []),
];

const hostPortPair = /^(\[[^\]]*\]|[^:[\]]*):[^:]*$/;
const registryForm = 'must be a host:port pair or multiple pairs separated by commas';

export const quobyte: Check<QuobyteVolumeSource> = (source, path) => {
  const errors: Errors = [];
  if (!source.registry) errors.push(field.required(`${path}.registry`, registryForm));
  else if ((source.tenant?.length ?? 0) >= 65) {
    errors.push(field.required(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters'));
  } else {
    const wrong = source.registry.split(',').filter(pair => !hostPortPair.test(pair));
    errors.push(...wrong.map(() => field.invalid(`${path}.registry`, source.registry, registryForm)));
  }
  return [...errors, ...required(source.volume, `${path}.volume`)];
};

export const fc: Check<FCVolumeSource> = (source, path) => {
  const wwns = source.targetWWNs?.length ?? 0;
  const wwids = source.wwids?.length ?? 0;
  const at = `${path}.targetWWNs`;
  const errors: Errors = [];
  if (wwns + wwids === 0) errors.push(field.required(at, 'must specify either targetWWNs or wwids, but not both'));
  if (wwns && wwids) {
    errors.push(field.invalid(at, source.targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'));
  }
  if (!wwns) return errors;
  if (source.lun === undefined)
    errors.push(field.required(`${path}.lun`, 'lun is required if targetWWNs is specified'));
  else if (source.lun < 0 || source.lun > 255) {
    errors.push(field.invalid(`${path}.lun`, source.lun, rangeError(0, 255)));
  }
  return errors;
};

export const flexVolume: Check<{ driver: string; options?: Record<string, string> }> = (source, path) => [
  ...required(source.driver, `${path}.driver`),
  ...eachEntry(source.options, `${path}.options`, (_, at, key) => {
    const namespace = `.${(key.split('/')[0] ?? '').toLowerCase()}`;
    return namespace.endsWith('.kubernetes.io') || namespace.endsWith('.k8s.io')
      ? [field.invalid(at, key, 'kubernetes.io and k8s.io namespaces are reserved')]
      : [];
  }),
];

const managedUri = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const blobUri = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

export const azureDisk: Check<AzureDiskVolumeSource> = (source, path) => {
  const managed = source.kind === 'Managed';
  const prefix = managed ? '/subscriptions/' : 'https://';
  const uri = source.diskURI ?? '';
  return [
    ...fieldsRequired<AzureDiskVolumeSource>('diskName', 'diskURI')(source, path),
    ...optional(source.cachingMode, `${path}.cachingMode`, oneOf(['None', 'ReadOnly', 'ReadWrite'])),
    ...optional(source.kind, `${path}.kind`, oneOf(['Dedicated', 'Managed', 'Shared'])),
    ...(source.kind !== undefined && !uri.startsWith(prefix)
      ? [field.notSupported(`${path}.diskURI`, uri, [managed ? managedUri : blobUri])]
      : []),
  ];
};

export const secretRef: Check<{ name?: string }> = (ref, path) => required(ref.name, `${path}.name`);
export const namespacedSecretRef: Check<{ name?: string; namespace?: string }> = (ref, path) => [
  ...required(ref.name, `${path}.name`),
  ...required(ref.namespace, `${path}.namespace`),
];
/** A secret of a CSI volume: its parts are names, too. */
export const strictSecretRef: Check<{ name?: string; namespace?: string }> = (ref, path) => [
  ...requiredAnd(ref.name, `${path}.name`, dnsSubdomain),
  ...requiredAnd(ref.namespace, `${path}.namespace`, dnsLabel),
];

export const storageos: Check<{ volumeName?: string; volumeNamespace?: string }> = (source, path) => [
  ...requiredAnd(source.volumeName, `${path}.volumeName`, dnsLabel),
  ...(source.volumeNamespace ? dnsLabel(source.volumeNamespace, `${path}.volumeNamespace`) : []),
];

/** Names of CSI drivers are DNS subdomains in any case, of at most 63 characters. */
export const csiDriverName: Check<string | undefined> = (name, path) =>
  name
    ? [
        ...(name.length > 63 ? [field.tooLong(path, 63)] : []),
        ...invalidAll(path, name, isDns1123Subdomain(name.toLowerCase())),
      ]
    : [field.required(path)];
