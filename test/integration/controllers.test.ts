/** All controllers together: what one makes another acts on, through restarts and outages, to the end of the namespace. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodTemplateSpec } from '../../src/api/types/core-v1.ts';
import type { Client } from '../../src/client/contract.ts';
import { controllers } from '../../src/controllers/index.ts';
import { createWorld, type World } from '../support/control.ts';

const template = (app: string, image = 'one'): PodTemplateSpec => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'c', image }] },
});
const selector = (app: string) => ({ matchLabels: { app } });

async function createAll(client: Client): Promise<void> {
  for (const i of [0, 1, 2]) await client.nodes().create({ metadata: { name: `node-${i}` }, spec: {} });
  await client
    .deployments('a')
    .create({ metadata: { name: 'web' }, spec: { replicas: 4, selector: selector('web'), template: template('web') } });
  await client.services('a').create({
    metadata: { name: 'web' },
    spec: { clusterIP: 'None', selector: { app: 'web' }, ports: [{ port: 80 }] },
  });
  await client.statefulsets('a').create({
    metadata: { name: 'db' },
    spec: { replicas: 3, serviceName: 'db', selector: selector('db'), template: template('db') },
  });
  await client
    .daemonsets('a')
    .create({ metadata: { name: 'agent' }, spec: { selector: selector('agent'), template: template('agent') } });
  await client
    .replicationcontrollers('a')
    .create({ metadata: { name: 'old' }, spec: { replicas: 2, selector: { app: 'old' }, template: template('old') } });
  const job = template('job');
  await client.jobs('a').create({
    metadata: { name: 'job' },
    spec: { parallelism: 2, template: { ...job, spec: { containers: [], ...job.spec, restartPolicy: 'Never' } } },
  });
}
async function census(world: World): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const pod of await world.pods()) {
    const app = pod.metadata.labels?.['app'] ?? '';
    if (!pod.metadata.deletionTimestamp) counts[app] = (counts[app] ?? 0) + 1;
  }
  return counts;
}

for (let seed = 1; seed <= 6; seed++) {
  test(`restarts at any step and an outage change nothing but time, seed ${seed}`, async () => {
    const world = await createWorld({ controllers, seed });
    const { client, clock, random, faults } = world;
    await createAll(client);
    Object.assign(faults, {
      failBefore: 0.05,
      failAfter: 0.05,
      breakWatch: 0.05,
      delayMs: 200,
      repeat: 0.05,
      expire: 0.1,
    });
    await clock.advance(random.int(3_000));
    await world.restart();
    await clock.advance(random.int(3_000));
    await client.deployments('a').patch('web', 'merge', { spec: { replicas: 5, template: template('web', 'two') } });
    await clock.advance(random.int(5_000));
    faults.down = true;
    await clock.advance(300_000);
    faults.down = false;
    Object.assign(faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0, expire: 0 });
    await clock.advance(400_000);
    assert.deepEqual(await census(world), { agent: 3, db: 3, job: 2, old: 2, web: 5 });
    const web = (await world.pods()).filter(p => p.metadata.labels?.['app'] === 'web');
    assert.ok(web.every(p => p.spec.containers[0]?.image === 'two'));
    const slices = (await client.endpointslices('a').list()).items;
    assert.deepEqual(
      slices.flatMap(s => (s.endpoints ?? []).filter(e => e.conditions?.ready).map(e => e.targetRef?.name)).sort(),
      web.map(p => p.metadata.name).sort(),
    );
    await client.namespaces().delete('a');
    await clock.advance(300_000);
    assert.ok(!(await client.namespaces().list()).items.some(ns => ns.metadata.name === 'a'));
    assert.equal((await client.pods().list()).items.length, 0);
    await world.stop();
  });
}

test('deleting an owner in the foreground takes everything below it first', async () => {
  const world = await createWorld({ controllers });
  const { client, clock } = world;
  await createAll(client);
  await clock.advance(30_000);
  await client.deployments('a').delete('web', { propagationPolicy: 'Foreground' });
  await client.statefulsets('a').delete('db', { propagationPolicy: 'Orphan' });
  await clock.advance(60_000);
  assert.deepEqual(await census(world), { agent: 3, db: 3, job: 2, old: 2 });
  assert.equal((await client.deployments('a').list()).items.length, 0);
  assert.equal((await client.replicasets('a').list()).items.length, 0);
  await world.stop();
});
