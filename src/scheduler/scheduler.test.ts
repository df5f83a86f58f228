import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../api/types/core-v1.ts';
import { waitFor } from '../client/index.ts';
import { type Cluster, createCluster } from '../testing/index.ts';

const spec = (requests: Record<string, string> = {}) => ({
  containers: [{ name: 'c', image: 'pause', resources: { requests } }],
});
const scheduled = (pod: Pod) => pod.status?.conditions?.find(c => c.type === 'PodScheduled');

const state = (cluster: Cluster, name: string, until: (pod: Pod) => boolean) =>
  waitFor(cluster.client, 'v1/pods', {
    clock: cluster.environment.clock,
    name,
    namespace: 'default',
    timeoutMs: 20_000,
    until: pod => pod !== undefined && until(pod),
  });

test('a pod is bound, and the event says where', async () => {
  const cluster = await createCluster({ nodes: 3 });
  try {
    await cluster.client.pods('default').create({ metadata: { name: 'web' }, spec: spec({ cpu: '100m' }) });
    const pod = await state(cluster, 'web', p => p.status?.phase === 'Running');
    assert.equal(pod && scheduled(pod)?.status, 'True');
    const { items } = await cluster.client.events('default').list();
    const messages = items.filter(e => e.reason === 'Scheduled').map(e => e.message);
    assert.deepEqual(messages, [`Successfully assigned default/web to ${pod?.spec.nodeName}`]);
  } finally {
    await cluster.close();
  }
});

test('a pod that fits nowhere says why', async () => {
  const cluster = await createCluster({ nodes: 2 });
  try {
    await cluster.client.pods('default').create({ metadata: { name: 'big' }, spec: spec({ cpu: '1000' }) });
    const why = '0/2 nodes are available: 2 Insufficient cpu.';
    const pod = await state(cluster, 'big', p => scheduled(p)?.message?.startsWith(why) === true);
    assert.equal(pod && scheduled(pod)?.reason, 'Unschedulable');
  } finally {
    await cluster.close();
  }
});
