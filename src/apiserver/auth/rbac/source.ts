/** Where RBAC finds roles and bindings: indices over informers, so that a decision looks only at what names the user. */

import type { UserInfo } from '../../../api/transport.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../../api/types/rbac-v1.ts';
import { errors } from '../../../base/errors.ts';
import type { InformerFactory } from '../../../client/contract.ts';
import { splitServiceAccountName } from '../users.ts';

const rbacGroup = 'rbac.authorization.k8s.io';

export interface RbacSource {
  clusterRole(name: string): ClusterRole | undefined;
  role(namespace: string, name: string): Role | undefined;
  /** Bindings that name this subject; see `subjectKey`. */
  clusterRoleBindings(subject: string): readonly ClusterRoleBinding[];
  roleBindings(namespace: string, subject: string): readonly RoleBinding[];
  synced(): Promise<void>;
}

/** "User:jane", "Group:dev", "ServiceAccount:ns:name". A service account without namespace takes its binding's. */
export function subjectKey(subject: Subject, bindingNamespace = ''): string {
  if (subject.kind !== 'ServiceAccount') return `${subject.kind}:${subject.name}`;
  return `ServiceAccount:${subject.namespace || bindingNamespace}:${subject.name}`;
}

/** All keys under which bindings may name this user. */
export function subjectKeysOf(user: UserInfo): string[] {
  const keys = [`User:${user.name}`];
  const account = splitServiceAccountName(user.name);
  if (account) keys.push(`ServiceAccount:${account.namespace}:${account.name}`);
  for (const group of user.groups) keys.push(`Group:${group}`);
  return keys;
}

const subjectKeys = (binding: { subjects?: Subject[]; metadata: { namespace?: string } }) =>
  (binding.subjects ?? []).map(s => subjectKey(s, binding.metadata.namespace));

export function informerSource(informers: InformerFactory): RbacSource {
  const clusterRoles = informers.informer('rbac.authorization.k8s.io/v1/clusterroles');
  const roles = informers.informer('rbac.authorization.k8s.io/v1/roles');
  const clusterBindings = informers.informer('rbac.authorization.k8s.io/v1/clusterrolebindings');
  const bindings = informers.informer('rbac.authorization.k8s.io/v1/rolebindings');
  clusterBindings.addIndex('rbac-subject', subjectKeys);
  bindings.addIndex('rbac-subject', b => subjectKeys(b).map(key => `${b.metadata.namespace}/${key}`));
  return {
    clusterRole: name => clusterRoles.store.get(name),
    role: (namespace, name) => roles.store.get(`${namespace}/${name}`),
    clusterRoleBindings: subject => clusterBindings.store.byIndex('rbac-subject', subject),
    roleBindings: (namespace, subject) => bindings.store.byIndex('rbac-subject', `${namespace}/${subject}`),
    synced: async () => {
      await Promise.all([clusterRoles, roles, clusterBindings, bindings].map(i => i.synced()));
    },
  };
}

export interface RbacObjects {
  clusterRoles?: readonly ClusterRole[];
  roles?: readonly Role[];
  clusterRoleBindings?: readonly ClusterRoleBinding[];
  roleBindings?: readonly RoleBinding[];
}

/** A fixed set, for questions about policies that are not stored. */
export function staticSource(objects: RbacObjects): RbacSource {
  return {
    clusterRole: name => objects.clusterRoles?.find(r => r.metadata.name === name),
    role: (namespace, name) => objects.roles?.find(r => r.metadata.namespace === namespace && r.metadata.name === name),
    clusterRoleBindings: subject => objects.clusterRoleBindings?.filter(b => subjectKeys(b).includes(subject)) ?? [],
    roleBindings: (namespace, subject) =>
      objects.roleBindings?.filter(b => b.metadata.namespace === namespace && subjectKeys(b).includes(subject)) ?? [],
    synced: async () => {},
  };
}

/** The rules a role reference stands for. Throws NotFound. */
export function rulesOfReference(source: RbacSource, ref: RoleRef, namespace: string): readonly PolicyRule[] {
  const cluster = ref.kind === 'ClusterRole';
  const role = cluster ? source.clusterRole(ref.name) : source.role(namespace, ref.name);
  if (!role) throw errors.notFound({ group: rbacGroup, resource: cluster ? 'clusterroles' : 'roles' }, ref.name);
  return role.rules ?? [];
}
