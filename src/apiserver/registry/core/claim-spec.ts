/** The spec of a persistent volume claim, also inside ephemeral volumes and stateful sets. */
import type {
  PersistentVolumeClaimSpec,
  TypedLocalObjectReference,
  TypedObjectReference,
} from '../../../api/types/core-v1.ts';
import { nameIsDnsLabel } from '../../../api/validation/names.ts';
import {
  type Check,
  dnsSubdomain,
  type Errors,
  nonEmpty,
  objectName,
  oneOf,
  optional,
  required,
  same,
} from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import { validatePositiveQuantity } from './resource-names.ts';

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeMode = oneOf(['Block', 'Filesystem']);

/** Upstream reports a wrong mode at the list. */
export function validateAccessModes(modes: readonly string[] | undefined, path: string): Errors {
  const list = modes ?? [];
  const mixed =
    list.includes('ReadWriteOncePod') && list.some(m => m !== 'ReadWriteOncePod' && accessModes.includes(m));
  return [
    ...list.flatMap(mode => oneOf(accessModes)(mode, path)),
    ...(mixed ? [field.forbidden(path, 'may not use ReadWriteOncePod with other access modes')] : []),
  ];
}

const dataSource: Check<TypedLocalObjectReference | TypedObjectReference> = (source, path) => [
  ...required(source.name, `${path}.name`),
  ...required(source.kind, `${path}.kind`),
  ...(source.apiGroup
    ? dnsSubdomain(source.apiGroup, `${path}.apiGroup`)
    : source.kind === 'PersistentVolumeClaim'
      ? []
      : [field.invalid(path, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")]),
  ...('namespace' in source ? nonEmpty(source.namespace, `${path}.namespace`, objectName(nameIsDnsLabel)) : []),
];

function agreement(spec: PersistentVolumeClaimSpec, path: string): Errors {
  const { dataSource: plain, dataSourceRef: ref } = spec;
  if (!plain || !ref) return [];
  const at = `${path}.dataSource`;
  if (ref.namespace) return [field.invalid(path, at, 'may not be specified when dataSourceRef.namespace is specified')];
  const equal = same(plain.apiGroup, ref.apiGroup) && plain.kind === ref.kind && plain.name === ref.name;
  return equal ? [] : [field.invalid(path, at, 'must match dataSourceRef')];
}

export function validateClaimSpec(spec: PersistentVolumeClaimSpec | undefined, path: string): Errors {
  const claim = spec ?? {};
  const storage = claim.resources?.requests?.['storage'];
  const size = `${path}.resources[storage]`;
  return [
    ...required(claim.accessModes, `${path}.accessModes`, 'at least 1 access mode is required'),
    ...validateLabelSelector(claim.selector, `${path}.selector`),
    ...validateAccessModes(claim.accessModes, `${path}.accessModes`),
    ...(storage === undefined ? [field.required(size)] : validatePositiveQuantity(storage, size)),
    ...nonEmpty(claim.storageClassName, `${path}.storageClassName`, objectName()),
    ...optional(claim.volumeMode, `${path}.volumeMode`, volumeMode),
    ...optional(claim.dataSource, `${path}.dataSource`, dataSource),
    ...optional(claim.dataSourceRef, `${path}.dataSourceRef`, dataSource),
    ...agreement(claim, path),
    ...nonEmpty(claim.volumeAttributesClassName, `${path}.volumeAttributesClassName`, objectName()),
  ];
}
