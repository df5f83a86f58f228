import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCertificateRequest, newKey } from '../../../pki/index.ts';
import { fixture, type Question, refusal } from '../testing/request.ts';
import { nodeRestriction } from './plugin.ts';

const kubelet = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };

function start() {
  const cluster = fixture();
  cluster.add('v1/nodes', { metadata: { name: 'n1', uid: 'node-uid' } });
  const audience = (name: string) => ({
    name: 'v',
    projected: { sources: [{ serviceAccountToken: { path: 't', audience: name } }] },
  });
  cluster.add(
    'v1/pods',
    {
      metadata: { name: 'mine', namespace: 'ns', uid: 'u1' },
      spec: { nodeName: 'n1', volumes: [audience('vault')] },
    } as never,
    { metadata: { name: 'other', namespace: 'ns', uid: 'u2' }, spec: { nodeName: 'n2' } } as never,
  );
  const plugin = nodeRestriction.create(cluster.environment);
  return { cluster, ask: (question: Question) => refusal(plugin, { user: kubelet, ...question }) };
}

const mirror = (spec: object = {}, metadata: object = {}) => ({
  metadata: {
    name: 'static',
    namespace: 'ns',
    annotations: { 'kubernetes.io/config.mirror': 'x' },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'node-uid', controller: true }],
    ...metadata,
  },
  spec: { nodeName: 'n1', containers: [{ name: 'c' }], ...spec },
});
const secretVolume = { volumes: [{ name: 'v', secret: { secretName: 's' } }] };
const podOn = (nodeName: string, labels = {}) => ({
  metadata: { name: 'p', namespace: 'ns', labels },
  spec: { nodeName },
});
const node = (labels: object, spec: object = {}) => ({ metadata: { name: 'n1', labels }, spec });
const tokenFor = (name: string, uid: string, audiences?: string[]): Question => ({
  ...{ resource: '/serviceaccounts', subresource: 'token', namespace: 'ns', name: 'robot' },
  object: { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid }, ...(audiences && { audiences }) } },
});
const lease = (name: string, namespace = 'kube-node-lease') => ({ metadata: { name, namespace } });
const csr = (commonName: string) => ({
  metadata: { name: 'r' },
  spec: {
    signerName: 'kubernetes.io/kubelet-serving',
    request: btoa(createCertificateRequest({ commonName }, newKey())),
  },
});

const cases: [string, Question, string][] = [
  ['somebody else', { resource: '/nodes', object: node({}), name: 'n9', user: { name: 'jane', groups: [] } }, ''],
  ['a mirror pod', { resource: '/pods', object: mirror() }, ''],
  ['an ordinary pod', { resource: '/pods', object: podOn('n1') }, 'can only create mirror pods'],
  [
    'a mirror pod elsewhere',
    { resource: '/pods', object: mirror({ nodeName: 'n2' }) },
    'with spec.nodeName set to itself',
  ],
  [
    'no owner',
    { resource: '/pods', object: mirror({}, { ownerReferences: [] }) },
    'with an owner reference set to itself',
  ],
  [
    'a wrong UID',
    {
      resource: '/pods',
      object: mirror(
        {},
        { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'x', controller: true }] },
      ),
    },
    'node n1 UID mismatch: expected x got node-uid',
  ],
  [
    'a mirror pod with a secret',
    { resource: '/pods', object: mirror(secretVolume) },
    'can not create pods that reference secrets',
  ],
  [
    'a mirror pod with an account',
    { resource: '/pods', object: mirror({ serviceAccountName: 'x' }) },
    'reference a service account',
  ],
  [
    'a mirror pod with a claim',
    { resource: '/pods', object: mirror({ resourceClaims: [{ name: 'r' }] }) },
    'reference resourceclaims',
  ],
  ['removing its pod', { resource: '/pods', operation: 'DELETE', namespace: 'ns', name: 'mine' }, ''],
  [
    'removing another’s pod',
    { resource: '/pods', operation: 'DELETE', namespace: 'ns', name: 'other' },
    'node "n1" can only delete pods with spec.nodeName set to itself',
  ],
  [
    'removing no pod',
    { resource: '/pods', operation: 'DELETE', namespace: 'ns', name: 'none' },
    'pods "none" not found',
  ],
  ['changing a pod', { resource: '/pods', object: podOn('n1'), old: podOn('n1') }, 'unexpected operation "UPDATE"'],
  ['status of its pod', { resource: '/pods', subresource: 'status', object: podOn('n1'), old: podOn('n1') }, ''],
  [
    'status of another’s',
    { resource: '/pods', subresource: 'status', object: podOn('n2'), old: podOn('n2') },
    'can only update pod status for pods',
  ],
  [
    'labels through status',
    { resource: '/pods', subresource: 'status', object: podOn('n1', { a: 'b' }), old: podOn('n1') },
    'cannot update labels through pod status',
  ],
  [
    'evicting its pod',
    { resource: '/pods', subresource: 'eviction', namespace: 'ns', name: 'mine', object: { metadata: {} } },
    '',
  ],
  [
    'evicting another’s',
    { resource: '/pods', subresource: 'eviction', namespace: 'ns', name: 'other', object: { metadata: {} } },
    'can only evict pods',
  ],
  [
    'binding',
    { resource: '/pods', subresource: 'binding', namespace: 'ns', name: 'mine', object: { metadata: {} } },
    'unexpected pod subresource "binding"',
  ],
  [
    'registering',
    { resource: '/nodes', object: node({ 'kubernetes.io/hostname': 'n1', mine: 'x', 'kubelet.kubernetes.io/x': 'y' }) },
    '',
  ],
  [
    'another node',
    { resource: '/nodes', name: 'n2', object: node({}) },
    'node "n1" is not allowed to modify node "n2"',
  ],
  [
    'a restricted label',
    { resource: '/nodes', object: node({ 'node-restriction.kubernetes.io/a': 'b', 'x.k8s.io/y': 'z' }) },
    'is not allowed to set the following labels: node-restriction.kubernetes.io/a, x.k8s.io/y',
  ],
  [
    'a role label later',
    { resource: '/nodes', object: node({ 'node-role.kubernetes.io/x': '' }), old: node({}) },
    'is not allowed to modify labels: node-role.kubernetes.io/x',
  ],
  [
    'its taints',
    { resource: '/nodes', object: node({}), old: node({}, { taints: [{ key: 'k', effect: 'NoSchedule' }] }) },
    'node "n1" is not allowed to modify taints',
  ],
  [
    'its owners',
    {
      resource: '/nodes',
      object: { ...node({}), metadata: { name: 'n1', ownerReferences: [{ name: 'x' }] } },
      old: node({}),
    },
    'is not allowed to modify ownerReferences',
  ],
  ['a token for its pod', tokenFor('mine', 'u1'), ''],
  ['a token for its pod’s audience', tokenFor('mine', 'u1', ['vault']), ''],
  ['a token for another audience', tokenFor('mine', 'u1', ['bank']), 'audience "bank" not found in pod spec volume'],
  [
    'a token for another’s pod',
    tokenFor('other', 'u2'),
    'node requested token bound to a pod scheduled on a different node',
  ],
  [
    'a token for a former pod',
    tokenFor('mine', 'old'),
    'the UID in the bound object reference (old) does not match the UID in record',
  ],
  [
    'a token for no pod',
    { ...tokenFor('mine', 'u1'), object: { spec: {} } },
    'node requested token not bound to a pod',
  ],
  ['its lease', { resource: 'coordination.k8s.io/leases', object: lease('n1') }, ''],
  [
    'another lease',
    { resource: 'coordination.k8s.io/leases', object: lease('n2') },
    'can only access node lease with the same name',
  ],
  [
    'a lease elsewhere',
    { resource: 'coordination.k8s.io/leases', object: lease('n1', 'ns') },
    'can only access leases in the "kube-node-lease" system namespace',
  ],
  [
    'another CSINode',
    { resource: 'storage.k8s.io/csinodes', object: { metadata: { name: 'n2' } } },
    'can only access CSINode',
  ],
  [
    'its slice',
    { resource: 'resource.k8s.io/resourceslices', object: { metadata: { name: 's' }, spec: { nodeName: 'n1' } } },
    '',
  ],
  [
    'another’s slice',
    {
      resource: 'resource.k8s.io/resourceslices',
      operation: 'DELETE',
      name: 's',
      old: { metadata: { name: 's' }, spec: { nodeName: 'n2' } },
    },
    'can only delete ResourceSlice',
  ],
  [
    'its certificate',
    { resource: 'certificates.k8s.io/certificatesigningrequests', object: csr('system:node:n1') },
    '',
  ],
  [
    'another’s certificate',
    { resource: 'certificates.k8s.io/certificatesigningrequests', object: csr('system:node:n2') },
    'can only create a node CSR with CommonName=system:node:n1',
  ],
  [
    'a claim',
    { resource: '/persistentvolumeclaims', object: { metadata: { name: 'c' } } },
    'may only update PVC status',
  ],
  [
    'capacity of a claim',
    {
      resource: '/persistentvolumeclaims',
      subresource: 'status',
      object: { metadata: { name: 'c' }, status: { capacity: { storage: '2Gi' } } },
      old: { metadata: { name: 'c', resourceVersion: '1' } },
    },
    '',
  ],
  [
    'phase of a claim',
    {
      resource: '/persistentvolumeclaims',
      subresource: 'status',
      object: { metadata: { name: 'c' }, status: { phase: 'Lost' } },
      old: { metadata: { name: 'c' } },
    },
    'is not allowed to update fields other than',
  ],
];

describe('NodeRestriction', () => {
  for (const [title, question, expected] of cases)
    it(`${title}: ${expected || 'allowed'}`, async () => {
      const got = await start().ask(question);
      assert.ok(expected ? got.includes(expected) : got === '', got);
    });
});
