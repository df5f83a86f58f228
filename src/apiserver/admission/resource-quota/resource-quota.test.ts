import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ResourceQuota } from '../../../api/types/core-v1.ts';
import { errors } from '../../../base/errors.ts';
import { fixture, type Question, refusal, run } from '../testing/request.ts';
import { resourceQuota } from './plugin.ts';

const quota = (
  hard: Record<string, string>,
  used: Record<string, string>,
  spec: object = {},
  name = 'q',
): ResourceQuota => ({
  metadata: { name, namespace: 'ns' },
  spec: { hard, ...spec },
  status: { hard, used },
});
const pod = (resources: object = {}, spec: object = {}, name = 'p') => ({
  metadata: { name, namespace: 'ns' },
  spec: { containers: [{ name: 'c', resources }], ...spec },
});
const service = (type: string, ports = 2) => ({
  metadata: { name: 's', namespace: 'ns' },
  spec: { type, ports: Array.from({ length: ports }, (_, i) => ({ port: i + 1 })) },
});
const claim = (storage: string, storageClassName = 'gold') => ({
  metadata: { name: 'c', namespace: 'ns', resourceVersion: '1' },
  spec: { storageClassName, resources: { requests: { storage } } },
});

function start(...quotas: ResourceQuota[]) {
  const cluster = fixture();
  cluster.add('v1/resourcequotas', ...quotas);
  const plugin = resourceQuota.create(cluster.environment);
  const used = (name = 'q') => cluster.get<ResourceQuota>('v1/resourcequotas', `ns/${name}`)?.status?.used;
  return { cluster, plugin, used };
}

describe('ResourceQuota', () => {
  const cases: [string, ResourceQuota, Question, string, Record<string, string>?][] = [
    ['counts pods', quota({ pods: '2' }, { pods: '1' }), { resource: '/pods', object: pod() }, '', { pods: '2' }],
    [
      'refuses what exceeds',
      quota({ pods: '2', 'requests.cpu': '2' }, { pods: '1', 'requests.cpu': '1500m' }),
      { resource: '/pods', object: pod({ requests: { cpu: '600m' } }) },
      'exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=1500m, limited: requests.cpu=2',
    ],
    [
      'names several resources in order',
      quota({ pods: '1', memory: '1Gi' }, { pods: '1', memory: '1Gi' }),
      { resource: '/pods', object: pod({ requests: { memory: '1Gi' } }) },
      'exceeded quota: q, requested: memory=1Gi,pods=1, used: memory=1Gi,pods=1, limited: memory=1Gi,pods=1',
    ],
    [
      'wants containers to say what they need',
      quota({ 'limits.cpu': '2', 'requests.memory': '1Gi' }, { 'limits.cpu': '0', 'requests.memory': '0' }),
      { resource: '/pods', object: pod() },
      'failed quota: q: must specify limits.cpu for: c; requests.memory for: c',
    ],
    [
      'wants to know the use so far',
      quota({ pods: '1', configmaps: '3' }, {}),
      { resource: '/pods', object: pod() },
      'status unknown for quota: q, resources: pods',
    ],
    [
      'extended resources',
      quota({ 'requests.acme.com/gpu': '1' }, { 'requests.acme.com/gpu': '1' }),
      { resource: '/pods', object: pod({ requests: { 'acme.com/gpu': '1' } }) },
      'exceeded quota',
    ],
    [
      'finished pods',
      quota({ pods: '1' }, { pods: '1' }),
      { resource: '/pods', object: { ...pod(), status: { phase: 'Succeeded' } } },
      '',
    ],
    [
      'scopes that match',
      quota({ pods: '1' }, { pods: '1' }, { scopes: ['BestEffort'] }),
      { resource: '/pods', object: pod() },
      'exceeded quota',
    ],
    [
      'scopes that do not',
      quota({ pods: '1' }, { pods: '1' }, { scopes: ['NotBestEffort'] }),
      { resource: '/pods', object: pod() },
      '',
    ],
    [
      'terminating',
      quota({ pods: '0' }, { pods: '0' }, { scopes: ['Terminating'] }),
      { resource: '/pods', object: pod({}, { activeDeadlineSeconds: 5 }) },
      'exceeded quota',
    ],
    [
      'priority classes',
      quota(
        { pods: '0' },
        { pods: '0' },
        { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] } },
      ),
      { resource: '/pods', object: pod({}, { priorityClassName: 'high' }) },
      'exceeded quota',
    ],
    [
      'services',
      quota({ services: '5', 'services.nodeports': '3' }, { services: '1', 'services.nodeports': '2' }),
      { resource: '/services', object: service('NodePort') },
      'requested: services.nodeports=2',
    ],
    [
      'other services',
      quota({ 'services.loadbalancers': '0' }, { 'services.loadbalancers': '0' }),
      { resource: '/services', object: service('ClusterIP') },
      '',
    ],
    [
      'a service that becomes a node port',
      quota({ services: '1', 'services.nodeports': '2' }, { services: '1', 'services.nodeports': '0' }),
      {
        resource: '/services',
        object: service('NodePort'),
        old: { ...service('ClusterIP'), metadata: { name: 's', namespace: 'ns', resourceVersion: '1' } },
      },
      '',
      { services: '1', 'services.nodeports': '2' },
    ],
    [
      'objects by count',
      quota({ 'count/deployments.apps': '1' }, { 'count/deployments.apps': '1' }),
      { resource: 'apps/deployments', object: { metadata: { name: 'd', namespace: 'ns' } } },
      'requested: count/deployments.apps=1',
    ],
    [
      'custom objects',
      quota({ 'count/widgets.acme.com': '1' }, { 'count/widgets.acme.com': '0' }),
      { resource: 'acme.com/widgets', object: { metadata: { name: 'w', namespace: 'ns' } } },
      '',
      { 'count/widgets.acme.com': '1' },
    ],
    [
      'config maps by name',
      quota({ configmaps: '1' }, { configmaps: '1' }),
      { resource: '/configmaps', object: { metadata: { name: 'c', namespace: 'ns' } } },
      'requested: configmaps=1',
    ],
    [
      'storage by class',
      quota(
        { 'gold.storageclass.storage.k8s.io/requests.storage': '2Gi' },
        { 'gold.storageclass.storage.k8s.io/requests.storage': '1Gi' },
      ),
      { resource: '/persistentvolumeclaims', object: claim('2Gi') },
      'limited: gold.storageclass.storage.k8s.io/requests.storage=2Gi',
    ],
    [
      'the growth of a claim',
      quota(
        { 'requests.storage': '5Gi', persistentvolumeclaims: '1' },
        { 'requests.storage': '2Gi', persistentvolumeclaims: '1' },
      ),
      { resource: '/persistentvolumeclaims', object: claim('3Gi'), old: claim('2Gi') },
      '',
      { 'requests.storage': '3Gi', persistentvolumeclaims: '1' },
    ],
    [
      'dry run',
      quota({ pods: '2' }, { pods: '1' }),
      { resource: '/pods', object: pod(), dryRun: true },
      '',
      { pods: '1' },
    ],
    [
      'status',
      quota({ pods: '1' }, { pods: '1' }),
      { resource: '/pods', subresource: 'status', object: pod(), old: pod() },
      '',
    ],
    [
      'events',
      quota({ 'count/events': '0' }, { 'count/events': '0' }),
      { resource: '/events', object: { metadata: { name: 'e', namespace: 'ns' } } },
      '',
    ],
  ];
  for (const [title, given, question, message, after] of cases)
    it(title, async () => {
      const { plugin, used } = start(given);
      const got = await refusal(plugin, question);
      assert.ok(message ? got.includes(`is forbidden: ${message}`) || got.includes(message) : got === '', got);
      assert.deepEqual(used(), after ?? given.status?.used);
    });

  it('never lets more in than there is room for, however many come at once', async () => {
    const { plugin, used, cluster } = start(
      quota({ pods: '10' }, { pods: '3' }),
      quota({ 'count/pods': '8' }, { 'count/pods': '2' }, {}, 'r'),
    );
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => refusal(plugin, { resource: '/pods', object: pod({}, {}, `p${i}`) })),
    );
    assert.equal(outcomes.filter(o => o === '').length, 6);
    assert.deepEqual([used(), used('r')], [{ pods: '9' }, { 'count/pods': '8' }]);
    assert.ok(cluster.writes.length < 12, `${cluster.writes.length} writes`);
  });

  it('tries again when another server was faster, and gives up after a while', async () => {
    const { plugin, used, cluster } = start(quota({ pods: '10' }, { pods: '0' }));
    let failures = 2;
    cluster.onWrite = () => {
      if (failures-- <= 0) return;
      cluster.add('v1/resourcequotas', quota({ pods: '10' }, { pods: '4' }));
      throw errors.conflict({ group: '', resource: 'resourcequotas' }, 'q', 'changed');
    };
    await run(plugin, { resource: '/pods', object: pod() });
    assert.deepEqual(used(), { pods: '5' });
    failures = 100;
    assert.match(
      await refusal(plugin, { resource: '/pods', object: pod() }),
      /Operation cannot be fulfilled on resourcequotas "q"/,
    );
  });
});
