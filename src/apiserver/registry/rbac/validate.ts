/** Roles and bindings (pkg/apis/rbac/validation). Escalation is checked where requests are authorized. */
import type { LabelSelector } from '../../../api/types/meta-v1.ts';
import type { ClusterRole, PolicyRule, RoleRef, Subject } from '../../../api/types/rbac-v1.ts';
import { isPathSegmentName, nameIsDnsSubdomain } from '../../../api/validation/names.ts';
import { type Errors, each, invalidAll, objectName, oneOf, required, same } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';

const rbacGroup = 'rbac.authorization.k8s.io';

function validateRule(rule: PolicyRule, path: string, isNamespaced: boolean): Errors {
  const verbs = required(rule.verbs, `${path}.verbs`, 'verbs must contain at least one value');
  const urls = rule.nonResourceURLs ?? [];
  const wrong = (why: string) => field.invalid(`${path}.nonResourceURLs`, urls, why);
  if (urls.length > 0) {
    const resources = (rule.apiGroups?.length ?? 0) + (rule.resources?.length ?? 0) + (rule.resourceNames?.length ?? 0);
    return [
      ...verbs,
      ...(isNamespaced ? [wrong('namespaced rules cannot apply to non-resource URLs')] : []),
      ...(resources > 0 ? [wrong('rules cannot apply to both regular resources and non-resource URLs')] : []),
    ];
  }
  return [
    ...verbs,
    ...required(rule.apiGroups, `${path}.apiGroups`, 'resource rules must supply at least one api group'),
    ...required(rule.resources, `${path}.resources`, 'resource rules must supply at least one resource'),
  ];
}

export const validateRules = (rules: readonly PolicyRule[] | undefined, isNamespaced: boolean): Errors =>
  each(rules, 'rules', (rule, at) => validateRule(rule, at, isNamespaced));

function validateSelector(selector: LabelSelector, path: string): Errors {
  const errors = validateLabelSelector(selector, path);
  return errors.length > 0 ? [...errors, field.invalid(path, null, 'invalid label selector.')] : [];
}

export function validateClusterRole(role: ClusterRole): Errors {
  const path = 'aggregationRule.clusterRoleSelectors';
  return [
    ...validateRules(role.rules, false),
    ...(role.aggregationRule
      ? [
          ...required(
            role.aggregationRule.clusterRoleSelectors,
            path,
            'at least one clusterRoleSelector required if aggregationRule is non-nil',
          ),
          ...each(role.aggregationRule.clusterRoleSelectors, path, validateSelector),
        ]
      : []),
  ];
}

const accountName = objectName(nameIsDnsSubdomain);

function validateSubject(subject: Subject, path: string, isNamespaced: boolean): Errors {
  const { kind, name, namespace, apiGroup = '' } = subject;
  const group = `${path}.apiGroup`;
  const errors = required(name, `${path}.name`);
  switch (kind) {
    case 'ServiceAccount':
      return [
        ...errors,
        ...(name ? accountName(name, `${path}.name`) : []),
        ...(apiGroup ? [field.notSupported(group, apiGroup, [''])] : []),
        ...(!isNamespaced && !namespace ? [field.required(`${path}.namespace`)] : []),
      ];
    case 'User':
    case 'Group':
      return [...errors, ...oneOf([rbacGroup])(apiGroup, group)];
    default:
      return [...errors, field.notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  }
}

interface Binding {
  roleRef: RoleRef;
  subjects?: Subject[];
}

export function validateBinding(binding: Binding, isNamespaced: boolean): Errors {
  const ref = binding.roleRef ?? { kind: '', name: '' };
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  return [
    ...oneOf([rbacGroup])(ref.apiGroup ?? '', 'roleRef.apiGroup'),
    ...oneOf(kinds)(ref.kind, 'roleRef.kind'),
    ...(ref.name
      ? invalidAll('roleRef.name', ref.name, isPathSegmentName(ref.name))
      : [field.required('roleRef.name')]),
    ...each(binding.subjects, 'subjects', (subject, at) => validateSubject(subject, at, isNamespaced)),
  ];
}

/** The complaint shows upstream's internal type. */
export function validateBindingUpdate({ roleRef: ref }: Binding, { roleRef: old }: Binding): Errors {
  if (same(ref, old)) return [];
  const shown = { APIGroup: ref?.apiGroup ?? '', Kind: ref?.kind ?? '', Name: ref?.name ?? '' };
  return [field.invalid('roleRef', shown, 'cannot change roleRef')];
}
