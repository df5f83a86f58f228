/**
 * Brings the default policy up to date at start, as upstream's rbac/bootstrap-roles hook does: adds what is missing, takes
 * nothing away, and leaves alone what has `rbac.authorization.kubernetes.io/autoupdate: "false"`.
 */
import type { KubeObject } from '../../../../api/object.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../../../api/types/rbac-v1.ts';
import { isAlreadyExists, isConflict } from '../../../../base/errors.ts';
import type { Client, ResourceClient } from '../../../../client/contract.ts';
import { uncovered } from '../rules.ts';
import { clusterRoleBindings, clusterRoles } from './cluster-roles.ts';
import { controllerRoleBindings, controllerRoles } from './controller-roles.ts';
import { namespacedRoleBindings, namespacedRoles } from './namespaced.ts';

const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';
const attempts = 5;

export interface DefaultPolicy {
  readonly clusterRoles: readonly ClusterRole[];
  readonly clusterRoleBindings: readonly ClusterRoleBinding[];
  readonly roles: readonly Role[];
  readonly roleBindings: readonly RoleBinding[];
}

export const defaultPolicy = (): DefaultPolicy => ({
  clusterRoles: [...clusterRoles(), ...controllerRoles()],
  clusterRoleBindings: [...clusterRoleBindings(), ...controllerRoleBindings()],
  roles: namespacedRoles(),
  roleBindings: namespacedRoleBindings(),
});

/** What must change so that `present` also says what `wanted` says. Undefined when nothing. "replace" when the role reference differs. */
export function mergeRole<T extends ClusterRole | Role>(present: T, wanted: T): T | undefined {
  const aggregated = 'aggregationRule' in wanted && wanted.aggregationRule !== undefined;
  const missing = aggregated ? [] : mergeableRules(present.rules ?? [], wanted.rules ?? []);
  const metadata = mergeMetadata(present, wanted);
  const selectors = aggregated ? missingSelectors(present, wanted) : undefined;
  if (missing.length === 0 && !metadata && !selectors) return undefined;
  return {
    ...present,
    metadata: metadata ?? present.metadata,
    ...(!aggregated && { rules: [...(present.rules ?? []), ...missing] }),
    ...(selectors && { aggregationRule: selectors }),
  };
}

/** Whole rules of `wanted` of which some permission is missing. */
function mergeableRules(present: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.filter(r => uncovered(present, [r]).length > 0);
}

function missingSelectors(present: ClusterRole, wanted: ClusterRole): ClusterRole['aggregationRule'] {
  const have = present.aggregationRule?.clusterRoleSelectors ?? [];
  const known = new Set(have.map(s => JSON.stringify(s)));
  const missing = (wanted.aggregationRule?.clusterRoleSelectors ?? []).filter(s => !known.has(JSON.stringify(s)));
  return missing.length > 0 ? { clusterRoleSelectors: [...have, ...missing] } : undefined;
}

function mergeMetadata(present: KubeObject, wanted: KubeObject): KubeObject['metadata'] | undefined {
  const labels = { ...wanted.metadata.labels, ...present.metadata.labels };
  const annotations = { ...wanted.metadata.annotations, ...present.metadata.annotations };
  const size = (o: object | undefined) => Object.keys(o ?? {}).length;
  if (size(labels) === size(present.metadata.labels) && size(annotations) === size(present.metadata.annotations))
    return undefined;
  return { ...present.metadata, labels, annotations };
}

export function mergeBinding<T extends ClusterRoleBinding | RoleBinding>(
  present: T,
  wanted: T,
): T | 'replace' | undefined {
  const { kind, name } = wanted.roleRef;
  if (present.roleRef.kind !== kind || present.roleRef.name !== name) return 'replace';
  const key = (s: Subject) => `${s.kind}/${s.namespace ?? ''}/${s.name}`;
  const known = new Set((present.subjects ?? []).map(key));
  const missing = (wanted.subjects ?? []).filter(s => !known.has(key(s)));
  const metadata = mergeMetadata(present, wanted);
  if (missing.length === 0 && !metadata) return undefined;
  return { ...present, metadata: metadata ?? present.metadata, subjects: [...(present.subjects ?? []), ...missing] };
}

async function ensure<T extends KubeObject>(
  client: ResourceClient<T>,
  known: T | undefined,
  wanted: T,
  merge: (present: T, wanted: T) => T | 'replace' | undefined,
): Promise<void> {
  let present = known;
  for (let left = attempts; ; left--) {
    try {
      if (!present) {
        await client.create(wanted);
        return;
      }
      if (present.metadata.annotations?.[autoUpdate] === 'false') return;
      const change = merge(present, wanted);
      if (change === undefined) return;
      if (change !== 'replace') {
        await client.update(change);
        return;
      }
      await client.delete(present.metadata.name);
      present = undefined;
    } catch (e) {
      if (left <= 1 || !(isConflict(e) || isAlreadyExists(e))) throw e;
      present = await client.get(wanted.metadata.name);
    }
  }
}

async function ensureAll<T extends KubeObject>(
  client: ResourceClient<T>,
  wanted: readonly T[],
  merge: (present: T, wanted: T) => T | 'replace' | undefined,
): Promise<void> {
  const present = new Map((await client.list()).items.map(o => [o.metadata.name, o]));
  await Promise.all(wanted.map(o => ensure(client, present.get(o.metadata.name), o, merge)));
}

async function ensureNamespace(client: Client, name: string): Promise<void> {
  try {
    await client
      .resource('v1/namespaces')
      .create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {} });
  } catch (e) {
    if (!isAlreadyExists(e)) throw e;
  }
}

/** Idempotent; safe while other API servers do the same. The client must be a member of system:masters. */
export async function reconcileDefaultPolicy(client: Client, policy: DefaultPolicy = defaultPolicy()): Promise<void> {
  const at = <T extends KubeObject>(list: readonly T[], namespace: string) =>
    list.filter(o => o.metadata.namespace === namespace);
  const namespaces = [...new Set([...policy.roles, ...policy.roleBindings].map(o => o.metadata.namespace ?? ''))];
  await Promise.all([
    ensureAll(client.resource('rbac.authorization.k8s.io/v1/clusterroles'), policy.clusterRoles, mergeRole),
    ensureAll(
      client.resource('rbac.authorization.k8s.io/v1/clusterrolebindings'),
      policy.clusterRoleBindings,
      mergeBinding,
    ),
    ...namespaces.map(async namespace => {
      await ensureNamespace(client, namespace);
      const roles = client.resource('rbac.authorization.k8s.io/v1/roles', namespace);
      const bindings = client.resource('rbac.authorization.k8s.io/v1/rolebindings', namespace);
      await ensureAll(roles, at(policy.roles, namespace), mergeRole);
      await ensureAll(bindings, at(policy.roleBindings, namespace), mergeBinding);
    }),
  ]);
}
