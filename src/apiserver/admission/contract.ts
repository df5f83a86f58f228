import type { KubeObject, Unstructured } from '../../api/object.ts';
import type { ResourceInfo } from '../../api/schema.ts';
import type { UserInfo } from '../../api/transport.ts';
import type { Client, InformerFactory } from '../../client/contract.ts';
import type { Environment } from '../../controller/contract.ts';
import type { Authorizer } from '../auth/contract.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionRequest {
  readonly operation: Operation;
  readonly resource: ResourceInfo;
  readonly subresource: string;
  readonly namespace: string;
  /** May be empty on create with generateName until the name is made; the pipeline makes it before admission. */
  readonly name: string;
  /** The object as it would be stored; plugins change it in place in `admit`. Undefined for DELETE. For subresources with a kind of their own (eviction, binding, token, exec options) it is that object. */
  readonly object: (Unstructured & KubeObject) | undefined;
  /** Deep-frozen. Undefined for CREATE and CONNECT. */
  readonly oldObject: (Unstructured & KubeObject) | undefined;
  readonly options: Readonly<Record<string, unknown>>;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** Adds a `Warning` header. */
  warn(text: string): void;
  /** Adds an audit annotation. */
  annotate(key: string, value: string): void;
}

/** What plugins are built from: the API server's loopback client and informers over it. */
export interface AdmissionEnvironment extends Environment {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly authorizer: Authorizer;
}

/** A plugin refuses by throwing an `ApiError` (usually `errors.forbidden`). */
export interface AdmissionPlugin {
  readonly name: string;
  handles(operation: Operation): boolean;
  /** What it looks at, "group/plural" ("/pods" for the core group) with all subresources; absent: everything. */
  readonly resources?: readonly string[];
  admit?(request: AdmissionRequest): Promise<void> | void;
  validate?(request: AdmissionRequest): Promise<void> | void;
  /** Undoes a reservation when the write failed after this plugin let it through (quota). */
  rollback?(request: AdmissionRequest): Promise<void> | void;
}

/** Plugins are made once per server; the ordered list is in `admission/index.ts`. */
export interface AdmissionPluginFactory {
  readonly name: string;
  readonly disabledByDefault?: boolean;
  create(environment: AdmissionEnvironment): AdmissionPlugin;
}
