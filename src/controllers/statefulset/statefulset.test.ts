import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld } from '../../../test/support/control.ts';
import type { StatefulSet } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { garbageCollector } from '../garbagecollector/index.ts';
import { statefulSetController } from './index.ts';
import { planStep } from './plan.ts';

const template = (image: string) => ({
  metadata: { labels: { app: 'db' } },
  spec: { containers: [{ name: 'c', image }] },
});
const db = (spec: Partial<StatefulSet['spec']> = {}) => ({
  metadata: { name: 'db', namespace: 'a' },
  spec: {
    replicas: 3,
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: template('one'),
    ...spec,
  },
});
const claimTemplate = {
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};
const names = (pods: readonly Pod[]) => pods.map(p => p.metadata.name).sort();
const images = (pods: readonly Pod[]) => pods.map(p => `${p.metadata.name}=${p.spec.containers[0]?.image}`).sort();

test('replicas come one after another, with their claims, and go in reverse', async () => {
  const world = await createWorld({ controllers: [statefulSetController] });
  const sets = world.client.statefulsets('a');
  let ordered = true;
  await world.follow('v1/pods', cache => {
    const ready = (n: number) => cache.get(`a/db-${n}`)?.status?.conditions?.some(c => c.type === 'Ready');
    if (cache.get('a/db-1') && !ready(0)) ordered = false;
    if (cache.get('a/db-2') && !ready(1)) ordered = false;
  });
  await sets.create(db({ volumeClaimTemplates: [claimTemplate] }));
  await world.clock.advance(30_000);
  assert.deepEqual(names(await world.pods()), ['db-0', 'db-1', 'db-2']);
  assert.ok(ordered);
  const claims = await world.client.persistentvolumeclaims('a').list();
  assert.deepEqual(claims.items.map(c => c.metadata.name).sort(), ['data-db-0', 'data-db-1', 'data-db-2']);
  const events = await world.events();
  assert.ok(events.includes('Normal SuccessfulCreate create Pod db-0 in StatefulSet db successful'));
  assert.ok(events.includes('Normal SuccessfulCreate create Claim data-db-0 Pod db-0 in StatefulSet db success'));
  await sets.patch('db', 'merge', { spec: { replicas: 1 } });
  await world.clock.advance(30_000);
  assert.deepEqual(names(await world.pods()), ['db-0']);
  const { status } = await sets.get('db');
  assert.equal(status?.readyReplicas, 1);
  await world.stop();
});

test('a claim that goes with its pod is not given to the next one', async () => {
  const world = await createWorld({ controllers: [statefulSetController, garbageCollector] });
  const { client, clock } = world;
  const sets = client.statefulsets('a');
  const retention = { whenScaled: 'Delete', whenDeleted: 'Retain' };
  await sets.create(
    db({ replicas: 1, volumeClaimTemplates: [claimTemplate], persistentVolumeClaimRetentionPolicy: retention }),
  );
  await clock.advance(10_000);
  const claim = () => client.persistentvolumeclaims('a').get('data-db-0');
  const first = await claim();
  const owners: (string | undefined)[] = [];
  const cache = await world.follow('v1/pods', pods => {
    const pod = pods.get('a/db-0');
    if (pod && pod.metadata.uid !== owners.at(-1)) owners.push(pod.metadata.uid);
  });
  // The same size again before anything of the smaller one is done.
  await sets.patch('db', 'merge', { spec: { replicas: 0 } });
  await clock.until(() => cache.get('a/db-0') === undefined, 60_000);
  await sets.patch('db', 'merge', { spec: { replicas: 1 } });
  await clock.advance(120_000);
  const second = await claim();
  assert.notEqual(second.metadata.uid, first.metadata.uid);
  assert.equal(second.metadata.deletionTimestamp, undefined);
  assert.deepEqual(second.metadata.ownerReferences ?? [], []);
  assert.deepEqual(names(await world.pods()), ['db-0']);
  await world.stop();
});

test('a pending pod gets a claim again that somebody removed', async () => {
  const world = await createWorld({ controllers: [statefulSetController], nodes: false });
  const { client, clock } = world;
  await client.statefulsets('a').create(db({ replicas: 1, volumeClaimTemplates: [claimTemplate] }));
  await clock.advance(5_000);
  await client.persistentvolumeclaims('a').delete('data-db-0');
  await clock.advance(5_000);
  assert.ok(await client.persistentvolumeclaims('a').get('data-db-0'));
  await world.stop();
});

test('an update goes from the highest ordinal down and stops at the partition', async () => {
  const world = await createWorld({ controllers: [statefulSetController] });
  const sets = world.client.statefulsets('a');
  const strategy = (partition: number) => ({ type: 'RollingUpdate', rollingUpdate: { partition } });
  await sets.create(db({ updateStrategy: strategy(1) }));
  await world.clock.advance(30_000);
  await sets.patch('db', 'merge', { spec: { template: template('two') } });
  await world.clock.advance(60_000);
  assert.deepEqual(images(await world.pods()), ['db-0=one', 'db-1=two', 'db-2=two']);
  const middle = await sets.get('db');
  assert.notEqual(middle.status?.currentRevision, middle.status?.updateRevision);
  await sets.patch('db', 'merge', { spec: { updateStrategy: strategy(0) } });
  await world.clock.advance(60_000);
  assert.deepEqual(images(await world.pods()), ['db-0=two', 'db-1=two', 'db-2=two']);
  const end = await sets.get('db');
  assert.equal(end.status?.currentRevision, end.status?.updateRevision);
  assert.equal(end.status?.updatedReplicas, 3);
  const revisions = new Set((await world.pods()).map(p => p.metadata.labels?.['controller-revision-hash']));
  assert.deepEqual([...revisions], [end.status?.updateRevision]);
  await world.stop();
});

for (let seed = 1; seed <= 10; seed++) {
  test(`a set keeps its identity under faults and restarts, seed ${seed}`, async () => {
    const world = await createWorld({ controllers: [statefulSetController], seed });
    const sets = world.client.statefulsets('a');
    await sets.create(db({ podManagementPolicy: seed % 2 ? 'OrderedReady' : 'Parallel' }));
    Object.assign(world.faults, {
      failBefore: 0.1,
      failAfter: 0.1,
      breakWatch: 0.1,
      delayMs: 300,
      repeat: 0.1,
      expire: 0.1,
    });
    for (let i = 0; i < 3; i++) {
      await world.clock.advance(world.random.int(20_000));
      if (world.random.int(2) === 0) await world.restart();
      await sets.patch('db', 'merge', { spec: { replicas: 2 + world.random.int(4), template: template(`v${i}`) } });
    }
    Object.assign(world.faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0, expire: 0 });
    await sets.patch('db', 'merge', { spec: { replicas: 3 } });
    await world.clock.advance(1_000_000);
    assert.deepEqual(images(await world.pods()), ['db-0=v2', 'db-1=v2', 'db-2=v2']);
    await world.stop();
  });
}

test('a step never takes more available replicas than the strategy allows', () => {
  const pods = fc.array(fc.record({ ready: fc.boolean(), updated: fc.boolean(), going: fc.boolean() }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(pods, fc.integer({ min: 1, max: 4 }), fc.boolean(), (states, maxUnavailable, parallel) => {
      const set = {
        ...db({
          replicas: states.length,
          podManagementPolicy: parallel ? 'Parallel' : 'OrderedReady',
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } },
        }),
      } as StatefulSet;
      const made = states.map(({ ready, updated, going }, i) => pod(i, ready, updated ? 'u' : 'c', going));
      const step = planStep(set, made, { current: 'c', update: 'u' }, 0);
      const available = (p: Pod) => p.status?.conditions?.[0]?.status === 'True' && !p.metadata.deletionTimestamp;
      const before = made.filter(available).length;
      const after = made.filter(p => available(p) && !step.remove.includes(p)).length;
      assert.ok(after >= Math.min(before, states.length - maxUnavailable));
      assert.ok(step.remove.every(p => p.metadata.labels?.['controller-revision-hash'] === 'c'));
    }),
  );
});

function pod(ordinal: number, ready: boolean, revision: string, going: boolean): Pod {
  const name = `db-${ordinal}`;
  return {
    metadata: {
      name,
      labels: { 'controller-revision-hash': revision, 'statefulset.kubernetes.io/pod-name': name },
      ...(going && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: { containers: [] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '1970-01-01T00:00:00Z' }],
    },
  };
}
