import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld, type World } from '../../../test/support/control.ts';
import type { DaemonSet, DaemonSetSpec } from '../../api/types/apps-v1.ts';
import type { Node, Pod, Taint } from '../../api/types/core-v1.ts';
import { daemonSetController } from './index.ts';
import { hashOfPod, planDaemons } from './plan.ts';
import { targetNode } from './pods.ts';

const template = (image: string) => ({
  metadata: { labels: { app: 'agent' } },
  spec: { containers: [{ name: 'c', image }] },
});
const agent = (spec: Partial<DaemonSetSpec> = {}) => ({
  metadata: { name: 'agent', namespace: 'a' },
  spec: { selector: { matchLabels: { app: 'agent' } }, template: template('one'), ...spec },
});
const node = (name: string, labels: Record<string, string> = {}, taints: Taint[] = []): Node => ({
  metadata: { name, labels },
  spec: { taints },
});
const placed = async (world: World) => (await world.pods()).map(p => targetNode(p)).sort();

test('every suitable node has one pod, whatever trouble it is in', async () => {
  const world = await createWorld({ controllers: [daemonSetController] });
  const nodes = world.client.nodes();
  await nodes.create(node('n1'));
  await nodes.create(node('n2', {}, [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }]));
  await nodes.create(node('n3', {}, [{ key: 'dedicated', value: 'x', effect: 'NoSchedule' }]));
  await world.client.daemonsets('a').create(agent());
  await world.clock.advance(10_000);
  assert.deepEqual(await placed(world), ['n1', 'n2']);
  await nodes.create(node('n4'));
  await world.clock.advance(10_000);
  assert.deepEqual(await placed(world), ['n1', 'n2', 'n4']);
  await nodes.patch('n1', 'merge', { spec: { taints: [{ key: 'gone', effect: 'NoExecute' }] } });
  await world.clock.advance(10_000);
  assert.deepEqual(await placed(world), ['n2', 'n4']);
  const { status } = await world.client.daemonsets('a').get('agent');
  assert.equal(status?.desiredNumberScheduled, 2);
  assert.equal(status?.numberReady, 2);
  await world.stop();
});

for (const strategy of [{ maxUnavailable: 1 }, { maxSurge: 2, maxUnavailable: 0 }]) {
  test(`a rolling update keeps to ${JSON.stringify(strategy)}`, async () => {
    const world = await createWorld({ controllers: [daemonSetController] });
    for (let i = 0; i < 5; i++) await world.client.nodes().create(node(`n${i}`));
    await world.client
      .daemonsets('a')
      .create(agent({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: strategy } }));
    await world.clock.advance(20_000);
    let most = 0;
    let least = 5;
    let begun = false;
    await world.follow('v1/pods', cache => {
      const live = cache.list().filter(p => !p.metadata.deletionTimestamp);
      const ready = new Set(live.filter(p => p.status?.conditions?.some(c => c.type === 'Ready')).map(targetNode));
      begun ||= cache.size === 5;
      if (!begun) return;
      most = Math.max(most, live.length);
      least = Math.min(least, ready.size);
    });
    await world.client.daemonsets('a').patch('agent', 'merge', { spec: { template: template('two') } });
    await world.clock.advance(60_000);
    const pods = await world.pods();
    assert.deepEqual(
      pods.map(p => `${targetNode(p)}=${p.spec.containers[0]?.image}`).sort(),
      [0, 1, 2, 3, 4].map(i => `n${i}=two`),
    );
    assert.ok(
      least >= 5 - strategy.maxUnavailable,
      `at least ${5 - strategy.maxUnavailable} nodes served, saw ${least}`,
    );
    assert.ok(most <= 5 + (strategy.maxSurge ?? 0), `at most ${5 + (strategy.maxSurge ?? 0)} pods, saw ${most}`);
    await world.stop();
  });
}

for (let seed = 1; seed <= 8; seed++) {
  test(`one pod per node under faults and restarts, seed ${seed}`, async () => {
    const world = await createWorld({ controllers: [daemonSetController], seed });
    for (let i = 0; i < 4; i++) await world.client.nodes().create(node(`n${i}`));
    await world.client.daemonsets('a').create(agent());
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
      await world.client.daemonsets('a').patch('agent', 'merge', { spec: { template: template(`v${i}`) } });
    }
    Object.assign(world.faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0, expire: 0 });
    await world.client.nodes().create(node('n4'));
    await world.clock.advance(1_000_000);
    const pods = await world.pods();
    assert.deepEqual(
      pods.map(p => `${targetNode(p)}=${p.spec.containers[0]?.image}`).sort(),
      [0, 1, 2, 3, 4].map(i => `n${i}=v2`),
    );
    await world.stop();
  });
}

test('a plan never takes more available nodes than allowed', () => {
  const states = fc.array(fc.record({ ready: fc.boolean(), fresh: fc.boolean(), going: fc.boolean() }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(states, fc.integer({ min: 1, max: 4 }), (pods, maxUnavailable) => {
      const set = agent({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } } }) as DaemonSet;
      const made = pods.map(({ ready, fresh, going }, i) => pod(i, ready, fresh ? 'new' : 'old', going));
      const nodes = pods.map((_, i) => node(`n${i}`));
      const plan = planDaemons(set, nodes, made, 'new', 0);
      const serves = (p: Pod) => p.status?.conditions?.[0]?.status === 'True' && !p.metadata.deletionTimestamp;
      const before = made.filter(serves).length;
      const after = made.filter(p => serves(p) && !plan.remove.includes(p)).length;
      assert.ok(after >= Math.min(before, pods.length - maxUnavailable));
      assert.ok(plan.remove.every(p => hashOfPod(p) === 'old'));
    }),
  );
});

function pod(index: number, ready: boolean, hash: string, going: boolean): Pod {
  return {
    metadata: {
      name: `agent-${index}`,
      labels: { 'controller-revision-hash': hash },
      ...(going && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: { containers: [], nodeName: `n${index}` },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '1970-01-01T00:00:00Z' }],
    },
  };
}

test('what becomes of the pods on one node', () => {
  const now = Date.parse('2026-01-01T01:00:00Z');
  const times = { creationTimestamp: '2026-01-01T00:00:00Z' };
  const pod = (
    name: string,
    hash: string,
    ready: boolean,
    more: Partial<Pod['metadata']> = {},
    phase = 'Running',
  ): Pod => ({
    metadata: { name, uid: name, ...times, labels: { 'controller-revision-hash': hash }, ...more },
    spec: { nodeName: 'n', containers: [] },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: times.creationTimestamp }],
    },
  });
  const leaving = { deletionTimestamp: '2026-01-01T00:59:00Z' };
  const surge = { maxSurge: 1, maxUnavailable: 0 };
  const inPlace = { maxUnavailable: 1 };
  const table: [string, object, Pod[], { create?: string[]; remove?: string[]; ended?: string[] }][] = [
    ['none', inPlace, [], { create: ['n'] }],
    ['the last one is going', inPlace, [pod('a', 'h', false, leaving)], {}],
    ['the last one is going, with surge', surge, [pod('a', 'h', false, leaving)], { create: ['n'] }],
    ['ended, held by a finalizer', inPlace, [pod('a', 'h', false, leaving, 'Failed')], { create: ['n'] }],
    ['old and ready beside new', surge, [pod('a', 'old', true), pod('b', 'h', false)], {}],
    ['old and not ready beside new', surge, [pod('a', 'old', false), pod('b', 'h', false)], { remove: ['a'] }],
    ['old beside new and ready', surge, [pod('a', 'old', true), pod('b', 'h', true)], { remove: ['a'] }],
    ['failed', inPlace, [pod('a', 'h', false, {}, 'Failed')], { ended: ['a'] }],
  ];
  for (const [title, rollingUpdate, pods, { create = [], remove = [], ended = [] }] of table) {
    const set = agent({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } }) as DaemonSet;
    const plan = planDaemons(set, [node('n')], pods, 'h', now);
    const names = (list: Pod[]) => list.map(p => p.metadata.name);
    assert.deepEqual([plan.create, names(plan.remove), names(plan.ended)], [create, remove, ended], title);
  }
});
