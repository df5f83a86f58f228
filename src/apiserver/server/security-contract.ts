/** What decides who may do what, as the core needs it. */
import type { Unstructured } from '../../api/object.ts';
import type { ApiRequest, UserInfo } from '../../api/transport.ts';
import type { Awaitable } from '../../base/awaitable.ts';
import type { Client } from '../../client/contract.ts';
import type { Environment } from '../../controller/contract.ts';
import type { AdmissionPlugin } from '../admission/contract.ts';
import type { Authorizer } from '../auth/contract.ts';
import type { Virtual } from './scope.ts';

export interface SecurityEnvironment extends Environment {
  /** The loopback client: system:apiserver in system:masters. */
  readonly client: Client;
}

export interface Security {
  /** Throws 401. */
  authenticate(request: ApiRequest): Awaitable<UserInfo>;
  readonly authorizer: Authorizer;
  /** In the order in which they are asked. */
  readonly admission: readonly AdmissionPlugin[];
  /** Answers for kinds that are not stored, by "group/plural". */
  readonly reviews?: Readonly<Record<string, Virtual>>;
  /** JSON documents by path (OpenID discovery, keys). */
  readonly documents?: Readonly<Record<string, object>>;
  /** The token subresource of service accounts. */
  readonly issueToken?: (account: Unstructured, request: Unstructured) => Promise<Unstructured>;
  /** Called when the kinds are served: fills what decisions are made from. Until it resolves the server is not ready. */
  readonly start?: () => Promise<void>;
  readonly close?: () => void;
}
