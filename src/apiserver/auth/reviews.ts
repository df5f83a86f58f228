/** Questions about who one is and what one may do: answered, never stored (pkg/registry/authentication, authorization of v1.35). */
import type { UserInfo } from '../../api/transport.ts';
import type { SelfSubjectReview, TokenReview } from '../../api/types/authentication-v1.ts';
import type {
  LocalSubjectAccessReview,
  NonResourceRule,
  ResourceRule,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewStatus,
} from '../../api/types/authorization-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { type ApiError, errors, messageOf } from '../../base/errors.ts';
import { aggregate, type FieldError, field } from '../registry/field-errors.ts';
import type { TokenAuthenticator } from './authenticators/token.ts';
import type { Authorizer } from './contract.ts';
import { joinErrors, rulesFor } from './rbac/authorizer.ts';
import type { RbacSource } from './rbac/source.ts';
import {
  asUpstreamPrints,
  type Question,
  questionOf,
  validateReviewMetadata,
  validateReviewSpec,
} from './review-spec.ts';
import { nodeNameOf, toUserInfo } from './users.ts';

/** Upstream does not name the kind of what it refuses. */
function refuse(found: readonly FieldError[]): ApiError {
  const { causes, message } = aggregate(found);
  return errors.invalid({ group: 'authorization.k8s.io', kind: '' }, '', causes, message);
}

async function decide({ attributes, ignored }: Question, authorizer: Authorizer): Promise<SubjectAccessReviewStatus> {
  const failed = (errors: readonly string[]) => errors.length > 0 && { evaluationError: errors.join('; ') };
  try {
    const { result, reason } = await authorizer.authorize(attributes);
    return {
      allowed: result === 'allow',
      ...(result === 'deny' && { denied: true }),
      ...(reason && { reason }),
      ...failed(ignored),
    };
  } catch (e) {
    return { allowed: false, ...failed([messageOf(e), ...ignored]) };
  }
}

function userOf(spec: { user?: string; groups?: string[]; uid?: string; extra?: Record<string, string[]> }): UserInfo {
  return {
    name: spec.user ?? '',
    groups: spec.groups ?? [],
    ...(spec.uid && { uid: spec.uid }),
    ...(spec.extra && { extra: spec.extra }),
  };
}

/** Throws Invalid. */
export async function reviewSubjectAccess(
  review: SubjectAccessReview,
  authorizer: Authorizer,
): Promise<SubjectAccessReview> {
  const found = [...validateReviewSpec(review.spec, true), ...validateReviewMetadata(review.metadata, false)];
  if (found.length > 0) throw refuse(found);
  return { ...review, status: await decide(questionOf(review.spec, userOf(review.spec)), authorizer) };
}

/** Throws Invalid, or BadRequest when the namespaces differ. */
export async function reviewLocalSubjectAccess(
  review: LocalSubjectAccessReview,
  namespace: string,
  authorizer: Authorizer,
): Promise<LocalSubjectAccessReview> {
  const { resourceAttributes, nonResourceAttributes } = review.spec;
  const own = review.metadata?.namespace ?? '';
  const asked = resourceAttributes?.namespace ?? '';
  const found = [
    ...validateReviewSpec(review.spec, true),
    ...validateReviewMetadata(review.metadata, true),
    ...(resourceAttributes && asked !== own
      ? [field.invalid('spec.resourceAttributes.namespace', asked, 'must match metadata.namespace')]
      : []),
    ...(nonResourceAttributes
      ? [
          field.invalid(
            'spec.nonResourceAttributes',
            asUpstreamPrints(nonResourceAttributes),
            'disallowed on this kind of request',
          ),
        ]
      : []),
  ];
  if (found.length > 0) throw refuse(found);
  if (own !== namespace)
    throw errors.badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  return { ...review, status: await decide(questionOf(review.spec, userOf(review.spec)), authorizer) };
}

/** Throws Invalid. */
export async function reviewOwnAccess(
  review: SelfSubjectAccessReview,
  user: UserInfo,
  authorizer: Authorizer,
): Promise<SelfSubjectAccessReview> {
  const found = [...validateReviewSpec(review.spec, false), ...validateReviewMetadata(review.metadata, false)];
  if (found.length > 0) throw refuse(found);
  return { ...review, status: await decide(questionOf(review.spec, user), authorizer) };
}

const unknownNodeRules = 'node authorizer does not support user rule resolution';

/** All that RBAC gives the user in one namespace, rule by rule. Throws BadRequest without namespace. */
export function reviewOwnRules(
  review: SelfSubjectRulesReview,
  user: UserInfo,
  source: RbacSource,
): SelfSubjectRulesReview {
  const namespace = review.spec.namespace ?? '';
  if (!namespace) throw errors.badRequest('no namespace on request');
  const isNode = nodeNameOf(user) !== undefined;
  const { rules, failures } = rulesFor(source, user, namespace);
  const evaluationError = joinErrors([...(isNode ? [unknownNodeRules] : []), ...failures]);
  const resourceRules: ResourceRule[] = rules.flatMap(({ verbs, apiGroups, resources, resourceNames }) =>
    resources?.length
      ? [{ verbs, ...(apiGroups && { apiGroups }), resources, ...(resourceNames && { resourceNames }) }]
      : [],
  );
  const nonResourceRules: NonResourceRule[] = rules.flatMap(({ verbs, nonResourceURLs }) =>
    nonResourceURLs?.length ? [{ verbs, nonResourceURLs }] : [],
  );
  const { kind, apiVersion } = review;
  return {
    ...(kind && { kind }),
    ...(apiVersion && { apiVersion }),
    metadata: { name: '' },
    spec: {},
    status: {
      incomplete: isNode,
      nonResourceRules,
      resourceRules,
      ...(evaluationError && { evaluationError }),
    },
  };
}

export function reviewSelf(review: SelfSubjectReview, user: UserInfo, now: number): SelfSubjectReview {
  return {
    ...review,
    metadata: { name: '', creationTimestamp: rfc3339(now) },
    status: { userInfo: toUserInfo(user) },
  };
}

/** Throws BadRequest without token. A bad token is an answer, not an error. */
export async function reviewToken(
  review: TokenReview,
  tokens: TokenAuthenticator,
  apiAudiences: readonly string[],
): Promise<TokenReview> {
  const { token, audiences = [] } = review.spec;
  if (!token) throw errors.badRequest('token is required for TokenReview in authentication');
  const asked = audiences.length > 0 ? audiences : apiAudiences;
  try {
    const result = await tokens.authenticateToken(token, asked);
    if (!result) return { ...review, status: { user: {}, error: 'invalid bearer token' } };
    return {
      ...review,
      status: { authenticated: true, user: toUserInfo(result.user), audiences: [...result.audiences] },
    };
  } catch (e) {
    return { ...review, status: { user: {}, error: messageOf(e) } };
  }
}
