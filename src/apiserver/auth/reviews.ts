/** Questions about who one is and what one may do: answered, never stored (pkg/registry/authentication, authorization of v1.35). */
import type { UserInfo } from '../../api/transport.ts';
import type { SelfSubjectReview, TokenReview } from '../../api/types/authentication-v1.ts';
import type {
  FieldSelectorAttributes,
  LabelSelectorAttributes,
  LocalSubjectAccessReview,
  NonResourceAttributes,
  NonResourceRule,
  ResourceAttributes,
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
import type { Attributes, Authorizer } from './contract.ts';
import { rulesFor } from './rbac/authorizer.ts';
import { compactRules } from './rbac/rules.ts';
import type { RbacSource } from './rbac/source.ts';
import { nodeNameOf, toUserInfo } from './users.ts';

interface Spec {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
  readonly user?: string;
  readonly groups?: readonly string[];
}

function selectorText(selector: FieldSelectorAttributes | LabelSelectorAttributes | undefined): string {
  if (selector?.rawSelector) return selector.rawSelector;
  const words: Record<string, string> = { In: 'in', NotIn: 'notin' };
  return (selector?.requirements ?? [])
    .map(({ key, operator, values }) => {
      if (operator === 'Exists') return key;
      if (operator === 'DoesNotExist') return `!${key}`;
      return `${key} ${words[operator] ?? operator} (${(values ?? []).join(',')})`;
    })
    .join(',');
}

/** The question of a review, as authorizers take it. */
export function attributesOf(spec: Spec, user: UserInfo): Attributes {
  const r = spec.resourceAttributes;
  const none = { group: '', version: '', resource: '', subresource: '', namespace: '', name: '' };
  if (!r) {
    const { path = '', verb = '' } = spec.nonResourceAttributes ?? {};
    return { ...none, user, verb, path, isResource: false };
  }
  const fieldSelector = selectorText(r.fieldSelector);
  const labelSelector = selectorText(r.labelSelector);
  return {
    user,
    verb: r.verb ?? '',
    group: r.group ?? '',
    version: r.version || '*',
    resource: r.resource ?? '',
    subresource: r.subresource ?? '',
    namespace: r.namespace ?? '',
    name: r.name ?? '',
    isResource: true,
    path: '',
    ...(fieldSelector && { fieldSelector }),
    ...(labelSelector && { labelSelector }),
  };
}

function validateSpec(spec: Spec, withUser: boolean): FieldError[] {
  const found: FieldError[] = [];
  if (spec.resourceAttributes && spec.nonResourceAttributes)
    found.push(
      field.invalid(
        'spec.nonResourceAttributes',
        spec.nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    );
  if (!spec.resourceAttributes && !spec.nonResourceAttributes)
    found.push(
      field.invalid(
        'spec.resourceAttributes',
        null,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    );
  if (withUser && !spec.user && !spec.groups?.length)
    found.push(field.invalid('spec.user', spec.user ?? '', 'at least one of user or group must be specified'));
  return found;
}

/** Upstream does not name the kind of what it refuses. */
function refuse(found: readonly FieldError[]): ApiError {
  const { causes, message } = aggregate(found);
  return errors.invalid({ group: 'authorization.k8s.io', kind: '' }, '', causes, message);
}

async function decide(attributes: Attributes, authorizer: Authorizer): Promise<SubjectAccessReviewStatus> {
  try {
    const { result, reason } = await authorizer.authorize(attributes);
    return {
      allowed: result === 'allow',
      ...(result === 'deny' && { denied: true }),
      ...(reason && { reason }),
    };
  } catch (e) {
    return { allowed: false, evaluationError: messageOf(e) };
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
  const found = validateSpec(review.spec, true);
  if (found.length > 0) throw refuse(found);
  return { ...review, status: await decide(attributesOf(review.spec, userOf(review.spec)), authorizer) };
}

/** Throws Invalid, or BadRequest when the namespaces differ. */
export async function reviewLocalSubjectAccess(
  review: LocalSubjectAccessReview,
  namespace: string,
  authorizer: Authorizer,
): Promise<LocalSubjectAccessReview> {
  const found = validateSpec(review.spec, true);
  if (review.spec.nonResourceAttributes)
    found.push(
      field.invalid(
        'spec.nonResourceAttributes',
        review.spec.nonResourceAttributes,
        'disallowed on this kind of request',
      ),
    );
  const asked = review.spec.resourceAttributes?.namespace ?? '';
  if (review.spec.resourceAttributes && asked !== (review.metadata?.namespace ?? ''))
    found.push(field.invalid('spec.resourceAttributes.namespace', asked, 'must match metadata.namespace'));
  if (found.length > 0) throw refuse(found);
  if (asked !== namespace)
    throw errors.badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  return { ...review, status: await decide(attributesOf(review.spec, userOf(review.spec)), authorizer) };
}

/** Throws Invalid. */
export async function reviewOwnAccess(
  review: SelfSubjectAccessReview,
  user: UserInfo,
  authorizer: Authorizer,
): Promise<SelfSubjectAccessReview> {
  const found = validateSpec(review.spec, false);
  if (found.length > 0) throw refuse(found);
  return { ...review, status: await decide(attributesOf(review.spec, user), authorizer) };
}

/** All that RBAC gives the user in one namespace. Throws BadRequest without namespace. */
export function reviewOwnRules(
  review: SelfSubjectRulesReview,
  user: UserInfo,
  source: RbacSource,
): SelfSubjectRulesReview {
  const namespace = review.spec.namespace ?? '';
  if (!namespace) throw errors.badRequest('no namespace on request');
  const { rules, failures } = rulesFor(source, user, namespace);
  const isNode = nodeNameOf(user) !== undefined;
  if (isNode) failures.push('node authorizer does not support user rule resolution');
  const resourceRules: ResourceRule[] = compactRules(rules.filter(r => r.resources?.length)).map(
    ({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs,
      apiGroups: apiGroups ?? [],
      resources: resources ?? [],
      ...(resourceNames && { resourceNames }),
    }),
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
      incomplete: failures.length > 0,
      nonResourceRules,
      resourceRules,
      ...(failures.length > 0 && { evaluationError: failures.join(', ') }),
    },
  };
}

export function reviewSelf(review: SelfSubjectReview, user: UserInfo, now: number): SelfSubjectReview {
  return {
    ...review,
    metadata: { ...review.metadata, creationTimestamp: rfc3339(now) },
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
