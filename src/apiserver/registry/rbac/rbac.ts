import type {
  ClusterRole,
  ClusterRoleBinding,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../../api/types/rbac-v1.ts';
import { isPathSegmentName } from '../../../api/validation/names.ts';
import { ageColumn, createdColumn, nameColumn, text, wideText } from '../columns.ts';
import { clusterScoped, namespaced } from '../define.ts';
import type { Column } from '../strategy.ts';
import { validateBinding, validateBindingUpdate, validateClusterRole, validateRules } from './validate.ts';

interface Binding {
  metadata: RoleBinding['metadata'];
  roleRef: RoleRef;
  subjects?: Subject[];
}

const rbacGroup = 'rbac.authorization.k8s.io';

/** Users and groups live in RBAC's own group, service accounts in the core group. */
function defaultBinding(binding: Binding): void {
  binding.roleRef = { ...binding.roleRef, apiGroup: binding.roleRef?.apiGroup || rbacGroup };
  for (const subject of binding.subjects ?? []) {
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= rbacGroup;
  }
}

const subjectsOf = (binding: Binding, kind: string) =>
  (binding.subjects ?? [])
    .filter(s => s.kind === kind)
    .map(s => (kind === 'ServiceAccount' ? `${s.namespace ?? ''}/${s.name}` : s.name))
    .join(', ');

const bindingColumns: readonly Column<Binding>[] = [
  nameColumn,
  text('Role', ({ roleRef }) => `${roleRef?.kind ?? ''}/${roleRef?.name ?? ''}`),
  ageColumn,
  wideText('Users', obj => subjectsOf(obj, 'User')),
  wideText('Groups', obj => subjectsOf(obj, 'Group')),
  wideText('ServiceAccounts', obj => subjectsOf(obj, 'ServiceAccount')),
];

export const roles = namespaced<Role>({
  resource: `${rbacGroup}/roles`,
  allowCreateOnUpdate: true,
  validateName: isPathSegmentName,
  validate: role => validateRules(role.rules, true),
  specless: true,
  columns: [nameColumn, createdColumn],
});
export const clusterRoles = clusterScoped<ClusterRole>({
  resource: `${rbacGroup}/clusterroles`,
  allowCreateOnUpdate: true,
  validateName: isPathSegmentName,
  validate: validateClusterRole,
  specless: true,
  columns: [nameColumn, createdColumn],
});
export const roleBindings = namespaced<RoleBinding>({
  resource: `${rbacGroup}/rolebindings`,
  allowCreateOnUpdate: true,
  validateName: isPathSegmentName,
  validate: binding => validateBinding(binding, true),
  validateUpdate: validateBindingUpdate,
  specless: true,
  default: defaultBinding,
  columns: bindingColumns,
});
export const clusterRoleBindings = clusterScoped<ClusterRoleBinding>({
  resource: `${rbacGroup}/clusterrolebindings`,
  allowCreateOnUpdate: true,
  validateName: isPathSegmentName,
  validate: binding => validateBinding(binding, false),
  validateUpdate: validateBindingUpdate,
  specless: true,
  default: defaultBinding,
  columns: bindingColumns,
});
