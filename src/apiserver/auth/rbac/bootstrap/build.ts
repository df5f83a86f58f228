/** Short forms in which the default policy is written down. */
import type { KubeObject } from '../../../../api/object.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../../../api/types/rbac-v1.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';
const words = (text: string): string[] => text.split(' ').filter(Boolean);

const verbSets: Readonly<Record<string, string>> = {
  read: 'get list watch',
  write: 'create delete deletecollection patch update',
  readwrite: 'create delete deletecollection get list patch update watch',
};

/** Verbs (or "read", "write", "readwrite"), API groups ("core" is the unnamed one), resources and names, each separated by blanks. */
export function rule(verbs: string, apiGroups: string, resources: string, names = ''): PolicyRule {
  return {
    verbs: words(verbSets[verbs] ?? verbs).sort(),
    apiGroups: words(apiGroups)
      .map(g => (g === 'core' ? '' : g))
      .sort(),
    resources: words(resources).sort(),
    ...(names && { resourceNames: words(names) }),
  };
}

export const urls = (verbs: string, paths: string): PolicyRule => ({
  verbs: words(verbs),
  nonResourceURLs: words(paths).sort(),
});

export const eventsRule: PolicyRule = rule('create patch update', 'core events.k8s.io', 'events');

const metadata = (name: string, labels: Record<string, string> = {}) => ({
  name,
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
});
const typed = <T extends KubeObject>(kind: string, rest: T): T => ({ apiVersion: `${rbacGroup}/v1`, kind, ...rest });

export function clusterRole(name: string, rules: PolicyRule[], labels?: Record<string, string>): ClusterRole {
  return typed('ClusterRole', { metadata: metadata(name, labels), rules });
}

/** A role that the aggregation controller fills from the roles with this label. */
export function aggregatedRole(name: string, label: string, labels?: Record<string, string>): ClusterRole {
  return typed('ClusterRole', {
    metadata: metadata(name, labels),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label]: 'true' } }] },
    rules: [],
  });
}

export const user = (name: string): Subject => ({ apiGroup: rbacGroup, kind: 'User', name });
export const group = (name: string): Subject => ({ apiGroup: rbacGroup, kind: 'Group', name });
export const account = (namespace: string, name: string): Subject => ({ kind: 'ServiceAccount', name, namespace });

export function clusterBinding(role: string, ...subjects: Subject[]): ClusterRoleBinding {
  return typed('ClusterRoleBinding', {
    metadata: metadata(role),
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: role },
    subjects,
  });
}

export function role(namespace: string, name: string, rules: PolicyRule[]): Role {
  return typed('Role', { metadata: { ...metadata(name), namespace }, rules });
}

export function binding(namespace: string, roleName: string, subjects: Subject[], name = roleName): RoleBinding {
  return typed('RoleBinding', {
    metadata: { ...metadata(name), namespace },
    roleRef: { apiGroup: rbacGroup, kind: 'Role', name: roleName },
    subjects,
  });
}
