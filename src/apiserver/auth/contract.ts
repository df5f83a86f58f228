import type { ApiRequest, UserInfo } from '../../api/transport.ts';
import type { Awaitable } from '../../base/awaitable.ts';

/** Undefined: this authenticator has no opinion (no such credential in the request). Throws `errors.unauthorized` for a bad credential. */
export interface Authenticator {
  readonly name: string;
  authenticate(request: ApiRequest): Awaitable<UserInfo | undefined>;
}

/** What is being asked, as RBAC sees it. */
export interface Attributes {
  readonly user: UserInfo;
  readonly verb: string;
  /** Resource requests. Empty strings when absent. */
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** False for requests outside /api and /apis; then `path` counts. */
  readonly isResource: boolean;
  readonly path: string;
  /** For selectors in authorization (list, watch, deletecollection). */
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

export interface Decision {
  readonly result: 'allow' | 'deny' | 'no-opinion';
  readonly reason: string;
}

/** Asked in order; the first allow or deny counts; no opinion from all of them means forbidden. */
export interface Authorizer {
  readonly name: string;
  authorize(attributes: Attributes): Awaitable<Decision>;
}
