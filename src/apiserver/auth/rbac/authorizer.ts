import type { UserInfo } from '../../../api/transport.ts';
import type { PolicyRule, RoleRef, Subject } from '../../../api/types/rbac-v1.ts';
import { messageOf } from '../../../base/errors.ts';
import type { Attributes, Authorizer, Decision } from '../contract.ts';
import { ruleAllows } from './rules.ts';
import { type RbacSource, rulesOfReference, subjectKey, subjectKeysOf } from './source.ts';

interface Grant {
  readonly rules: readonly PolicyRule[];
  /** For the reason of a decision. */
  describe(): string;
}

interface AnyBinding {
  readonly metadata: { name: string; namespace?: string };
  readonly roleRef: RoleRef;
  readonly subjects?: Subject[];
}

function describeGrant(binding: AnyBinding, key: string): string {
  const { name, namespace } = binding.metadata;
  const subject = binding.subjects?.find(s => subjectKey(s, namespace) === key);
  const shown =
    subject?.kind === 'ServiceAccount'
      ? `ServiceAccount ${JSON.stringify(`${subject.name}/${subject.namespace || namespace}`)}`
      : `${subject?.kind} ${JSON.stringify(subject?.name)}`;
  const kind = namespace ? 'RoleBinding' : 'ClusterRoleBinding';
  const label = namespace ? `${name}/${namespace}` : name;
  return `${kind} ${JSON.stringify(label)} of ${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)} to ${shown}`;
}

/** Every grant of the user in the namespace (cluster-wide ones first). `failed` hears of bindings to missing roles. */
function* grantsOf(
  source: RbacSource,
  user: UserInfo,
  namespace: string,
  failed: (message: string) => void,
): Generator<Grant> {
  const keys = subjectKeysOf(user);
  for (const key of keys) for (const binding of source.clusterRoleBindings(key)) yield* grant(binding, key);
  if (!namespace) return;
  for (const key of keys) for (const binding of source.roleBindings(namespace, key)) yield* grant(binding, key);

  function* grant(binding: AnyBinding, key: string): Generator<Grant> {
    try {
      const rules = rulesOfReference(source, binding.roleRef, namespace);
      yield { rules, describe: () => describeGrant(binding, key) };
    } catch (e) {
      failed(messageOf(e));
    }
  }
}

/** Several complaints as one, each told once (NewAggregate of k8s.io/apimachinery/pkg/util/errors). */
export function joinErrors(messages: readonly string[]): string {
  const distinct = [...new Set(messages)];
  return distinct.length > 1 ? `[${distinct.join(', ')}]` : distinct.join('');
}

/** Never denies: RBAC allows or has no opinion. Roles that a binding names but that are missing go into the reason. */
export function decide(source: RbacSource, attributes: Attributes): Decision {
  const failures: string[] = [];
  for (const grant of grantsOf(source, attributes.user, attributes.namespace, m => failures.push(m)))
    for (const rule of grant.rules)
      if (ruleAllows(rule, attributes)) return { result: 'allow', reason: `RBAC: allowed by ${grant.describe()}` };
  const all = joinErrors(failures);
  return { result: 'no-opinion', reason: all && `RBAC: ${all}` };
}

export function createRbacAuthorizer(source: RbacSource): Authorizer {
  return { name: 'rbac', authorize: attributes => decide(source, attributes) };
}

/** All rules that apply to the user in the namespace (only cluster-wide ones without namespace). */
export function rulesFor(
  source: RbacSource,
  user: UserInfo,
  namespace: string,
): { rules: PolicyRule[]; failures: string[] } {
  const failures: string[] = [];
  const rules: PolicyRule[] = [];
  for (const grant of grantsOf(source, user, namespace, m => failures.push(m))) rules.push(...grant.rules);
  return { rules, failures };
}
