/** Rules for `metadata` that hold for every built-in kind (apimachinery pkg/api/validation/objectmeta.go). */
import { parseApiVersion } from '../../../api/schema.ts';
import type { ObjectMeta, OwnerReference } from '../../../api/types/meta-v1.ts';
import { goQuote } from '../../../api/util/go-text.ts';
import {
  isLabelKey,
  isLabelValue,
  isQualifiedName,
  longerThan,
  type NameCheck,
  nameIsDnsLabel,
  nameIsDnsSubdomain,
} from '../../../api/validation/names.ts';
import { type Check, type Errors, each, forbidden, immutable, invalidAll, nonNegative, optional } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateFieldManager } from './options.ts';

type Labels = Readonly<Record<string, string>>;

const annotationsLimit = 256 * 1024;
const standardFinalizers = new Set([
  // Of custom resource definitions, whose names need not be qualified.
  'customresourcecleanup.apiextensions.k8s.io',
  'kubernetes',
  'orphan',
  'foregroundDeletion',
]);

export const validateLabelName: Check<string | undefined> = (name = '', path): Errors =>
  invalidAll(path, name, isLabelKey(name));

export function validateLabels(labels: Labels | undefined, path: string): Errors {
  const errors: Errors = [];
  for (const [key, value] of Object.entries(labels ?? {}))
    errors.push(...validateLabelName(key, path), ...invalidAll(path, value, isLabelValue(value)));
  return errors;
}

/** Keys are qualified names in any case; keys and values together are limited to 256 KiB. */
export function validateAnnotations(annotations: Labels | undefined, path: string): Errors {
  if (!annotations) return [];
  const entries = Object.entries(annotations);
  return [
    ...entries.flatMap(([key]) => invalidAll(path, key, isQualifiedName(key.toLowerCase()))),
    ...(longerThan(entries.flat(), annotationsLimit) ? [field.tooLong(path, annotationsLimit)] : []),
  ];
}

/** In upstream's order. */
const shownOwner = ({ apiVersion, kind, name, uid, controller, blockOwnerDeletion }: OwnerReference) => ({
  ...{ apiVersion: apiVersion ?? '', kind: kind ?? '', name: name ?? '', uid: uid ?? '' },
  controller,
  blockOwnerDeletion,
});

function validateOwner(owner: OwnerReference, path: string): Errors {
  const { group, version } = parseApiVersion(
    owner.apiVersion?.split('/', 3).length === 3 ? '' : (owner.apiVersion ?? ''),
  );
  return [
    ...(version ? [] : [field.invalid(`${path}.apiVersion`, owner.apiVersion ?? '', 'version must not be empty')]),
    ...(owner.kind ? [] : [field.invalid(`${path}.kind`, '', 'must not be empty')]),
    ...(owner.name ? [] : [field.invalid(`${path}.name`, '', 'must not be empty')]),
    ...(owner.uid ? [] : [field.invalid(`${path}.uid`, '', 'must not be empty')]),
    ...(group === '' && version === 'v1' && owner.kind === 'Event'
      ? [field.invalid(path, shownOwner(owner), '/v1, Kind=Event is disallowed from being an owner')]
      : []),
  ];
}

/** Upstream reports owner references without their index. */
function validateOwnerReferences(owners: readonly OwnerReference[] | undefined, path: string): Errors {
  const errors: Errors = [];
  let controller: string | undefined;
  for (const owner of owners ?? []) {
    errors.push(...validateOwner(owner, path));
    if (!owner.controller) continue;
    const name = `${owner.kind}/${owner.name}`;
    if (controller === undefined) controller = name;
    else {
      const detail = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`;
      errors.push(field.invalid(path, owners?.map(shownOwner), detail));
    }
  }
  return errors;
}

export function validateFinalizerName(name: string, path: string): Errors {
  return invalidAll(path, name, isQualifiedName(name));
}

/** Unqualified names are kept for the system's own. */
export function validateKubeFinalizerName(name: string, path: string): Errors {
  return name.includes('/') || standardFinalizers.has(name)
    ? []
    : [field.invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified')];
}

function validateFinalizers(finalizers: readonly string[] = []): Errors {
  const path = 'metadata.finalizers';
  const both = finalizers.includes('orphan') && finalizers.includes('foregroundDeletion');
  return [
    ...finalizers.flatMap(name => validateFinalizerName(name, path)),
    ...(both ? [field.invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set')] : []),
  ];
}

function validateNamespace(meta: ObjectMeta, namespaced: boolean): Errors {
  const path = 'metadata.namespace';
  if (!namespaced) return forbidden(meta.namespace, path, 'not allowed on this type');
  return meta.namespace
    ? invalidAll(path, meta.namespace, nameIsDnsLabel(meta.namespace, false))
    : [field.required(path)];
}

const kubeFinalizers = (meta: ObjectMeta) => each(meta.finalizers, 'metadata.finalizers', validateKubeFinalizerName);

/** Of what was found wrong with metadata, all that counts for custom resources, whose finalizers need not be fully qualified. */
export function anyFinalizer(found: Errors): Errors {
  return found.filter(e => !e.field.startsWith('metadata.finalizers['));
}

/** Custom resources: what upstream thinks of finalizers that were added (strategy.go, generateWarningsFromObj). */
export function finalizerWarnings(meta: ObjectMeta, old: ObjectMeta | undefined): string[] {
  const added = (meta.finalizers ?? []).filter(name => !old?.finalizers?.includes(name));
  return [...new Set(added)].sort().flatMap(name => {
    const said = (what: string) => `metadata.finalizers: ${goQuote(name)}: ${what}`;
    const preferred = `prefer a domain-qualified finalizer name${name.includes('.') ? ' including a path (/)' : ''} to avoid accidental conflicts with other finalizer writers`;
    const bare = !name.includes('/') && !['orphan', 'foregroundDeletion', 'kubernetes'].includes(name);
    return [...isQualifiedName(name).map(said), ...(bare ? [said(preferred)] : [])];
  });
}

function validateContent(meta: ObjectMeta): Errors {
  return [
    ...validateLabels(meta.labels, 'metadata.labels'),
    ...validateAnnotations(meta.annotations, 'metadata.annotations'),
    ...validateOwnerReferences(meta.ownerReferences, 'metadata.ownerReferences'),
  ];
}

/** On create, after a generated name was made. */
export function validateObjectMeta(
  meta: ObjectMeta,
  namespaced: boolean,
  checkName: NameCheck = nameIsDnsSubdomain,
): Errors {
  return [
    ...(meta.generateName
      ? invalidAll('metadata.generateName', meta.generateName, checkName(meta.generateName, true))
      : []),
    ...(meta.name
      ? invalidAll('metadata.name', meta.name, checkName(meta.name, false))
      : [field.required('metadata.name', 'name or generateName is required')]),
    ...validateNamespace(meta, namespaced),
    ...optional(meta.generation, 'metadata.generation', nonNegative),
    ...validateContent(meta),
    ...validateFinalizers(meta.finalizers),
    ...validateManagedFields(meta.managedFields),
    ...kubeFinalizers(meta),
  ];
}

/** What else can be wrong with an entry makes the whole list be ignored before. */
function validateManagedFields(entries: ObjectMeta['managedFields']): Errors {
  return each(entries, 'metadata.managedFields', ({ manager = '', subresource = '' }, at) => [
    ...validateFieldManager(manager, `${at}.manager`),
    ...(longerThan([subresource], 256) ? [field.tooLong(`${at}.subresource`, 256)] : []),
  ]);
}

function newFinalizers(meta: ObjectMeta, old: ObjectMeta): Errors {
  if (!old.deletionTimestamp) return [];
  const extra = (meta.finalizers ?? []).filter(name => !old.finalizers?.includes(name));
  const shown = `[]string{${extra.map(goQuote).join(', ')}}`;
  return forbidden(
    extra.length > 0,
    'metadata.finalizers',
    `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`,
  );
}

const identity = ['name', 'namespace'] as const;
/** The server's own: a client that leaves them out gets them back (and cannot change them). */
const serverOwned = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

export function validateObjectMetaUpdate(meta: ObjectMeta, old: ObjectMeta): Errors {
  const errors = newFinalizers(meta, old);
  if ((meta.generation ?? 0) < (old.generation ?? 0))
    errors.push(field.invalid('metadata.generation', meta.generation, 'must not be decremented'));
  for (const key of identity) errors.push(...immutable(meta[key] ?? '', old[key] ?? '', `metadata.${key}`));
  for (const key of serverOwned)
    if (meta[key] !== undefined && meta[key] !== null)
      errors.push(...immutable(meta[key], old[key], `metadata.${key}`));
  errors.push(...validateContent(meta), ...validateManagedFields(meta.managedFields), ...kubeFinalizers(meta));
  return errors;
}

/** Metadata of a template: labels and annotations only count, nothing else may be set. */
export function validateTemplateMeta(meta: Partial<ObjectMeta> | undefined, path: string): Errors {
  if (!meta) return [];
  const { labels, annotations, ...rest } = meta;
  return [
    ...validateAnnotations(annotations, `${path}.annotations`),
    ...validateLabels(labels, `${path}.labels`),
    ...Object.entries(rest)
      .filter(([, value]) => value !== undefined && value !== '')
      .map(([key]) => field.forbidden(`${path}.${key}`, 'cannot be set')),
  ];
}
