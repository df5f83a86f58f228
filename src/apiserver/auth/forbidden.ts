import { type Awaitable, after } from '../../base/awaitable.ts';
import { type ApiError, errors } from '../../base/errors.ts';
import type { Attributes, Authorizer, Decision } from './contract.ts';

/** Upstream's wording (apiserver/pkg/endpoints/handlers/responsewriters). */
export function forbiddenMessage(a: Attributes): string {
  const user = JSON.stringify(a.user.name);
  if (!a.isResource) return `User ${user} cannot ${a.verb} path ${JSON.stringify(a.path)}`;
  const resource = a.subresource ? `${a.resource}/${a.subresource}` : a.resource;
  const what = `User ${user} cannot ${a.verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(a.group)}`;
  return a.namespace ? `${what} in the namespace ${JSON.stringify(a.namespace)}` : `${what} at the cluster scope`;
}

/** The 403 for a request that no authorizer allowed. */
export function forbiddenError(a: Attributes, reason = ''): ApiError {
  const message = reason ? `${forbiddenMessage(a)}: ${reason}` : forbiddenMessage(a);
  const resource = a.isResource ? { group: a.group, resource: a.resource } : { group: '', resource: '' };
  return errors.forbidden(resource, a.isResource ? a.name : '', message);
}

export const noOpinion: Decision = { result: 'no-opinion', reason: '' };
export const allow = (reason = ''): Decision => ({ result: 'allow', reason });

/** Asks in order; the first allow or deny counts. With no opinion from all, the reasons are joined. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  function ask(attributes: Attributes, from: number, reasons: readonly string[]): Awaitable<Decision> {
    const authorizer = authorizers[from];
    if (!authorizer) return { result: 'no-opinion', reason: reasons.join('\n') };
    return after(authorizer.authorize(attributes), decision => {
      if (decision.result !== 'no-opinion') return decision;
      return ask(attributes, from + 1, decision.reason ? [...reasons, decision.reason] : reasons);
    });
  }
  return {
    name: 'union',
    authorize: attributes => ask(attributes, 0, []),
  };
}

const privilegedGroup = 'system:masters';

export const isPrivileged = (user: { groups: readonly string[] }): boolean => user.groups.includes(privilegedGroup);

/** Members of system:masters may do everything. */
export const privilegedGroupAuthorizer: Authorizer = {
  name: 'privileged-group',
  authorize: attributes => (isPrivileged(attributes.user) ? allow() : noOpinion),
};
