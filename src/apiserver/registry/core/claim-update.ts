/** What may change in a claim (ValidatePersistentVolumeClaimUpdate). */
import type {
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  TypedLocalObjectReference,
} from '../../../api/types/core-v1.ts';
import { type Errors, eachEntry, forbidden, immutable, same } from '../checks.ts';
import { field } from '../field-errors.ts';
import { describeChanges } from '../meta/diff.ts';
import { compareQuantity, validateQuantity } from './resource-names.ts';

export const classAnnotation = 'volume.beta.kubernetes.io/storage-class';

const groups: Readonly<Record<string, string>> = {
  PersistentVolumeClaim: '',
  VolumeSnapshot: 'snapshot.storage.k8s.io',
};

/** What the old field supports; everything else is dropped from it without a word, as it always was. */
const isOldSource = ({ kind, apiGroup = '' }: TypedLocalObjectReference) => groups[kind] === apiGroup;

/**
 * The old field and its successor mirror each other (EnforceDataSourceBackwardsCompatibility, NormalizeDataSources). Sources in other
 * namespaces are an alpha feature that is off in v1.35 (CrossNamespaceVolumeDataSource).
 * @param old the stored spec, on update: what it has is kept by clients that know the old field only.
 */
export function keepDataSource(spec: PersistentVolumeClaimSpec, old?: PersistentVolumeClaimSpec): void {
  if (spec.dataSourceRef?.namespace && !old?.dataSourceRef) delete spec.dataSourceRef;
  const { dataSource, dataSourceRef } = spec;
  const inUse = old?.dataSource ?? old?.dataSourceRef;
  if (dataSource && !dataSourceRef && !inUse && !isOldSource(dataSource)) delete spec.dataSource;
  if (spec.dataSource && !dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (dataSourceRef && !dataSource && !dataSourceRef.namespace) {
    const { namespace: _, ...local } = dataSourceRef;
    spec.dataSource = local;
  }
}

/** The class may be filled in once: from nothing, or from the annotation that it used to be. */
function classMayBeSet(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): boolean {
  const before = old.metadata.annotations?.[classAnnotation];
  const now = claim.spec.storageClassName;
  return old.spec.storageClassName === undefined && now !== undefined && (before === undefined || before === now);
}

/** The new spec with everything that may change put back. */
function munged(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): PersistentVolumeClaimSpec {
  const spec = structuredClone(claim.spec);
  const before = old.spec;
  const bound = claim.status?.phase === 'Bound';
  const reset = <K extends keyof PersistentVolumeClaimSpec>(key: K) => {
    const value = before[key];
    if (value === undefined) delete spec[key];
    else spec[key] = value;
  };
  if (!before.volumeName) reset('volumeName');
  if (classMayBeSet(claim, old)) reset('storageClassName');
  if (bound && spec.resources?.requests) {
    spec.resources.requests['storage'] = before.resources?.requests?.['storage'] ?? '0';
  }
  if (bound) reset('volumeAttributesClassName');
  return spec;
}

/** Shrinking goes back at most to what the volume has, to recover from an expansion that failed. */
function validateSize(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): Errors {
  const now = claim.spec.resources?.requests?.['storage'] ?? '0';
  const before = old.spec.resources?.requests?.['storage'] ?? '0';
  if (compareQuantity(now, before) >= 0) return [];
  const capacity = old.status?.capacity?.['storage'] ?? '0';
  return compareQuantity(now, capacity) > 0
    ? []
    : [field.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')];
}

/** Once a class was applied, another may follow, but not none. */
function validateAttributesClass(
  { spec }: PersistentVolumeClaim,
  { spec: before, status }: PersistentVolumeClaim,
): Errors {
  const path = 'spec.volumeAttributesClassName';
  const now = spec.volumeAttributesClassName;
  if (status?.currentVolumeAttributesClassName === undefined || now === before.volumeAttributesClassName) return [];
  const applied = 'is forbidden when status.currentVolumeAttributesClassName is not nil';
  return [
    ...forbidden(now === undefined, path, `update to nil ${applied}`),
    ...forbidden(now === '', path, `update to empty string ${applied}`),
  ];
}

/** Claims of older servers have one of the two sources only. */
function withBothSources(claim: PersistentVolumeClaim): PersistentVolumeClaim {
  const spec = structuredClone(claim.spec);
  keepDataSource(spec, spec);
  return { ...claim, spec };
}

export function validateClaimUpdate(claim: PersistentVolumeClaim, stored: PersistentVolumeClaim): Errors {
  const old = withBothSources(stored);
  const fixed = munged(claim, old);
  const why =
    'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
  const annotation = `metadata.annotations.${classAnnotation}`;
  return [
    ...(classMayBeSet(claim, old)
      ? []
      : immutable(
          claim.metadata.annotations?.[classAnnotation] ?? '',
          old.metadata.annotations?.[classAnnotation] ?? '',
          annotation,
        )),
    ...(same(fixed, old.spec) ? [] : [field.forbidden('spec', `${why}\n${describeChanges(old.spec, fixed, 'spec')}`)]),
    ...validateSize(claim, old),
    ...immutable(claim.spec.volumeMode, old.spec.volumeMode, 'volumeMode'),
    ...validateAttributesClass(claim, old),
  ];
}

const resizeStatuses = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
];

export function validateClaimStatus({ status }: PersistentVolumeClaim): Errors {
  const quantities = (key: 'capacity' | 'allocatedResources') =>
    eachEntry(status?.[key], `status.${key}`, (value, at, name) => validateQuantity(name, value, at));
  const path = 'status.allocatedResourceStatuses';
  const wrong = Object.entries(status?.allocatedResourceStatuses ?? {}).filter(([, s]) => !resizeStatuses.includes(s));
  return [
    ...quantities('capacity'),
    // Upstream shows the resource, not its status.
    ...wrong.map(([name]) => field.notSupported(path, name, resizeStatuses)),
    ...quantities('allocatedResources'),
  ];
}
