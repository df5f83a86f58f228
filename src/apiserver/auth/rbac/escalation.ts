/** Nobody may grant what they do not hold (pkg/registry/rbac/…/policybased). */
import type { UserInfo } from '../../../api/transport.ts';
import type { PolicyRule, RoleRef } from '../../../api/types/rbac-v1.ts';
import { type ApiError, errors } from '../../../base/errors.ts';
import type { Authorizer } from '../contract.ts';
import { isPrivileged } from '../forbidden.ts';
import { rulesFor } from './authorizer.ts';
import { compactRules, describeRule, goQuoted, uncovered } from './rules.ts';
import { type RbacSource, rulesOfReference } from './source.ts';

const group = 'rbac.authorization.k8s.io';

export interface EscalationContext {
  readonly source: RbacSource;
  readonly authorizer: Authorizer;
  readonly user: UserInfo;
  /** Empty for cluster roles and cluster role bindings. */
  readonly namespace: string;
}

/** Upstream's text, or undefined when the user holds every permission. */
export function missingPermissions(context: EscalationContext, rules: readonly PolicyRule[]): string | undefined {
  const owned = rulesFor(context.source, context.user, context.namespace);
  const missing = uncovered(owned.rules, rules);
  if (missing.length === 0) return undefined;
  const lines = [...new Set(compactRules(missing).map(describeRule))].sort();
  const { name, groups } = context.user;
  const head = `user ${JSON.stringify(name)} (groups=${goQuoted(groups)}) is attempting to grant RBAC permissions not currently held:`;
  const tail = owned.failures.length > 0 ? `; resolution errors: [${owned.failures.join(' ')}]` : '';
  return `${head}\n${lines.join('\n')}${tail}`;
}

async function mayDo(context: EscalationContext, verb: string, resource: string, name: string): Promise<boolean> {
  const decision = await context.authorizer.authorize({
    user: context.user,
    verb,
    group,
    version: 'v1',
    resource,
    subresource: '',
    namespace: context.namespace,
    name,
    isResource: true,
    path: '',
  });
  return decision.result === 'allow';
}

const everything: readonly PolicyRule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
];

const refusal = (resource: string, name: string, why: string): ApiError =>
  errors.forbidden({ group, resource }, name, why);

/** For a Role or ClusterRole that is created, or whose rules change. Throws Forbidden. */
export async function checkRole(
  context: EscalationContext,
  resource: 'roles' | 'clusterroles',
  role: { name: string; rules: readonly PolicyRule[]; aggregated: boolean },
): Promise<void> {
  if (isPrivileged(context.user) || (await mayDo(context, 'escalate', resource, role.name))) return;
  const missing = missingPermissions(context, role.rules);
  if (missing !== undefined) throw refusal(resource, role.name, missing);
  if (role.aggregated && missingPermissions(context, everything) !== undefined)
    throw refusal(resource, role.name, 'must have cluster-admin privileges to use the aggregationRule');
}

/** For a binding that is created, or whose subjects change. Throws Forbidden, or NotFound when the role is missing. */
export async function checkBinding(
  context: EscalationContext,
  resource: 'rolebindings' | 'clusterrolebindings',
  binding: { name: string; roleRef: RoleRef },
): Promise<void> {
  if (isPrivileged(context.user)) return;
  const roles = binding.roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (await mayDo(context, 'bind', roles, binding.roleRef.name)) return;
  const rules = rulesOfReference(context.source, binding.roleRef, context.namespace);
  const missing = missingPermissions(context, rules);
  if (missing !== undefined) throw refusal(resource, binding.name, missing);
}
