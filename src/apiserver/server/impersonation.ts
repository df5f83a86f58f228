/** Acting as another user with Impersonate-* headers (upstream: endpoints/filters/impersonation.go). */
import type { ApiRequest, UserInfo } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import { extraFromHeaders } from '../auth/authenticators/basic.ts';
import type { Attributes, Authorizer } from '../auth/contract.ts';
import { forbiddenError } from '../auth/forbidden.ts';
import { serviceAccountGroups, splitServiceAccountName, groups as wellKnown } from '../auth/users.ts';

const extraPrefix = 'impersonate-extra-';

function listOf(header: string | undefined): string[] {
  return header === undefined
    ? []
    : header
        .split(',')
        .map(v => v.trim())
        .filter(v => v !== '');
}

/** The user to act as; undefined when the request does not ask for one. Throws 403 unless each part is allowed. */
export async function impersonatedUser(
  request: ApiRequest,
  user: UserInfo,
  authorizer: Authorizer,
): Promise<UserInfo | undefined> {
  const { headers } = request;
  const name = headers['impersonate-user']?.trim() ?? '';
  const uid = headers['impersonate-uid'];
  const groups = listOf(headers['impersonate-group']);
  const extra = extraFromHeaders(headers, extraPrefix);
  if (!name && (groups.length > 0 || uid || extra))
    throw errors.badRequest('requested impersonation of groups, uid or extra without impersonating a user');
  if (!name) return undefined;
  const account = splitServiceAccountName(name);
  const ask = (attributes: Partial<Attributes>) => allowed(authorizer, user, attributes);
  if (account) await ask({ resource: 'serviceaccounts', namespace: account.namespace, name: account.name });
  else await ask({ resource: 'users', name });
  for (const group of groups) await ask({ resource: 'groups', name: group });
  const identity = { group: 'authentication.k8s.io', version: 'v1' };
  if (uid) await ask({ ...identity, resource: 'uids', name: uid });
  for (const [key, values] of Object.entries(extra ?? {}))
    for (const value of values) await ask({ ...identity, resource: 'userextras', subresource: key, name: value });
  const all = groups.length === 0 && account ? serviceAccountGroups(account.namespace) : groups;
  return { name, groups: withBase(name, all), ...(uid && { uid }), ...(extra && { extra }) };
}

function withBase(name: string, groups: readonly string[]): string[] {
  const base = name === 'system:anonymous' ? wellKnown.unauthenticated : wellKnown.authenticated;
  return groups.includes(base) ? [...groups] : [...groups, base];
}

async function allowed(authorizer: Authorizer, user: UserInfo, wanted: Partial<Attributes>): Promise<void> {
  const attributes: Attributes = {
    user,
    verb: 'impersonate',
    group: '',
    version: 'v1',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    isResource: true,
    path: '',
    ...wanted,
  };
  const { result, reason } = await authorizer.authorize(attributes);
  if (result !== 'allow') throw forbiddenError(attributes, reason);
}
