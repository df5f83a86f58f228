import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PolicyRule, Subject } from '../../../api/types/rbac-v1.ts';
import { ApiError, isForbidden, isNotFound } from '../../../base/errors.ts';
import type { Attributes } from '../contract.ts';
import { forbiddenError } from '../forbidden.ts';
import { createRbacAuthorizer, decide, rulesFor } from './authorizer.ts';
import { binding, clusterBinding, clusterRole, group, role, rule, user } from './bootstrap/build.ts';
import { defaultPolicy, mergeBinding, mergeRole } from './bootstrap/reconcile.ts';
import { checkBinding, checkRole, missingPermissions } from './escalation.ts';
import { ruleAllows, uncovered } from './rules.ts';
import { staticSource } from './source.ts';

const apiGroup = 'rbac.authorization.k8s.io';

const ask = (text: string, name = 'jane', groups: string[] = []): Attributes => {
  const [verb = '', target = '', namespace = '', objectName = ''] = text.split(' ');
  const isResource = !target.startsWith('/');
  const [qualified = '', subresource = ''] = isResource ? target.split(':') : ['', ''];
  const [resource = '', ...groupParts] = qualified.split('.');
  const common = { user: { name, groups }, verb, version: 'v1', isResource };
  return isResource
    ? { ...common, group: groupParts.join('.'), resource, subresource, namespace, name: objectName, path: '' }
    : { ...common, group: '', resource: '', subresource: '', namespace: '', name: '', path: target };
};

describe('a rule', () => {
  const cases: [PolicyRule, string, boolean][] = [
    [rule('get', 'core', 'pods'), 'get pods ns p', true],
    [rule('get', 'core', 'pods'), 'list pods ns', false],
    [rule('*', 'core', 'pods'), 'anything pods ns', true],
    [rule('get', 'apps', 'pods'), 'get pods ns', false],
    [rule('get', '*', 'pods'), 'get pods.metrics.k8s.io ns', true],
    [rule('get', 'core', 'pods'), 'get pods:log ns p', false],
    [rule('get', 'core', 'pods/log'), 'get pods:log ns p', true],
    [rule('get', 'core', 'pods/log'), 'get pods ns p', false],
    [rule('get', 'core', '*/log'), 'get pods:log ns p', true],
    [rule('get', 'core', '*/log'), 'get pods ns p', false],
    [rule('get', 'core', '*'), 'get pods:log ns p', true],
    [rule('get', 'core', 'pods', 'a b'), 'get pods ns b', true],
    [rule('get', 'core', 'pods', 'a b'), 'get pods ns c', false],
    [rule('list', 'core', 'pods', 'a'), 'list pods ns', false],
    [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }, 'get /healthz', true],
    [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }, 'get /healthz/etcd', false],
    [{ verbs: ['get'], nonResourceURLs: ['/healthz/*'] }, 'get /healthz/etcd', true],
    [{ verbs: ['get'], nonResourceURLs: ['*'] }, 'get /x', true],
    [{ verbs: ['get'], nonResourceURLs: ['*'] }, 'get pods ns', false],
    [rule('*', '*', '*'), 'get /x', false],
  ];
  for (const [given, question, expected] of cases)
    it(`${JSON.stringify(given)} ${expected ? 'allows' : 'does not allow'} ${question}`, () => {
      assert.equal(ruleAllows(given, ask(question)), expected);
    });
});

describe('a decision', () => {
  const source = staticSource({
    clusterRoles: [
      clusterRole('reader', [rule('read', 'core', 'pods')]),
      clusterRole('health', [rule('get', 'core', 'nodes')]),
    ],
    roles: [role('ns', 'writer', [rule('write', 'core', 'pods')])],
    clusterRoleBindings: [clusterBinding('health', group('ops')), clusterBinding('gone', user('lost'))],
    roleBindings: [
      binding('ns', 'writer', [user('jane'), { kind: 'ServiceAccount', name: 'robot' }]),
      {
        metadata: { name: 'r', namespace: 'ns' },
        roleRef: { apiGroup, kind: 'ClusterRole', name: 'reader' },
        subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'other' }],
      },
    ],
  });
  const cases: [string, string, string[], string][] = [
    ['create pods ns', 'jane', [], 'allow'],
    ['create pods other', 'jane', [], 'no-opinion'],
    ['create pods', 'jane', [], 'no-opinion'],
    ['get nodes', 'joe', ['ops'], 'allow'],
    ['create pods ns', 'system:serviceaccount:ns:robot', [], 'allow'],
    ['get pods ns x', 'system:serviceaccount:ns:robot', [], 'no-opinion'],
    ['get pods ns x', 'system:serviceaccount:other:robot', [], 'allow'],
    ['get pods ns x', 'system:serviceaccount:other:robot:x', [], 'no-opinion'],
  ];
  for (const [question, name, groups, expected] of cases)
    it(`${name} ${groups} ${question}: ${expected}`, () => {
      assert.equal(decide(source, ask(question, name, groups)).result, expected);
    });

  it('says why', () => {
    assert.equal(
      decide(source, ask('create pods ns', 'system:serviceaccount:ns:robot')).reason,
      'RBAC: allowed by RoleBinding "writer/ns" of Role "writer" to ServiceAccount "robot/ns"',
    );
    assert.equal(
      decide(source, ask('get nodes', 'joe', ['ops'])).reason,
      'RBAC: allowed by ClusterRoleBinding "health" of ClusterRole "health" to Group "ops"',
    );
    assert.equal(
      decide(source, ask('get nodes', 'lost')).reason,
      'RBAC: clusterroles.rbac.authorization.k8s.io "gone" not found',
    );
  });

  it('is refused in upstream’s words', () => {
    const wording: [string, string][] = [
      [
        'list pods default',
        'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
      ],
      [
        'get nodes  n1',
        'nodes "n1" is forbidden: User "jane" cannot get resource "nodes" in API group "" at the cluster scope',
      ],
      [
        'update deployments.apps:scale ns d',
        'deployments.apps "d" is forbidden: User "jane" cannot update resource "deployments/scale" in API group "apps" in the namespace "ns"',
      ],
      ['get /metrics', 'forbidden: User "jane" cannot get path "/metrics"'],
    ];
    for (const [question, message] of wording) assert.equal(forbiddenError(ask(question)).message, message);
  });
});

const small = fc.subarray(['a', 'b', '*'], { minLength: 1 });
const arbitraryRule: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record(
    {
      verbs: fc.subarray(['get', 'list', '*'], { minLength: 1 }),
      apiGroups: small,
      resources: fc.subarray(['x', 'x/s', '*/s', 'y', '*'], { minLength: 1 }),
      resourceNames: fc.subarray(['n', 'm']),
    },
    { requiredKeys: ['verbs', 'apiGroups', 'resources'] },
  ),
  fc.record({
    verbs: fc.subarray(['get', 'list', '*'], { minLength: 1 }),
    nonResourceURLs: fc.subarray(['/p', '/p/*', '/p/q', '*'], { minLength: 1 }),
  }),
);
const arbitraryQuestion: fc.Arbitrary<Attributes> = fc
  .tuple(
    fc.constantFrom('get', 'list', 'other'),
    fc.constantFrom('x.a', 'x.b', 'x.c:s', 'x.a:s', 'y.a', 'z.c', 'z.b:s', '/p', '/p/q', '/p/r', '/o'),
    fc.constantFrom('', 'n', 'm', 'o'),
  )
  .map(([verb, target, name]) => ask(`${verb} ${target} ns ${name}`));
const rulesArbitrary = fc.array(arbitraryRule, { maxLength: 4 });

describe('for all rules', () => {
  it('adding one never removes a permission', () => {
    fc.assert(
      fc.property(rulesArbitrary, arbitraryRule, arbitraryQuestion, (rules, extra, question) => {
        const allows = (list: PolicyRule[]) => list.some(r => ruleAllows(r, question));
        assert.ok(!allows(rules) || allows([...rules, extra]));
      }),
    );
  });

  it('who covers a set of rules may do all that the set allows', () => {
    fc.assert(
      fc.property(rulesArbitrary, rulesArbitrary, arbitraryQuestion, (owned, wanted, question) => {
        if (uncovered(owned, wanted).length > 0) return;
        assert.ok(!wanted.some(r => ruleAllows(r, question)) || owned.some(r => ruleAllows(r, question)));
      }),
      { numRuns: 2000 },
    );
  });

  it('each set covers itself, and everything is covered by cluster-admin', () => {
    const admin: PolicyRule[] = [rule('*', '*', '*'), { verbs: ['*'], nonResourceURLs: ['*'] }];
    fc.assert(
      fc.property(rulesArbitrary, rules => {
        assert.deepEqual(uncovered(rules, rules), []);
        assert.deepEqual(uncovered(admin, rules), []);
      }),
    );
  });
});

describe('escalation', () => {
  const source = staticSource({
    clusterRoles: [
      clusterRole('holder', [rule('get list', 'core', 'pods')]),
      clusterRole('binder', [rule('bind', 'rbac.authorization.k8s.io', 'clusterroles', 'big')]),
      clusterRole('escalator', [rule('escalate', 'rbac.authorization.k8s.io', 'roles')]),
      clusterRole('big', [rule('get delete', 'core', 'pods secrets')]),
    ],
    clusterRoleBindings: [
      clusterBinding('holder', user('jane')),
      clusterBinding('binder', user('bob')),
      clusterBinding('escalator', user('eve')),
    ],
  });
  const context = (name: string, groups: string[] = []) => ({
    source,
    authorizer: createRbacAuthorizer(source),
    user: { name, groups },
    namespace: 'ns',
  });
  const big = { name: 'r', rules: [rule('get delete', 'core', 'pods secrets')], aggregated: false };

  it('names what is missing as upstream does', () => {
    assert.equal(
      missingPermissions(context('jane', ['a', 'b']), big.rules),
      [
        'user "jane" (groups=["a" "b"]) is attempting to grant RBAC permissions not currently held:',
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["delete" "get"]}',
      ].join('\n'),
    );
  });
  it('lets through what is held, the escalate and bind verbs, and system:masters', async () => {
    await checkRole(context('jane'), 'roles', { ...big, rules: [rule('get', 'core', 'pods')] });
    await checkRole(context('eve'), 'roles', big);
    await checkRole(context('root', ['system:masters']), 'roles', big);
    await checkBinding(context('bob'), 'rolebindings', {
      name: 'b',
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'big' },
    });
    await checkBinding(context('jane'), 'rolebindings', {
      name: 'b',
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'holder' },
    });
  });
  it('refuses the rest', async () => {
    await assert.rejects(checkRole(context('jane'), 'roles', big), isForbidden);
    await assert.rejects(checkRole(context('eve'), 'clusterroles', big), isForbidden);
    await assert.rejects(
      checkRole(context('jane'), 'clusterroles', { name: 'x', rules: [], aggregated: true }),
      (e: unknown) => isForbidden(e) && e.message.includes('cluster-admin'),
    );
    const roleRef = { apiGroup, kind: 'ClusterRole', name: 'big' };
    await assert.rejects(checkBinding(context('jane'), 'rolebindings', { name: 'b', roleRef }), (e: unknown) => {
      assert.ok(e instanceof ApiError);
      return e.message.startsWith(
        'rolebindings.rbac.authorization.k8s.io "b" is forbidden: user "jane" (groups=[]) is',
      );
    });
    await assert.rejects(
      checkBinding(context('jane'), 'rolebindings', { name: 'b', roleRef: { apiGroup, kind: 'Role', name: 'none' } }),
      isNotFound,
    );
  });
});

describe('the default policy', () => {
  const policy = defaultPolicy();
  it('has every role once, and binds only roles that exist', () => {
    const names = policy.clusterRoles.map(r => r.metadata.name);
    assert.equal(new Set(names).size, names.length);
    for (const b of policy.clusterRoleBindings) assert.ok(names.includes(b.roleRef.name), b.roleRef.name);
    const namespaced = policy.roles.map(r => `${r.metadata.namespace}/${r.metadata.name}`);
    for (const b of policy.roleBindings) assert.ok(namespaced.includes(`${b.metadata.namespace}/${b.roleRef.name}`));
    for (const r of [...policy.clusterRoles, ...policy.roles])
      assert.equal(r.metadata.labels?.['kubernetes.io/bootstrapping'], 'rbac-defaults');
  });
  it('lets components do their work and nobody else', () => {
    const source = staticSource({ ...policy });
    const cases: [string, string, string[], string][] = [
      ['create pods:binding ns p', 'system:kube-scheduler', [], 'allow'],
      ['update nodes  n', 'system:kube-scheduler', [], 'no-opinion'],
      ['list secrets', 'system:kube-controller-manager', [], 'allow'],
      ['update replicasets.apps:status ns r', 'system:serviceaccount:kube-system:replicaset-controller', [], 'allow'],
      ['get /version', 'system:anonymous', ['system:unauthenticated'], 'allow'],
      ['get /api', 'system:anonymous', ['system:unauthenticated'], 'no-opinion'],
      ['get /api', 'jane', ['system:authenticated'], 'allow'],
      ['create selfsubjectaccessreviews.authorization.k8s.io', 'jane', ['system:authenticated'], 'allow'],
      ['get pods ns p', 'jane', ['system:authenticated'], 'no-opinion'],
      ['get pods ns p', 'system:node:n', ['system:nodes'], 'no-opinion'],
      ['delete anything.example.com', 'root', ['system:masters'], 'allow'],
      ['get configmaps kube-system extension-apiserver-authentication', 'system:kube-scheduler', [], 'allow'],
    ];
    for (const [question, name, groups, expected] of cases)
      assert.equal(decide(source, ask(question, name, groups)).result, expected, `${name} ${question}`);
  });
  it('is merged without taking anything away', () => {
    const wanted = clusterRole('r', [rule('get', 'core', 'pods'), rule('get', 'core', 'nodes')]);
    const present = clusterRole('r', [rule('*', 'core', 'pods'), rule('get', 'core', 'secrets')]);
    assert.deepEqual(mergeRole(present, wanted)?.rules, [...(present.rules ?? []), rule('get', 'core', 'nodes')]);
    assert.equal(mergeRole(wanted, wanted), undefined);
    const bound = clusterBinding('r', user('a'));
    assert.deepEqual(mergeBinding(bound, clusterBinding('r', user('b'))), {
      ...bound,
      subjects: [user('a'), user('b')],
    });
    assert.equal(mergeBinding(bound, { ...bound, roleRef: { apiGroup, kind: 'ClusterRole', name: 'z' } }), 'replace');
    const subjects: Subject[] = [];
    assert.equal(mergeBinding(bound, { ...bound, subjects }), undefined);
  });
  it('shows a user the rules that apply', () => {
    const source = staticSource({ ...policy });
    const { rules, failures } = rulesFor(source, { name: 'jane', groups: ['system:authenticated'] }, 'ns');
    assert.deepEqual(failures, []);
    assert.ok(rules.some(r => r.resources?.includes('selfsubjectrulesreviews')));
  });
});
