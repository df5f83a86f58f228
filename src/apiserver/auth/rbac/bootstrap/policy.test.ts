import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicyRule } from '../../../../api/types/rbac-v1.ts';
import { defaultPolicy } from './reconcile.ts';

const policy = defaultPolicy();
const rulesOf = (name: string) =>
  [...policy.clusterRoles, ...policy.roles].find(r => r.metadata.name === name)?.rules ?? [];

/** "verb resource.group" of every permission. */
const permissions = (rules: readonly PolicyRule[]) =>
  new Set(
    rules.flatMap(({ verbs, apiGroups = [], resources = [] }) =>
      apiGroups.flatMap(g => resources.flatMap(r => verbs.map(verb => `${verb} ${r}.${g}`))),
    ),
  );

/** [role, what it may, what it may not], after bootstrappolicy's own test data of v1.35. */
const expected: [role: string, may: string[], mayNot: string[]][] = [
  [
    'system:aggregate-to-edit',
    ['create events.', 'create events.events.k8s.io'],
    ['get events.', 'update pods/status.'],
  ],
  ['system:aggregate-to-view', ['list events.events.k8s.io', 'get pods/log.'], ['get secrets.']],
  ['system:node', ['patch events.events.k8s.io'], ['delete secrets.']],
  ['system:monitoring', ['get nodes/metrics.'], []],
  [
    'system:kube-scheduler',
    ['update leasecandidates.coordination.k8s.io', 'update pods/finalizers.'],
    ['get pods/finalizers.'],
  ],
  [
    'system::leader-locking-kube-scheduler',
    ['create leases.coordination.k8s.io', 'watch leasecandidates.coordination.k8s.io'],
    ['update configmaps.'],
  ],
];

for (const [role, may, mayNot] of expected) {
  test(`what ${role} may`, () => {
    const has = permissions(rulesOf(role));
    assert.deepEqual(
      may.filter(permission => !has.has(permission)),
      [],
    );
    assert.deepEqual(
      mayNot.filter(permission => has.has(permission)),
      [],
    );
  });
}
