import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer } from '../../test/support/control.ts';
import { silentLogger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { createSimulatedNodes } from './simulated-nodes.ts';

test('many nodes register and run pods with addresses of their own', async t => {
  const server = await createServer(3);
  const { clock, random, client } = server;
  const nodes = await server.follow('v1/nodes', () => undefined);
  const pods = await server.follow('v1/pods', () => undefined);
  const fleet = createSimulatedNodes({
    count: 50,
    client,
    environment: { clock, random, log: silentLogger, metrics: createMetrics() },
    labels: i => ({ 'topology.kubernetes.io/zone': `z${i % 3}` }),
  });
  t.after(async () => {
    await fleet.stop();
    await server.close();
  });
  const started = fleet.start();
  await clock.until(() => nodes.size === 50, 10_000);
  await started;
  assert.equal(nodes.get('node-4')?.metadata.labels?.['topology.kubernetes.io/zone'], 'z1');
  const own = client.resource('v1/pods', 'default');
  for (let i = 0; i < 100; i++) {
    const spec = { nodeName: `node-${i % 50}`, containers: [{ name: 'app', image: 'example.test/app:1' }] };
    await own.create({ metadata: { name: `p${i}`, namespace: 'default' }, spec });
  }
  const ready = () =>
    pods.list().filter(p => p.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True'));
  await clock.until(() => ready().length === 100, 60_000);
  assert.equal(new Set(pods.list().map(p => p.status?.podIP)).size, 100);
  await clock.advance(60_000);
  for (const p of pods.list()) await own.delete(p.metadata.name ?? '');
  await clock.until(() => pods.size === 0, 60_000);
  assert.equal(fleet.nodes.flatMap(n => n.kubelet.pods()).length, 0);
});

test('a silent node stops its heartbeat and comes back', async t => {
  const server = await createServer(4);
  const { clock, random, client } = server;
  const environment = { clock, random, log: silentLogger, metrics: createMetrics() };
  const fleet = createSimulatedNodes({ count: 1, client, environment });
  t.after(async () => {
    await fleet.stop();
    await server.close();
  });
  const started = fleet.start();
  await clock.advance(2000);
  await started;
  const lease = client.resource('coordination.k8s.io/v1/leases', 'kube-node-lease');
  const renewed = async () => (await lease.get('node-0')).spec?.renewTime;
  await fleet.setUp('node-0', false);
  const before = await renewed();
  await clock.advance(120_000);
  assert.equal(await renewed(), before);
  const back = fleet.setUp('node-0', true);
  await clock.advance(5000);
  await back;
  assert.notEqual(await renewed(), before);
});
