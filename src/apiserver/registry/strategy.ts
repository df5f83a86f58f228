/**
 * What is particular about one kind. Everything else (decoding, merging, storage, encoding, tables, OpenAPI) is the pipeline's.
 * A strategy is a plain value in `registry/<group>/<kind>.ts`; `registry/index.ts` lists them all.
 */
import type { KubeObject } from '../../api/object.ts';
import type { UserInfo } from '../../api/transport.ts';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { FieldError } from './field-errors.ts';

/** What a strategy may know about the request. */
export interface RequestContext {
  readonly user: UserInfo;
  readonly namespace: string;
  readonly dryRun: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** The subresource being written ("" for the main resource, "status", "scale", "resize", …). */
  readonly subresource: string;
}

/** One column of `kubectl get`. `wide` columns show with -o wide. The cell is computed from the object. */
export interface Column<T> {
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  format?: string;
  description?: string;
  wide?: boolean;
  /** How far from what everybody sees; absent: 1 for wide columns, else 0. */
  priority?: number;
  cell(obj: T, now: number): string | number | boolean | null;
}

/** What a client may know about a whole row of a table, such as that its object is done. */
export interface RowCondition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

/** Reads the value that a field selector compares. */
export interface FieldReader<T> {
  read(obj: T): string;
}

/** How a version other than the storage version maps to it. Both functions take and give whole objects and never change their argument. */
export interface Conversion {
  /** The served version this is for, such as "autoscaling/v1". */
  readonly apiVersion: string;
  toStorage(obj: KubeObject): KubeObject;
  fromStorage(obj: KubeObject): KubeObject;
}

export interface Strategy<T extends KubeObject = KubeObject> {
  /** "group/plural"; the core group's is "/pods". */
  readonly resource: string;
  /** Fills what the client left out, on decode, before admission. Also run on stored objects that are read. In place. */
  default?(obj: T): void;
  /** Clears what a client may not set, sets generation and initial status. In place. */
  prepareForCreate?(obj: T, context: RequestContext): void;
  /** Same for an update of the main resource: status and immutable bookkeeping are taken from `old`. In place. */
  prepareForUpdate?(obj: T, old: T, context: RequestContext): void;
  validate?(obj: T, context: RequestContext): FieldError[];
  validateUpdate?(obj: T, old: T, context: RequestContext): FieldError[];
  /** Text for the `Warning` header. */
  warnings?(obj: T, old: T | undefined): string[];
  /** What is warned of at every request for the kind. */
  readonly deprecation?: string;
  /** Last change before encoding (normal forms). In place. */
  canonicalize?(obj: T): void;
  /**
   * Per subresource ("status", "resize", "ephemeralcontainers", "approval", "finalize"). Absent "status" with a catalog that has one: the default takes
   * everything but metadata bookkeeping and status from `old`.
   */
  readonly subresources?: Readonly<Record<string, SubresourceStrategy<T>>>;
  /** Field selectors besides metadata.name and metadata.namespace. */
  readonly selectableFields?: Readonly<Record<string, FieldReader<T>['read']>>;
  /** What a version other than the storage version calls the selectable fields: its name → the stored one's. All others are unknown to it. */
  readonly fieldNames?: Readonly<Record<string, string>>;
  readonly columns?: readonly Column<T>[];
  rowConditions?(obj: T): RowCondition[];
  /** Order of the rows of a table, when it is not that of the list. */
  compareRows?(a: T, b: T): number;
  /** The name need not be a DNS subdomain (upstream's NameIsDNSLabel, path segment, …). Gives the complaints; empty when fine. */
  validateName?(name: string, prefix: boolean): string[];
  /** PUT on a missing object creates it. */
  readonly allowCreateOnUpdate?: boolean;
  /** An update without resourceVersion overwrites (true for most kinds; upstream's AllowUnconditionalUpdate). Default true. */
  readonly allowUnconditionalUpdate?: boolean;
  /** Graceful deletion: seconds to grant, or undefined for "delete at once". Pods. */
  gracePeriod?(obj: T, requested: number | undefined): number | undefined;
  /** Propagation when the client names none. Default "background". */
  readonly defaultPropagation?: 'background' | 'orphan';
  /** metadata.generation is bumped by the pipeline when anything but metadata and status changed. Default: the kind has a status. */
  readonly generation?: boolean;
  /** Seconds after which the store drops the object (events). */
  ttlSeconds?(obj: T): number | undefined;
  /** The apiVersion objects are stored in, when it is not the only one served. The strategy's functions see objects of this version. */
  readonly storageVersion?: string;
  /** The resource ("/events") whose storage this one shares; defaults, validation and selectors still run on the stored form. */
  readonly storedAs?: string;
  /** One entry per served version that is not the storage version. */
  readonly conversions?: readonly Conversion[];
  /** What is a field, and no annotation, of upstream's internal type: answers with the metadata alone leave it out. */
  readonly conversionAnnotations?: readonly string[];
  /** Scale subresource: JSON paths, as for CRDs. */
  readonly scale?: { specReplicas: string; statusReplicas: string; selector: string };
}

export interface SubresourceStrategy<T> {
  /** Parts of the metadata ("metadata.labels", or all of it) that nobody owns by a write here, because it cannot set them. */
  readonly resets?: readonly string[];
  prepareForUpdate?(obj: T, old: T, context: RequestContext): void;
  validateUpdate?(obj: T, old: T, context: RequestContext): FieldError[];
  warnings?(obj: T, old: T): string[];
}
