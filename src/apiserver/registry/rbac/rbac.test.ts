/** Every rule of roles and bindings in upstream's words (pkg/apis/rbac/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, created, onCreate, onUpdate, type Rule } from '../testing.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './rbac.ts';

const group = 'rbac.authorization.k8s.io';
const resource = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
const path = { nonResourceURLs: ['/metrics'], verbs: ['get'] };

test('roles', () => {
  const rules: Rule[] = [
    ['metadata.name', 'system:a b'],
    ['metadata.name', 'a/b', 'metadata.name: Invalid value: "a/b": may not contain \'/\''],
    ['rules', [{ ...resource, verbs: [] }], 'rules[0].verbs: Required value: verbs must contain at least one value'],
    [
      'rules',
      [{ verbs: ['get'] }],
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      'rules[0].resources: Required value: resource rules must supply at least one resource',
    ],
    [
      'rules',
      [{ ...resource, ...path }],
      'rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs',
      'rules[0].nonResourceURLs: Invalid value: ["/metrics"]: rules cannot apply to both regular resources and non-resource URLs',
    ],
  ];
  const base = sampleOf(`${group}/roles`, true);
  assert.deepEqual(onCreate(roles, base, rules), rules);
  assert.deepEqual(onUpdate(roles, base, rules.slice(2)), rules.slice(2));
});

test('cluster roles', () => {
  const selectors = 'aggregationRule.clusterRoleSelectors';
  const rules: Rule[] = [
    ['rules', [path]],
    [
      'aggregationRule',
      {},
      `${selectors}: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil`,
    ],
    [
      'aggregationRule',
      { clusterRoleSelectors: [{ matchExpressions: [{ key: 'a', operator: 'Is' }] }] },
      `${selectors}[0].matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator`,
      `${selectors}[0]: Invalid value: null: invalid label selector.`,
    ],
  ];
  assert.deepEqual(onCreate(clusterRoles, sampleOf(`${group}/clusterroles`, false), rules), rules);
});

test('bindings', () => {
  const rules: Rule[] = [
    [
      'roleRef',
      { apiGroup: 'a', kind: 'User', name: '..' },
      `roleRef.apiGroup: Unsupported value: "a": supported values: "${group}"`,
      'roleRef.kind: Unsupported value: "User": supported values: "Role", "ClusterRole"',
      'roleRef.name: Invalid value: "..": may not be \'..\'',
    ],
    ['roleRef', { kind: 'Role' }, 'roleRef.name: Required value'],
    ['subjects', [{ kind: 'User' }], 'subjects[0].name: Required value'],
    [
      'subjects',
      [{ kind: 'ServiceAccount', name: 'a', apiGroup: group }],
      `subjects[0].apiGroup: Unsupported value: "${group}": supported values: ""`,
    ],
    [
      'subjects',
      [{ kind: 'Group', name: 'a', apiGroup: 'b' }],
      `subjects[0].apiGroup: Unsupported value: "b": supported values: "${group}"`,
    ],
    [
      'subjects',
      [{ kind: 'Robot', name: 'a' }],
      'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
    ],
  ];
  const base = sampleOf(`${group}/rolebindings`, true);
  assert.deepEqual(onCreate(roleBindings, base, rules), rules);
  const updates: Rule[] = [
    [
      'roleRef',
      { kind: 'Role', name: 'edit' },
      `roleRef: Invalid value: {"APIGroup":"${group}","Kind":"Role","Name":"edit"}: cannot change roleRef`,
    ],
  ];
  assert.deepEqual(onUpdate(roleBindings, base, updates), updates);
});

test('cluster role bindings', () => {
  const rules: Rule[] = [
    [
      'roleRef',
      { kind: 'Role', name: 'a' },
      'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
    ],
    ['subjects', [{ kind: 'ServiceAccount', name: 'a' }], 'subjects[0].namespace: Required value'],
  ];
  const base = sampleOf(`${group}/clusterrolebindings`, false);
  assert.deepEqual(onCreate(clusterRoleBindings, base, rules), rules);
  const { Age: _, ...shown } = cells(clusterRoleBindings, created(clusterRoleBindings, base));
  assert.deepEqual(shown, {
    Name: 'sample',
    Role: 'ClusterRole/view',
    Users: 'alice',
    Groups: '',
    ServiceAccounts: '',
  });
});
