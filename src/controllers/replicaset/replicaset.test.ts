import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import type { Draft } from '../../api/object.ts';
import type { ReplicaSet } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { replicationController } from '../replicationcontroller/index.ts';
import { availableInMs, deletionOrder } from '../support/pods.ts';
import { replicaSetController } from './index.ts';

const spec = { containers: [{ name: 'c', image: 'i' }] };
const set = (more: Partial<NonNullable<ReplicaSet['spec']>> = {}): Draft<ReplicaSet> => ({
  metadata: { name: 'rs', namespace: 'a' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'x' } },
    template: { metadata: { labels: { app: 'x' } }, spec },
    ...more,
  },
});
const ownerOf = (pod: Pod | undefined) => pod?.metadata.ownerReferences?.find(ref => ref.controller)?.name;

test('matching orphans are adopted, pods that stop matching are released and replaced', async () => {
  const world = await createWorld({ controllers: [replicaSetController] });
  const pods = world.client.pods('a');
  await pods.create({ metadata: { name: 'orphan', labels: { app: 'x' } }, spec });
  await pods.create({ metadata: { name: 'stranger', labels: { app: 'y' } }, spec });
  await world.clock.advance(2_000);
  await world.client.replicasets('a').create(set());
  await world.clock.advance(5_000);
  assert.equal(ownerOf(await pods.get('orphan')), 'rs');
  assert.equal((await world.pods()).length, 3, 'one adopted, one made, one stranger');
  await pods.patch('orphan', 'merge', { metadata: { labels: { app: 'z' } } });
  await world.clock.advance(5_000);
  assert.equal(ownerOf(await pods.get('orphan')), undefined);
  assert.equal((await world.pods()).filter(p => ownerOf(p) === 'rs').length, 2);
  await world.client.replicasets('a').patch('rs', 'merge', { spec: { replicas: 0 } });
  await world.clock.advance(5_000);
  assert.deepEqual((await world.pods()).map(p => p.metadata.name).sort(), ['orphan', 'stranger']);
  await world.stop();
});

test('replicas are available after minReadySeconds, without any event', async () => {
  const world = await createWorld({ controllers: [replicaSetController] });
  const made = await world.client.replicasets('a').create(set({ minReadySeconds: 20 }));
  await world.clock.advance(10_000);
  const early = await world.client.replicasets('a').get('rs');
  assert.deepEqual([early.status?.readyReplicas, early.status?.availableReplicas ?? 0], [2, 0]);
  await world.clock.advance(20_000);
  const late = await world.client.replicasets('a').get('rs');
  assert.equal(late.status?.availableReplicas, 2);
  assert.equal(late.status?.observedGeneration, made.metadata.generation);
  await world.stop();
});

test('a failure to make pods is a condition and an event, until it is over', async () => {
  const world = await createWorld({ controllers: [replicaSetController] });
  world.faults.refuse = { method: 'POST', path: '/pods', message: 'exceeded quota' };
  await world.client.replicasets('a').create(set());
  await world.clock.advance(5_000);
  const failing = await world.client.replicasets('a').get('rs');
  const [condition] = failing.status?.conditions ?? [];
  assert.deepEqual([condition?.type, condition?.status, condition?.reason], ['ReplicaFailure', 'True', 'FailedCreate']);
  assert.ok((await world.events()).includes('Warning FailedCreate Error creating: exceeded quota'));
  delete world.faults.refuse;
  await world.clock.advance(120_000);
  const fine = await world.client.replicasets('a').get('rs');
  assert.deepEqual([fine.status?.readyReplicas, fine.status?.conditions ?? []], [2, []]);
  await world.stop();
});

test('a replication controller does the same with a plain selector', async () => {
  const world = await createWorld({ controllers: [replicationController] });
  const template = { metadata: { labels: { app: 'x' } }, spec };
  await world.client
    .replicationcontrollers('a')
    .create({ metadata: { name: 'rc' }, spec: { replicas: 3, selector: { app: 'x' }, template } });
  await world.clock.advance(5_000);
  const rc = await world.client.replicationcontrollers('a').get('rc');
  assert.equal(rc.status?.readyReplicas, 3);
  const written = rc.metadata.resourceVersion;
  await world.clock.advance(600_000);
  assert.equal(
    (await world.client.replicationcontrollers('a').get('rc')).metadata.resourceVersion,
    written,
    'nothing is written without need',
  );
  assert.ok((await world.pods()).every(p => ownerOf(p) === 'rc'));
  await world.stop();
});

const now = Date.UTC(2026, 0, 1);
const at = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString();
interface Traits {
  node?: string;
  phase?: string;
  readyFor?: number;
  cost?: string;
  restarts?: number;
  age?: number;
}
function pod(name: string, { node = 'n', phase = 'Running', readyFor, cost, restarts = 0, age = 1000 }: Traits): Pod {
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: at(age),
      ...(cost && { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [], ...(node && { nodeName: node }) },
    status: {
      phase,
      containerStatuses: [{ name: 'c', image: '', imageID: '', ready: true, restartCount: restarts }],
      ...(readyFor !== undefined && {
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(readyFor) }],
      }),
    },
  };
}
const orders: [string, Traits, Traits][] = [
  ['unassigned', { node: '' }, {}],
  ['pending', { phase: 'Pending' }, { phase: 'Running' }],
  ['not ready', {}, { readyFor: 10 }],
  ['cheaper', { readyFor: 10, cost: '-5' }, { readyFor: 10 }],
  ['on a crowded node', { readyFor: 10, node: 'crowded' }, { readyFor: 10 }],
  ['ready for a shorter time', { readyFor: 10 }, { readyFor: 100 }],
  ['restarted more often', { readyFor: 10, restarts: 3 }, { readyFor: 10 }],
  ['younger', { readyFor: 5, age: 10 }, { readyFor: 5, age: 1000 }],
];
for (const [what, first, second] of orders) {
  test(`of two pods the one that is ${what} goes first`, () => {
    const rank = (p: Pod) => (p.spec.nodeName === 'crowded' ? 5 : 1);
    for (const pods of [
      [pod('b', first), pod('a', second)],
      [pod('a', second), pod('b', first)],
    ])
      assert.deepEqual(
        deletionOrder(pods, rank, now).map(p => p.metadata.name),
        ['b', 'a'],
      );
  });
}

test('availability counts from when the pod became ready', () => {
  assert.equal(availableInMs(pod('a', {}), 0, now), Number.POSITIVE_INFINITY);
  assert.equal(availableInMs(pod('a', { readyFor: 4 }), 10, now), 6_000);
  assert.equal(availableInMs(pod('a', { readyFor: 40 }), 10, now), 0);
});
