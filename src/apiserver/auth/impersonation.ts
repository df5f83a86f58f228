/** Acting as somebody else by `Impersonate-*` headers (apiserver/pkg/endpoints/filters/impersonation). */
import type { ApiRequest, UserInfo } from '../../api/transport.ts';
import type { Awaitable } from '../../base/awaitable.ts';
import { errors } from '../../base/errors.ts';
import { extraFromHeaders } from './authenticators/basic.ts';
import type { Attributes, Authorizer } from './contract.ts';
import { forbiddenError } from './forbidden.ts';
import { anonymousName, groups, serviceAccountGroups, splitServiceAccountName } from './users.ts';

const extraPrefix = 'impersonate-extra-';
const authenticationGroup = 'authentication.k8s.io';

interface Wish {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid: string;
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** Undefined when nobody is to be impersonated. Throws InternalError for groups, UID or extra without a user, as upstream. */
function wishOf(request: ApiRequest): Wish | undefined {
  if (!Object.keys(request.headers).some(name => name.startsWith('impersonate-'))) return undefined;
  const name = request.headers['impersonate-user'] ?? '';
  const groupHeader = request.headers['impersonate-group'];
  const uid = request.headers['impersonate-uid'] ?? '';
  const extra = extraFromHeaders(request.headers, extraPrefix) ?? {};
  const members = groupHeader ? groupHeader.split(',').map(g => g.trim()) : [];
  if (name) return { name, groups: members, uid, extra };
  if (members.length > 0 || uid || Object.keys(extra).length > 0)
    throw errors.internal(`requested ${JSON.stringify({ groups: members, uid, extra })} without impersonating a user`);
  return undefined;
}

type Question = Pick<Attributes, 'group' | 'resource' | 'subresource' | 'namespace' | 'name'>;

function* questionsOf(wish: Wish): Generator<Question> {
  const base = { group: '', subresource: '', namespace: '' };
  const account = splitServiceAccountName(wish.name);
  yield account
    ? { ...base, resource: 'serviceaccounts', namespace: account.namespace, name: account.name }
    : { ...base, resource: 'users', name: wish.name };
  for (const name of wish.groups) yield { ...base, resource: 'groups', name };
  for (const [key, values] of Object.entries(wish.extra))
    for (const name of values)
      yield { ...base, group: authenticationGroup, resource: 'userextras', subresource: key, name };
  if (wish.uid) yield { ...base, group: authenticationGroup, resource: 'uids', name: wish.uid };
}

/** Service accounts bring their groups unless the caller named others; everybody is authenticated or not. */
function groupsFor(wish: Wish): string[] {
  const account = splitServiceAccountName(wish.name);
  const members = wish.groups.length === 0 && account ? serviceAccountGroups(account.namespace) : [...wish.groups];
  const all = wish.name === anonymousName ? groups.unauthenticated : groups.authenticated;
  if (!members.includes(groups.authenticated) && !members.includes(groups.unauthenticated)) members.push(all);
  return members;
}

/**
 * Who the request acts as: undefined when it asks for nobody else. The impersonator needs the `impersonate` verb on each
 * user, group, UID and extra value. Throws Forbidden.
 */
export function impersonate(
  request: ApiRequest,
  impersonator: UserInfo,
  authorizer: Authorizer,
): Awaitable<UserInfo | undefined> {
  const wish = wishOf(request);
  return wish && becomeWished(wish, impersonator, authorizer);
}

async function becomeWished(wish: Wish, impersonator: UserInfo, authorizer: Authorizer): Promise<UserInfo> {
  for (const question of questionsOf(wish)) {
    const attributes: Attributes = {
      ...question,
      user: impersonator,
      verb: 'impersonate',
      version: question.group ? 'v1' : '',
      isResource: true,
      path: '',
    };
    const { result, reason } = await authorizer.authorize(attributes);
    if (result !== 'allow') throw forbiddenError(attributes, reason);
  }
  return {
    name: wish.name,
    groups: groupsFor(wish),
    ...(wish.uid && { uid: wish.uid }),
    ...(Object.keys(wish.extra).length > 0 && { extra: wish.extra }),
  };
}
