/** Who is asking, and may they: what the server's filters call. */
import type { ApiRequest, UserInfo } from '../../api/transport.ts';
import type { Awaitable } from '../../base/awaitable.ts';
import type { Clock } from '../../base/clock.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Client, InformerFactory } from '../../client/contract.ts';
import {
  anonymousAuthenticator,
  authenticate,
  certificateAuthenticator,
  frontProxyAuthenticator,
  peerAuthenticator,
  staticTokenAuthenticator,
} from './authenticators/basic.ts';
import { bootstrapTokenAuthenticator } from './authenticators/bootstrap-token.ts';
import {
  liveObjects,
  type ServiceAccountTokenOptions,
  serviceAccountAuthenticator,
} from './authenticators/service-account.ts';
import { bearerTokenAuthenticator, type TokenAuthenticator, unionTokenAuthenticator } from './authenticators/token.ts';
import type { TokenSigner } from './authenticators/token-signer.ts';
import type { Authorizer } from './contract.ts';
import { privilegedGroupAuthorizer, unionAuthorizer } from './forbidden.ts';
import { createNodeAuthorizer, informerGraph } from './node/authorizer.ts';
import { createRbacAuthorizer } from './rbac/authorizer.ts';
import { informerSource, type RbacSource } from './rbac/source.ts';

export interface AuthenticationOptions {
  readonly clock: Clock;
  /** The loopback client, for the objects that tokens are bound to. */
  readonly client: Client;
  readonly signer: TokenSigner;
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  /** Content of a static token file. */
  readonly staticTokens?: string;
  /** Common names of front proxies; empty means any that their authority signed. */
  readonly frontProxyNames?: readonly string[];
  /** Where strangers may be; default the health paths, none to refuse them everywhere. */
  readonly anonymousPaths?: readonly string[];
  /** More kinds of tokens (OIDC, webhooks), asked last. */
  readonly moreTokens?: readonly TokenAuthenticator[];
}

export interface Authentication {
  /** Throws Unauthorized. */
  authenticate(request: ApiRequest): Awaitable<UserInfo>;
  /** For TokenReview. */
  readonly tokens: TokenAuthenticator;
  /** For TokenRequest. */
  readonly serviceAccounts: ServiceAccountTokenOptions;
}

/** In upstream's order: front proxy, certificate, tokens, anonymous. */
export function createAuthentication(options: AuthenticationOptions): Authentication {
  const { clock, client, signer, issuers, audiences } = options;
  const serviceAccounts = { clock, signer, issuers, audiences, objects: liveObjects(client) };
  const secrets = client.resource('v1/secrets', 'kube-system');
  const tokens = unionTokenAuthenticator([
    ...(options.staticTokens ? [staticTokenAuthenticator(options.staticTokens)] : []),
    serviceAccountAuthenticator(serviceAccounts),
    bootstrapTokenAuthenticator({
      clock,
      getSecret: name =>
        secrets.get(name).catch(e => {
          if (isNotFound(e)) return undefined;
          throw e;
        }),
    }),
    ...(options.moreTokens ?? []),
  ]);
  const members = [
    peerAuthenticator,
    frontProxyAuthenticator({ allowedNames: options.frontProxyNames ?? [] }),
    certificateAuthenticator,
    bearerTokenAuthenticator(tokens, audiences),
    anonymousAuthenticator(options.anonymousPaths),
  ];
  return { authenticate: request => authenticate(members, request), tokens, serviceAccounts };
}

export interface Authorization {
  readonly authorizer: Authorizer;
  /** For rules reviews and escalation checks. */
  readonly rbac: RbacSource;
}

/**
 * Upstream's default order: system:masters, Node, RBAC. `graphInformers` is asked for pods and volumes when the first kubelet
 * comes; with `leanForGraph` as its transform it stays small.
 */
export function createAuthorization(
  informers: InformerFactory,
  graphInformers: InformerFactory = informers,
): Authorization {
  const rbac = informerSource(informers);
  const authorizer = unionAuthorizer([
    privilegedGroupAuthorizer,
    createNodeAuthorizer(() => informerGraph(graphInformers)),
    createRbacAuthorizer(rbac),
  ]);
  return { authorizer, rbac };
}

export { type AuthenticationInfo, ensureAuthenticationInfo } from './authentication-info.ts';
export { healthPaths } from './authenticators/basic.ts';
export { createTokenSigner, type TokenSigner } from './authenticators/token-signer.ts';
export type { Attributes, Authenticator, Authorizer, Decision } from './contract.ts';
export { forbiddenError, forbiddenMessage } from './forbidden.ts';
export { impersonate } from './impersonation.ts';
export { leanForGraph } from './node/authorizer.ts';
export { reconcileDefaultPolicy } from './rbac/bootstrap/reconcile.ts';
export {
  reviewLocalSubjectAccess,
  reviewOwnAccess,
  reviewOwnRules,
  reviewSelf,
  reviewSubjectAccess,
  reviewToken,
} from './reviews.ts';
export { createToken, discoveryDocument, keySet, type TokenRequestOptions } from './token-request.ts';
export { toUserInfo } from './users.ts';
