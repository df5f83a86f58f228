import type { StorageClass, VolumeAttributesClass } from '../../../api/types/storage-v1.ts';
import { byteLength } from '../../../api/validation/names.ts';
import { type Check, type Errors, forbidden, immutable, nonEmpty, oneOf, qualifiedName, same } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { nodeLabelComplaint } from '../core/node-labels.ts';
import { clusterScoped } from '../define.ts';
import { field } from '../field-errors.ts';
import { validateTopologies } from './topology.ts';

const defaultKeys = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];
const isDefault = (obj: StorageClass) => defaultKeys.some(key => obj.metadata.annotations?.[key] === 'true');

const maxParameters = 512;
const maxParameterBytes = 256 * 1024;

function validateParameters(parameters: Readonly<Record<string, string>> | undefined, mustHave: boolean): Errors {
  const entries = Object.entries(parameters ?? {});
  const size = entries.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0);
  if (entries.length > maxParameters) return [field.tooLong('parameters', maxParameters)];
  return [
    ...entries.flatMap(([key]) => (key === '' ? [field.invalid('parameters', key, 'field can not be empty.')] : [])),
    ...(size > maxParameterBytes ? [field.tooLong('parameters', maxParameterBytes)] : []),
    ...(mustHave && entries.length === 0
      ? [field.required('parameters', 'must contain at least one key/value pair')]
      : []),
  ];
}

const driver: Check<string | undefined> = (name, path) =>
  name ? qualifiedName(name.toLowerCase(), path) : [field.required(path)];

function validateClass(obj: StorageClass): Errors {
  return [
    ...driver(obj.provisioner, 'provisioner'),
    ...validateParameters(obj.parameters, false),
    ...nonEmpty(obj.reclaimPolicy, 'reclaimPolicy', oneOf(['Delete', 'Retain'])),
    ...oneOf(['Immediate', 'WaitForFirstConsumer'])(obj.volumeBindingMode, 'volumeBindingMode'),
    ...validateTopologies(obj.allowedTopologies, 'allowedTopologies'),
  ];
}

function warnings({ allowedTopologies = [] }: StorageClass): string[] {
  return allowedTopologies.flatMap((term, i) =>
    (term.matchLabelExpressions ?? []).flatMap(({ key }, j) => {
      const why = nodeLabelComplaint(key);
      return why ? [`allowedTopologies[${i}].matchLabelExpressions[${j}].key: ${why}`] : [];
    }),
  );
}

/** Existing volumes were made by the old values. */
function validateClassUpdate(obj: StorageClass, old: StorageClass): Errors {
  const why = 'updates to %s are forbidden.';
  const locked = ['parameters', 'provisioner', 'reclaimPolicy'] as const;
  return [
    ...locked.flatMap(key => forbidden(!same(obj[key], old[key]), key, why.replace('%s', key))),
    ...immutable(obj.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode'),
  ];
}

export const storageClasses = clusterScoped<StorageClass>({
  resource: 'storage.k8s.io/storageclasses',
  specless: true,
  validate: validateClass,
  validateUpdate: validateClassUpdate,
  warnings,
  default(obj) {
    obj.reclaimPolicy ??= 'Delete';
    obj.volumeBindingMode ??= 'Immediate';
  },
  columns: [
    { ...nameColumn, cell: (obj: StorageClass) => `${obj.metadata.name}${isDefault(obj) ? ' (default)' : ''}` },
    text('Provisioner', obj => obj.provisioner),
    text('ReclaimPolicy', obj => obj.reclaimPolicy ?? 'Delete'),
    text('VolumeBindingMode', obj => obj.volumeBindingMode ?? 'Immediate'),
    text('AllowVolumeExpansion', obj => obj.allowVolumeExpansion ?? false),
    ageColumn,
  ],
});

export const volumeAttributesClasses = clusterScoped<VolumeAttributesClass>({
  resource: 'storage.k8s.io/volumeattributesclasses',
  specless: true,
  validate: obj => [...driver(obj.driverName, 'driverName'), ...validateParameters(obj.parameters, true)],
  validateUpdate: (obj, old) => [
    ...forbidden(obj.driverName !== old.driverName, 'driverName', 'updates to driverName are forbidden.'),
    ...forbidden(!same(obj.parameters, old.parameters), 'parameters', 'updates to parameters are forbidden.'),
  ],
  columns: [nameColumn, text('DriverName', obj => obj.driverName), ageColumn],
});
