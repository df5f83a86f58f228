import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '../../../api/types/core-v1.ts';
import { fakeCluster } from '../../admission/testing/fake-cluster.ts';
import type { Attributes } from '../contract.ts';
import { createNodeAuthorizer, informerGraph, leanForGraph } from './authorizer.ts';
import { createNodeGraph, edgesOfPod, vertex } from './graph.ts';

const pod = (name: string, nodeName: string, spec: object = {}, metadata: object = {}): Pod => ({
  metadata: { name, namespace: 'ns', ...metadata },
  spec: { nodeName, serviceAccountName: 'robot', containers: [], ...spec } as never,
});
const rich = {
  imagePullSecrets: [{ name: 'pull' }],
  containers: [
    {
      name: 'c',
      env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } }],
      envFrom: [{ configMapRef: { name: 'from' } }],
    },
  ],
  volumes: [
    { name: 'a', configMap: { name: 'conf' } },
    { name: 'b', projected: { sources: [{ secret: { name: 'proj' } }] } },
    { name: 'c', persistentVolumeClaim: { claimName: 'claim' } },
    { name: 'd', ephemeral: {} },
  ],
  resourceClaims: [{ name: 'r', resourceClaimName: 'device' }],
};

function attributes(
  question: string,
  user = 'system:node:n1',
  groups = ['system:nodes'],
  fieldSelector = '',
): Attributes {
  const [verb = '', target = '', namespace = '', name = ''] = question.split(' ');
  const [qualified = '', subresource = ''] = target.split(':');
  const [resource = '', ...group] = qualified.split('.');
  const common = { verb, version: 'v1', isResource: true, path: '', user: { name: user, groups } };
  return {
    ...common,
    resource,
    subresource,
    group: group.join('.'),
    namespace: namespace === '-' ? '' : namespace,
    name,
    ...(fieldSelector && { fieldSelector }),
  };
}

function start() {
  const cluster = fakeCluster();
  const authorizer = createNodeAuthorizer(() => informerGraph(cluster.informers));
  cluster.add(
    'v1/pods',
    pod('mine', 'n1', rich),
    pod('other', 'n2', { serviceAccountName: 'else', volumes: [{ name: 'v', secret: { secretName: 'theirs' } }] }),
  );
  cluster.add(
    'v1/pods',
    pod(
      'mirror',
      'n1',
      { volumes: [{ name: 'v', secret: { secretName: 'wanted' } }] },
      { annotations: { 'kubernetes.io/config.mirror': 'x' } },
    ),
  );
  cluster.add('v1/persistentvolumes', {
    kind: 'PersistentVolume',
    metadata: { name: 'pv' },
    spec: {
      claimRef: { namespace: 'ns', name: 'claim' },
      csi: { driver: 'd', volumeHandle: 'h', nodeStageSecretRef: { namespace: 'sys', name: 'stage' } },
    },
  } as never);
  cluster.add('storage.k8s.io/v1/volumeattachments', {
    kind: 'VolumeAttachment',
    metadata: { name: 'att' },
    spec: { nodeName: 'n1' },
  } as never);
  const ask = async (a: Attributes) => (await authorizer.authorize(a)).result;
  return { cluster, ask };
}

describe('the node authorizer', () => {
  const allowed = [
    'get secrets ns pull',
    'get secrets ns env',
    'get secrets ns proj',
    'get configmaps ns from',
    'watch configmaps ns conf',
    'get persistentvolumeclaims ns claim',
    'get persistentvolumeclaims ns mine-d',
    'get persistentvolumes - pv',
    'get secrets sys stage',
    'get resourceclaims.resource.k8s.io ns device',
    'get volumeattachments.storage.k8s.io - att',
    'create serviceaccounts:token ns robot',
    'get serviceaccounts ns robot',
    'get pods ns mine',
    'get nodes - n1',
    'patch nodes:status - n1',
    'create nodes',
    'create events ns',
    'get leases.coordination.k8s.io kube-node-lease n1',
    'list services',
    'update persistentvolumeclaims:status ns claim',
    'delete pods ns mine',
    'update pods:status ns mine',
    'create pods:eviction ns mine',
    'create certificatesigningrequests.certificates.k8s.io',
    'get csinodes.storage.k8s.io - n1',
  ];
  const refused = [
    'get secrets ns theirs',
    'get secrets ns wanted',
    'get secrets other pull',
    'list secrets ns',
    'list secrets',
    'update secrets ns pull',
    'get configmaps ns pull',
    'list persistentvolumes',
    'get persistentvolumes - nope',
    'create serviceaccounts:token ns else',
    'list serviceaccounts ns',
    'get pods ns other',
    'list pods',
    'get nodes - n2',
    'list nodes',
    'patch nodes:status - n2',
    'delete nodes - n1',
    'get leases.coordination.k8s.io ns n1',
    'get leases.coordination.k8s.io kube-node-lease n2',
    'list leases.coordination.k8s.io kube-node-lease',
    'get csinodes.storage.k8s.io - n2',
    'get deployments.apps ns d',
    'list resourceslices.resource.k8s.io',
    'create pods:binding ns mine',
    'get pods:log ns mine',
    'get nodes:proxy - n1',
  ];
  for (const question of allowed)
    it(`allows ${question}`, async () => assert.equal(await start().ask(attributes(question)), 'allow'));
  for (const question of refused)
    it(`does not allow ${question}`, async () => assert.equal(await start().ask(attributes(question)), 'no-opinion'));

  it('allows lists that are restricted to the node', async () => {
    const { ask } = start();
    const list = (question: string, selector: string) => ask(attributes(question, undefined, undefined, selector));
    assert.equal(await list('list pods', 'spec.nodeName=n1'), 'allow');
    assert.equal(await list('list pods', 'spec.nodeName=n2'), 'no-opinion');
    assert.equal(await list('watch nodes', 'metadata.name=n1'), 'allow');
    assert.equal(await list('deletecollection resourceslices.resource.k8s.io', 'spec.nodeName=n1'), 'allow');
    assert.equal(await list('watch secrets ns', 'metadata.name=pull'), 'allow');
    assert.equal(await list('watch secrets ns', 'metadata.name=theirs'), 'no-opinion');
  });

  it('has no opinion on others', async () => {
    const { ask } = start();
    assert.equal(await ask(attributes('get secrets ns pull', 'jane', ['system:nodes'])), 'no-opinion');
    assert.equal(await ask(attributes('get secrets ns pull', 'system:node:n1', [])), 'no-opinion');
  });

  it('follows changes', async () => {
    const { cluster, ask } = start();
    const secret = () => ask(attributes('get secrets ns pull'));
    assert.equal(await secret(), 'allow');
    cluster.add('v1/pods', pod('mine', 'n1'));
    assert.equal(await secret(), 'no-opinion');
    cluster.add('v1/pods', pod('late', 'n1', rich));
    assert.equal(await secret(), 'allow');
    cluster.remove('v1/pods', 'ns/late');
    assert.equal(await secret(), 'no-opinion');
  });
});

describe('what the caches keep', () => {
  it('is names only, and means the same', () => {
    const lean = leanForGraph(pod('mine', 'n1', rich)) as { owner?: string; node?: string; refersTo?: string[] };
    assert.deepEqual(lean.refersTo, edgesOfPod(pod('mine', 'n1', rich)));
    assert.deepEqual([lean.owner, lean.node, 'spec' in lean], ['pod:ns/mine', 'n1', false]);
    assert.deepEqual(leanForGraph(leanForGraph(pod('mine', 'n1', rich))), lean);
    const free = leanForGraph({ kind: 'PersistentVolume', metadata: { name: 'pv' } });
    assert.deepEqual(leanForGraph(free), free);
  });
});

describe('the graph', () => {
  it('forgets what nobody refers to, and survives cycles', () => {
    const graph = createNodeGraph();
    const [a, b] = [vertex('a', '', 'a'), vertex('b', '', 'b')];
    graph.setEdges(a, [b]);
    graph.setEdges(b, [a]);
    assert.equal(graph.reaches(b, 'n'), false);
    graph.setNode(a, 'n');
    assert.equal(graph.reaches(b, 'n'), true);
    graph.remove(a);
    assert.equal(graph.reaches(b, 'n'), false);
  });
  it('finds each object of a pod once', () => {
    const edges = edgesOfPod(pod('mine', 'n1', rich));
    assert.equal(new Set(edges).size, edges.length);
    assert.equal(edges.length, 9);
  });
});
