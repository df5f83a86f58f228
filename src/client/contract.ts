/** The SDK's shapes. Works against any Kubernetes; nothing here knows of Tsukube's own server. */
import type { Draft, KubeObject, List } from '../api/object.ts';
import type { ApiResponse, Transport } from '../api/transport.ts';
import type { DeleteOptions } from '../api/types/meta-v1.ts';
import type { ResourceTypes } from '../api/types/resources.ts';

export interface ListOptions {
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  signal?: AbortSignal;
}
export interface WatchOptions extends ListOptions {
  allowWatchBookmarks?: boolean;
  sendInitialEvents?: boolean;
  timeoutSeconds?: number;
}
export type WatchEvent<T> = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T } | { type: 'BOOKMARK'; object: T };
export interface WriteOptions {
  dryRun?: boolean;
  fieldManager?: string;
  fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
  signal?: AbortSignal;
}
export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';
export interface PatchOptions extends WriteOptions {
  /** For apply. */
  force?: boolean;
  subresource?: string;
}
export interface DeleteCallOptions extends Partial<Omit<DeleteOptions, 'dryRun'>> {
  dryRun?: boolean;
  signal?: AbortSignal;
}

/** One resource in one namespace (or all namespaces, or cluster scope). Errors are `ApiError`. */
export interface ResourceClient<T extends KubeObject> {
  get(name: string, options?: { resourceVersion?: string; signal?: AbortSignal }): Promise<T>;
  list(options?: ListOptions): Promise<List<T>>;
  /** One watch connection: ends when the server ends it; throws `ApiError` (410 when expired) or the transport's error. See informers for one that lasts. */
  watch(options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create(obj: Draft<T>, options?: WriteOptions): Promise<T>;
  /** PUT; the object's resourceVersion is the precondition. */
  update(obj: T, options?: WriteOptions): Promise<T>;
  updateStatus(obj: T, options?: WriteOptions): Promise<T>;
  patch(name: string, type: PatchType, patch: unknown, options?: PatchOptions): Promise<T>;
  /** Server-side apply; `fieldManager` is required. */
  apply(obj: Draft<T>, options: PatchOptions & { fieldManager: string }): Promise<T>;
  delete(name: string, options?: DeleteCallOptions): Promise<T | undefined>;
  deleteCollection(options?: DeleteCallOptions & ListOptions): Promise<void>;
  getSubresource<R = T>(name: string, subresource: string, options?: { signal?: AbortSignal }): Promise<R>;
  updateSubresource<B, R = T>(name: string, subresource: string, body: B, options?: WriteOptions): Promise<R>;
  createSubresource<B, R = T>(name: string, subresource: string, body: B, options?: WriteOptions): Promise<R>;
}

/** A resource as code names it: "v1/pods", "apps/v1/deployments"; or a descriptor for custom resources. */
export type ResourceName = keyof ResourceTypes;
export interface ResourceDescriptor<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Phantom: carries the type. */
  readonly type?: T;
}
export type TypeOf<R extends ResourceName | ResourceDescriptor> = R extends ResourceName
  ? ResourceTypes[R] extends KubeObject
    ? ResourceTypes[R]
    : never
  : R extends ResourceDescriptor<infer T>
    ? T
    : never;

/** Of two groups that share a plural, the shorthand names one: core events, and autoscaling/v2. */
type Shadowed = 'events.k8s.io/v1/events' | 'autoscaling/v1/horizontalpodautoscalers';
type PluralOf<R extends string> = R extends `${string}/${infer Rest}`
  ? Rest extends `${string}/${infer Plural}`
    ? Plural
    : Rest
  : never;
export type Shorthands = {
  [R in Exclude<ResourceName, Shadowed> as PluralOf<R>]: (namespace?: string) => ResourceClient<TypeOf<R>>;
};

/** Shorthands over the catalog: `client.pods('ns')`, `client.deployments('ns')`, `client.nodes()`. */
export interface Client extends Shorthands {
  /**
   * `client.resource('v1/pods', 'default')`. Without a namespace: all namespaces (list, watch) or a cluster-scoped resource.
   */
  resource<R extends ResourceName | ResourceDescriptor>(resource: R, namespace?: string): ResourceClient<TypeOf<R>>;
  readonly transport: Transport;
  /** Any request; the body is JSON. Non-2xx throws ApiError. */
  request<R>(
    method: string,
    path: string,
    options?: {
      query?: Record<string, string>;
      body?: unknown;
      headers?: Record<string, string>;
      signal?: AbortSignal;
    },
  ): Promise<R>;
  /** Any request, answered as it came: for streams and upgrades. Non-2xx throws ApiError, except 101. */
  open(
    method: string,
    path: string,
    options?: {
      query?: Record<string, string> | URLSearchParams;
      headers?: Record<string, string>;
      signal?: AbortSignal;
    },
  ): Promise<ApiResponse>;
  /** Same transport, another identity header set or user agent. */
  with(options: {
    userAgent?: string;
    impersonate?: { user: string; groups?: string[] };
    headers?: Record<string, string>;
    /** Objects come with their metadata only. */
    metadataOnly?: boolean;
  }): Client;
}

/** A local copy of a resource, kept up to date by list and watch, that never dies quietly: it resumes, re-lists after 410 and backs off. Objects are frozen in tests and must not be changed. */
export interface Informer<T extends KubeObject> {
  readonly store: ReadonlyCache<T>;
  /** Handlers are called in order of arrival, after the cache was changed. `onUpdate` also comes after a re-list for objects that changed in between. */
  addHandler(handler: EventHandler<T>): () => void;
  /** Adds an index before or after start. */
  addIndex(name: string, keys: (obj: T) => readonly string[]): void;
  /** Resolves when the first list is in the cache and handlers have seen it. */
  synced(): Promise<void>;
  readonly hasSynced: boolean;
  /** The cache holds every change of its selection up to this resourceVersion; "" before the first list. */
  readonly revision: string;
}
export interface EventHandler<T> {
  onAdd?(obj: T, initial: boolean): void;
  onUpdate?(obj: T, old: T): void;
  /** `obj` is the last known state. */
  onDelete?(obj: T): void;
}
export interface ReadonlyCache<T> {
  get(key: string): T | undefined;
  list(): T[];
  /** Objects with this value in the named index. "namespace" and "uid" and "owner" (uid of the controller) always exist. */
  byIndex(index: string, value: string): T[];
  readonly size: number;
}
/** Shares one informer per resource among all who ask. */
export interface InformerFactory {
  informer<R extends ResourceName | ResourceDescriptor>(
    resource: R,
    options?: { namespace?: string; labelSelector?: string; fieldSelector?: string },
  ): Informer<TypeOf<R>>;
  /** Starts those asked for so far (later ones start at once). */
  start(signal: AbortSignal): void;
  synced(): Promise<void>;
}

/** client-go's rate-limited queue: a key is in work at most once; adding it meanwhile queues it again afterwards. */
export interface WorkQueue {
  add(key: string): void;
  addAfter(key: string, ms: number): void;
  /** With exponential back-off per key (5 ms to 1000 s, plus an overall token bucket). */
  addRateLimited(key: string): void;
  forget(key: string): void;
  retries(key: string): number;
  /** Undefined when shut down and drained. */
  get(): Promise<string | undefined>;
  done(key: string): void;
  shutDown(): void;
  readonly length: number;
}

/** Writes Events with correlation and aggregation as client-go does; never throws, drops on failure. */
export interface EventRecorder {
  event(
    about: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    more?: { /** The part of the object that it is about: `spec.containers{app}`. */ fieldPath?: string },
  ): void;
}
