/** What a handler knows: the request, who asks, and the server it runs in. */
import type { OtherVersions } from '../../api/apply/index.ts';
import type { Unstructured } from '../../api/object.ts';
import type { ResourceInfo } from '../../api/schema.ts';
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '../../api/transport.ts';
import type { JSONSchemaProps } from '../../api/types/apiextensions-v1.ts';
import type { Awaitable } from '../../base/awaitable.ts';
import type { Environment } from '../../controller/contract.ts';
import type { Store } from '../../store/contract.ts';
import type { AdmissionPlugin } from '../admission/contract.ts';
import type { Authorizer } from '../auth/contract.ts';
import type { Dialer } from '../connect/dialer.ts';
import type { Column, Conversion, Strategy } from '../registry/strategy.ts';
import type { Cacher } from '../storage/cacher.ts';
import type { Entry } from '../storage/kind-cache.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Bookmarks } from './bookmarks.ts';
import type { Broadcasts } from './broadcast.ts';
import type { RequestInfo } from './request-info.ts';
import type { ResourceTable } from './resources.ts';
import type { Security } from './security-contract.ts';

/** Work of one kind that must happen with a write: allocations, checks against other objects. */
export interface Hooks {
  beginCreate?(obj: Unstructured, scope: Scope, dryRun: boolean): Promise<Reservation | undefined>;
  beginUpdate?(obj: Unstructured, old: Unstructured, scope: Scope, dryRun: boolean): Promise<Reservation | undefined>;
  afterDelete?(obj: Unstructured, scope: Scope): Promise<void>;
  /** May refuse a deletion, or finish it in another way (namespaces). */
  beforeDelete?(obj: Unstructured, scope: Scope): Promise<void>;
  /** What the first deletion makes of an object of a kind that ends in its own way. In place of the pipeline's mark. */
  firstDelete?(obj: Unstructured, now: number): void;
}
export type Undo = () => Promise<void>;
export interface Reservation {
  /** The write failed, or was a dry run. */
  undo(): Promise<void>;
  /** The write was made. */
  done?(): Promise<void>;
}

/** Answers a create of a kind that is not stored (reviews). */
export type Virtual = (obj: Unstructured, scope: Scope) => Promise<Unstructured>;

/** One resource in one version, as it is served now. Replaced as a whole when it changes (custom resources). */
export interface Served {
  readonly info: ResourceInfo;
  readonly strategy: Strategy;
  /** Undefined for kinds that are not stored. */
  readonly store: ObjectStore | undefined;
  /** Undefined when the served version is the stored one, or differs from it only in its apiVersion. */
  readonly conversion: Conversion | undefined;
  /** The apiVersion that writes are stored in. */
  readonly storedApiVersion: string;
  /** True when an entry's bytes are already in the served version. */
  storedAs(entry: Entry): boolean;
  /** Custom resources: makes what is stored of an object of the served version. May change its argument. */
  readonly write?: (obj: Unstructured) => Unstructured;
  /** For managed fields that were set at other versions of the kind. */
  readonly versions?: OtherVersions;
  /** Custom resources: makes an object of the served version of what was stored, in any version. May change its argument. */
  readonly read?: (obj: Unstructured) => Unstructured;
  /** Distinguishes memoized encodings of this definition from those of earlier ones. */
  readonly memo?: string;
  readonly hooks: Hooks;
  readonly virtual?: Virtual;
  /** DELETE answers with the object instead of a Status. */
  readonly returnsDeleted: boolean;
  readonly custom?: CustomFacts;
  /** The kind of lists, when it is not the kind with "List" after it. */
  readonly listKind?: string;
  readonly columns: readonly Column<Unstructured>[];
}

/** What only custom resources have. */
interface CustomFacts {
  /** Name of the definition. */
  readonly crd: string;
  /** False once the definition is being deleted. */
  readonly acceptsCreates: boolean;
  /** Aborted when the definition is served differently, or no longer: watches end then. */
  readonly replaced: AbortSignal;
  /** The schema as the definition gives it, for OpenAPI. */
  readonly props: JSONSchemaProps | undefined;
}

export interface Core extends Environment {
  readonly store: Store;
  readonly cacher: Cacher;
  readonly resources: ResourceTable;
  /** In order; set when the server starts. */
  readonly admission: readonly AdmissionPlugin[];
  readonly authorizer: Authorizer;
  readonly identity: string;
  /** The whole server, for calls to itself that must pass every filter. */
  readonly loopback: Handler;
  readonly gzip: ((bytes: Uint8Array | AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>) | undefined;
  readonly bookmarks: Bookmarks;
  readonly broadcasts: Broadcasts;
  /** How to reach nodes; absent where there is no network. */
  readonly dialer: Dialer | undefined;
  readonly issueToken: Security['issueToken'] | undefined;
  /** Ends watches when the server stops. */
  readonly stopping: AbortSignal;
}

export interface Scope {
  readonly core: Core;
  readonly request: ApiRequest;
  readonly info: RequestInfo;
  readonly user: UserInfo;
  /** Texts for the `Warning` headers. */
  readonly warnings: string[];
  readonly annotations: Map<string, string>;
  warn(text: string): void;
}

export type VerbHandler = (scope: Scope, served: Served) => Awaitable<ApiResponse>;
