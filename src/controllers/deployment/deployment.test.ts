import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld, type World } from '../../../test/support/control.ts';
import type { Deployment } from '../../api/types/apps-v1.ts';
import { replicaSetController } from '../replicaset/index.ts';
import { deploymentController } from './index.ts';

const controllers = [replicaSetController, deploymentController];
const template = (image: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }] },
});
const web = (spec: Partial<Deployment['spec']> = {}) => ({
  metadata: { name: 'web', namespace: 'a' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: template('one'),
    progressDeadlineSeconds: 600,
    ...spec,
  },
});
const status = async (world: World) => (await world.client.deployments('a').get('web')).status ?? {};
const isDone = async (world: World, image: string, replicas: number) => {
  const d = await world.client.deployments('a').get('web');
  const pods = await world.pods();
  return (
    d.status?.observedGeneration === d.metadata.generation &&
    d.status?.availableReplicas === replicas &&
    d.status?.updatedReplicas === replicas &&
    pods.length === replicas &&
    pods.every(p => p.spec.containers[0]?.image === image)
  );
};

test('a deployment makes a set, the set makes pods, and both tell it by events and status', async () => {
  const world = await createWorld({ controllers });
  await world.client.deployments('a').create(web());
  await world.clock.advance(30_000);
  const { conditions = [], ...counts } = await status(world);
  assert.deepEqual(
    conditions.map(c => `${c.type}=${c.status} ${c.reason}: ${c.message?.replace(/web-\w+/, 'web-hash')}`).sort(),
    [
      'Available=True MinimumReplicasAvailable: Deployment has minimum availability.',
      'Progressing=True NewReplicaSetAvailable: ReplicaSet "web-hash" has successfully progressed.',
    ],
  );
  assert.equal(counts.readyReplicas, 3);
  const events = (await world.events()).map(e => e.replaceAll(/web-[a-z0-9]+(-[a-z0-9]+)?/g, 'x'));
  assert.deepEqual(
    new Set(events),
    new Set(['Normal ScalingReplicaSet Scaled up replica set x from 0 to 3', 'Normal SuccessfulCreate Created pod: x']),
  );
  const d = await world.client.deployments('a').get('web');
  assert.equal(d.metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
  await world.stop();
});

test('a rolling update keeps to its limits, keeps history, and a rollback numbers on', async () => {
  const world = await createWorld({ controllers });
  let most = 0;
  let least = Number.POSITIVE_INFINITY;
  await world.client.deployments('a').create(
    web({
      replicas: 10,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 1 } },
    }),
  );
  await world.clock.advance(30_000);
  await world.follow('v1/pods', cache => {
    if (cache.size < 10) return;
    const live = cache.list().filter(p => !p.metadata.deletionTimestamp);
    most = Math.max(most, live.length);
    least = Math.min(least, live.filter(p => p.status?.conditions?.some(c => c.type === 'Ready')).length);
  });
  await world.client.deployments('a').patch('web', 'merge', { spec: { template: template('two') } });
  await world.clock.advance(60_000);
  assert.ok(await isDone(world, 'two', 10));
  assert.ok(most <= 12, `at most 12 pods, saw ${most}`);
  assert.ok(least >= 9, `at least 9 ready pods, saw ${least}`);
  await world.client.deployments('a').patch('web', 'merge', { spec: { template: template('one') } });
  await world.clock.advance(60_000);
  assert.ok(await isDone(world, 'one', 10));
  const d = await world.client.deployments('a').get('web');
  assert.equal(d.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
  assert.equal((await world.client.replicasets('a').list()).items.length, 2);
  await world.stop();
});

test('recreate removes all old pods before the first new one', async () => {
  const world = await createWorld({ controllers });
  await world.client.deployments('a').create(web({ strategy: { type: 'Recreate' } }));
  await world.clock.advance(30_000);
  let mixed = false;
  await world.follow('v1/pods', cache => {
    mixed ||= new Set(cache.list().map(p => p.spec.containers[0]?.image)).size > 1;
  });
  await world.client.deployments('a').patch('web', 'merge', { spec: { template: template('two') } });
  await world.clock.advance(60_000);
  assert.ok(await isDone(world, 'two', 3));
  assert.ok(!mixed);
  await world.stop();
});

test('a rollout that makes no progress is reported after its deadline', async () => {
  const world = await createWorld({ controllers, nodes: false });
  await world.client.deployments('a').create(web({ progressDeadlineSeconds: 60 }));
  await world.clock.advance(50_000);
  const reason = async () => (await status(world)).conditions?.find(c => c.type === 'Progressing')?.reason;
  assert.equal(await reason(), 'ReplicaSetUpdated');
  await world.clock.advance(20_000);
  assert.equal(await reason(), 'ProgressDeadlineExceeded');
  await world.stop();
});

test('a paused deployment scales but does not roll; resumed it goes on', async () => {
  const world = await createWorld({ controllers });
  await world.client.deployments('a').create(web());
  await world.clock.advance(30_000);
  await world.client
    .deployments('a')
    .patch('web', 'merge', { spec: { paused: true, replicas: 5, template: template('two') } });
  await world.clock.advance(30_000);
  assert.equal((await world.pods()).filter(p => p.spec.containers[0]?.image === 'one').length, 5);
  await world.client.deployments('a').patch('web', 'merge', { spec: { paused: false } });
  await world.clock.advance(60_000);
  assert.ok(await isDone(world, 'two', 5));
  await world.stop();
});

for (let seed = 1; seed <= 15; seed++) {
  test(`rollouts end well under faults, restarts and outages, seed ${seed}`, async () => {
    const world = await createWorld({ controllers, seed });
    const { faults } = world;
    await world.client
      .pods('a')
      .create({ metadata: { name: 'bystander' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
    await world.client.deployments('a').create(web({ replicas: 6 }));
    Object.assign(faults, { failBefore: 0.1, failAfter: 0.1, breakWatch: 0.1, delayMs: 400, repeat: 0.1 });
    for (let i = 0; i < 4; i++) {
      await world.clock.advance(world.random.int(20_000));
      Object.assign(faults, { down: world.random.int(3) === 0 });
      await world.clock.advance(faults.down ? 300_000 : 0);
      faults.down = false;
      if (world.random.int(2) === 0) await world.restart();
      const change = { spec: { replicas: 3 + world.random.int(6), template: template(`v${i}`) } };
      for (let ok = false; !ok; )
        ok = await world.client
          .deployments('a')
          .patch('web', 'merge', change)
          .then(
            () => true,
            () => false,
          );
    }
    Object.assign(faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0 });
    await world.client.deployments('a').patch('web', 'merge', { spec: { replicas: 5 } });
    await world.clock.advance(2_000_000);
    const all = await world.pods();
    const pods = all.filter(p => p.metadata.name !== 'bystander');
    assert.equal(pods.length, 5);
    assert.ok(pods.every(p => p.spec.containers[0]?.image === 'v3'));
    assert.equal((await status(world)).availableReplicas, 5);
    assert.equal(all.length, 6, 'the pod without an owner is still there');
    await world.stop();
  });
}

test('a deployment that recreates and is resized gives up all sets that it adopted', async () => {
  const world = await createWorld({ controllers });
  const sets = world.client.replicasets('a');
  for (const image of ['old', 'older'])
    await sets.create({
      metadata: {
        name: `web-${image}`,
        labels: { app: 'web' },
        annotations: { 'deployment.kubernetes.io/desired-replicas': '2' },
      },
      spec: { replicas: 2, selector: { matchLabels: { app: 'web', set: image } }, template: labelled(image) },
    });
  await world.client.deployments('a').create(web({ strategy: { type: 'Recreate' } }));
  await world.clock.advance(60_000);
  assert.ok(await isDone(world, 'one', 3));
  await world.stop();
});
const labelled = (set: string) => ({ ...template('zero'), metadata: { labels: { app: 'web', set } } });
