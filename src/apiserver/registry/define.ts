/** Turns what is particular about a kind into a full strategy: metadata rules, status handling and re-validation are the same for all. */
import type { KubeObject, Unstructured } from '../../api/object.ts';
import type { FieldError } from './field-errors.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './meta/object-meta.ts';
import type { RequestContext, Strategy, SubresourceStrategy } from './strategy.ts';

export interface Definition<T extends KubeObject> extends Strategy<T> {
  /**
   * The kind's status belongs to the status subresource: on create it becomes what this gives, and an update of the main resource
   * keeps the old one.
   */
  initialStatus?(obj: T): unknown;
  /** The kind has no `spec`. All others are given an empty one when the client sent none, as Go's zero value is. */
  readonly specless?: true;
  /** Rules for new objects only; those of `validate` hold for updates of the main resource, too. */
  validateCreate?(obj: T, context: RequestContext): FieldError[];
}

interface WithStatus {
  spec?: unknown;
  status?: unknown;
}

function keepStatus(obj: WithStatus, old: WithStatus): void {
  if (old.status === undefined) delete obj.status;
  else obj.status = structuredClone(old.status);
}

function define<T extends KubeObject>(namespaced: boolean, definition: Definition<T>): Strategy<T> {
  const { initialStatus, validateCreate, specless = false, ...own } = definition;
  const meta = (obj: T) => validateObjectMeta(obj.metadata, namespaced, definition.validateName);
  return {
    generation: false,
    ...own,
    default(obj: T) {
      if (!specless) (obj as WithStatus).spec ??= {};
      own.default?.(obj);
    },
    prepareForCreate(obj: T, context: RequestContext) {
      if (initialStatus) (obj as WithStatus).status = initialStatus(obj);
      own.prepareForCreate?.(obj, context);
    },
    prepareForUpdate(obj: T, old: T, context: RequestContext) {
      if (initialStatus) keepStatus(obj as WithStatus, old as WithStatus);
      own.prepareForUpdate?.(obj, old, context);
    },
    validate: (obj: T, context: RequestContext): FieldError[] => [
      ...meta(obj),
      ...(own.validate?.(obj, context) ?? []),
      ...(validateCreate?.(obj, context) ?? []),
    ],
    validateUpdate: (obj: T, old: T, context: RequestContext): FieldError[] => [
      ...validateObjectMetaUpdate(obj.metadata, old.metadata),
      ...(own.validate?.(obj, context) ?? []),
      ...(own.validateUpdate?.(obj, old, context) ?? []),
    ],
  };
}

export const namespaced = <T extends KubeObject>(definition: Definition<T>): Strategy<T> => define(true, definition);
export const clusterScoped = <T extends KubeObject>(definition: Definition<T>): Strategy<T> =>
  define(false, definition);

/** Takes everything but `status` and metadata from the stored object. */
export function keepAllButStatus(obj: KubeObject, old: KubeObject): void {
  const target = obj as Unstructured;
  const source = old as Unstructured;
  for (const key of Object.keys({ ...target, ...source })) {
    if (key === 'status' || key === 'metadata' || key === 'apiVersion' || key === 'kind') continue;
    if (source[key] === undefined) delete target[key];
    else target[key] = structuredClone(source[key]);
  }
}

export interface StatusDefinition<T> extends SubresourceStrategy<T> {
  /** Labels, annotations, finalizers and owners stay, too (ResetObjectMetaForStatus). */
  readonly fixedMetadata?: true;
}

/** Takes what a subresource may not change of the metadata from the stored object (ResetObjectMetaForStatus). */
export function keepMetadata({ metadata }: KubeObject, { metadata: old }: KubeObject): void {
  for (const key of ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const) {
    delete metadata[key];
    if (old[key]) Object.assign(metadata, { [key]: structuredClone(old[key]) });
  }
}

/** A status subresource with rules of its own: metadata and status are the client's, the rest stays. */
export function statusSubresource<T extends KubeObject>(own: StatusDefinition<T>): SubresourceStrategy<T> {
  return {
    prepareForUpdate(obj: T, old: T, context: RequestContext) {
      keepAllButStatus(obj, old);
      if (own.fixedMetadata) keepMetadata(obj, old);
      own.prepareForUpdate?.(obj, old, context);
    },
    validateUpdate: (obj: T, old: T, context: RequestContext) => [
      ...validateObjectMetaUpdate(obj.metadata, old.metadata),
      ...(own.validateUpdate?.(obj, old, context) ?? []),
    ],
    ...(own.warnings && { warnings: own.warnings }),
    ...(own.fixedMetadata ? { resets: ['metadata'] } : own.resets && { resets: own.resets }),
  };
}
