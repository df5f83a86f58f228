import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nodesArbitrary, podsArbitrary } from '../../../test/support/scheduler/random-cluster.ts';
import { type ReferenceCluster, whyNot } from '../../../test/support/scheduler/reference.ts';
import { createWorld, makeNode, makePod } from '../../../test/support/scheduler/world.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { PodDisruptionBudget } from '../../api/types/policy-v1.ts';
import { podInfoOf as infoOf } from '../framework/pod-info.ts';

const one = { resources: { cpu: '1' } };
const on = (
  node: string,
  name: string,
  priority: number,
  cpu: string,
  options: { labels?: Record<string, string>; start?: string } = {},
) =>
  makePod(name, {
    node,
    requests: { cpu },
    spec: { priority },
    labels: options.labels ?? {},
    ...(options.start && { status: { startTime: options.start } }),
  });
const high = (cpu: string, spec = {}) => makePod('high', { requests: { cpu }, spec: { priority: 100, ...spec } });
const budget = (name: string, labels: Record<string, string>, disruptionsAllowed: number): PodDisruptionBudget => ({
  metadata: { name, namespace: 'default' },
  spec: { selector: { matchLabels: labels } },
  status: { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
});

describe('who has to leave', () => {
  test('nobody of equal priority', () => {
    const { nominated, message } = createWorld({
      nodes: [makeNode('a', one)],
      pods: [on('a', 'x', 100, '1')],
    }).schedule(high('1'));
    assert.equal(nominated, undefined);
    assert.equal(
      message,
      '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: ' +
        '1 No preemption victims found for incoming pod.',
    );
  });
  test('as few as needed, the least important first', () => {
    const pods = [on('a', 'x', 1, '300m'), on('a', 'y', 2, '300m'), on('a', 'z', 3, '400m')];
    const { nominated, victims } = createWorld({ nodes: [makeNode('a', one)], pods }).schedule(high('300m'));
    assert.deepEqual([nominated, victims], ['a', ['x']]);
  });
  test('of equals, who started last', () => {
    const pods = [
      on('a', 'old', 1, '500m', { start: '2026-01-01T00:00:00Z' }),
      on('a', 'new', 1, '500m', { start: '2026-01-02T00:00:00Z' }),
    ];
    assert.deepEqual(createWorld({ nodes: [makeNode('a', one)], pods }).schedule(high('500m')).victims, ['new']);
  });
  test('not who a budget protects, when another can go', () => {
    const pods = [on('a', 'guarded', 1, '500m', { labels: { app: 'db' } }), on('a', 'free', 2, '500m')];
    const objects = { 'policy/v1/poddisruptionbudgets': [budget('db', { app: 'db' }, 0)] };
    assert.deepEqual(createWorld({ nodes: [makeNode('a', one)], pods, objects }).schedule(high('500m')).victims, [
      'free',
    ]);
  });
  test('a budget that allows one allows one', () => {
    const pods = [
      on('a', 'x', 1, '500m', { labels: { app: 'db' } }),
      on('a', 'y', 1, '500m', { labels: { app: 'db' } }),
      on('b', 'z', 50, '1'),
    ];
    const objects = { 'policy/v1/poddisruptionbudgets': [budget('db', { app: 'db' }, 1)] };
    const nodes = [makeNode('a', one), makeNode('b', one)];
    const { nominated, victims } = createWorld({ nodes, pods, objects }).schedule(high('1'));
    assert.deepEqual([nominated, victims], ['b', ['z']], 'fewer violations go before lower priorities');
  });
});

describe('where', () => {
  const nodes = ['a', 'b'].map(name => makeNode(name, one));
  const cases: [string, Pod[], string][] = [
    ['the lowest highest victim', [on('a', 'x', 10, '1'), on('b', 'y', 5, '1')], 'b'],
    ['the smallest sum of priorities', [on('a', 'x', 5, '1'), on('b', 'y', 5, '500m'), on('b', 'z', 4, '500m')], 'a'],
    [
      'the latest start of the most important',
      [
        on('a', 'x', 5, '1', { start: '2026-01-01T00:00:00Z' }),
        on('b', 'y', 5, '1', { start: '2026-01-02T00:00:00Z' }),
      ],
      'b',
    ],
  ];
  for (const [name, pods, wanted] of cases)
    test(name, () => assert.equal(createWorld({ nodes, pods }).schedule(high('1')).nominated, wanted));

  test('not where eviction cannot help', () => {
    const { nominated, message } = createWorld({
      nodes: [makeNode('a', { ...one, unschedulable: true })],
      pods: [on('a', 'x', 1, '1')],
    }).schedule(high('1'));
    assert.equal(nominated, undefined);
    assert.match(message ?? '', /1 Preemption is not helpful for scheduling\.$/);
  });
  test('not for pods that may not', () => {
    const { message } = createWorld({ nodes, pods: [on('a', 'x', 1, '1'), on('b', 'y', 1, '1')] }).schedule(
      high('1', { preemptionPolicy: 'Never' }),
    );
    assert.match(message ?? '', /preemption: not eligible due to preemptionPolicy=Never\.$/);
  });
  test('anti-affinity of pods that leave no longer counts', () => {
    const term = { labelSelector: { matchLabels: { color: 'red' } }, topologyKey: 'kubernetes.io/hostname' };
    const alone = on('a', 'alone', 1, '100m');
    alone.spec.affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    const pod = { ...high('100m'), metadata: { ...high('100m').metadata, labels: { color: 'red' } } };
    const outcome = createWorld({ nodes: [makeNode('a', one)], pods: [alone] }).schedule(pod);
    assert.deepEqual([outcome.nominated, outcome.victims], ['a', ['alone']]);
  });
});

test('room that was made is kept for the pod it was made for', () => {
  const world = createWorld({ nodes: [makeNode('a', one)] });
  const waiting = makePod('waiting', { requests: { cpu: '1' }, spec: { priority: 50 } });
  world.nominations.set(infoOf(waiting), 'a');
  assert.deepEqual(world.schedule(makePod('low', { requests: { cpu: '500m' }, spec: { priority: 10 } })).feasible, []);
  assert.deepEqual(world.schedule(makePod('high', { requests: { cpu: '500m' }, spec: { priority: 60 } })).feasible, [
    'a',
  ]);
});

test('a nominated pod that spreads or keeps others away counts in every rule', () => {
  const zone = 'topology.kubernetes.io/zone';
  const nodes = [makeNode('a', { labels: { [zone]: 'x' } }), makeNode('b', { labels: { [zone]: 'y' } })];
  const world = createWorld({ nodes });
  world.nominations.set(infoOf(makePod('waiting', { labels: { color: 'red' }, spec: { priority: 50 } })), 'a');
  const constraint = {
    maxSkew: 1,
    topologyKey: zone,
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { color: 'red' } },
  };
  const pod = makePod('p', { labels: { color: 'red' }, spec: { topologySpreadConstraints: [constraint] } });
  assert.deepEqual(world.schedule(pod).feasible, ['b']);
});

test('victims are lower, enough, and none too many; nothing changes by asking', () => {
  let preemptions = 0;
  fc.assert(
    fc.property(nodesArbitrary, podsArbitrary, (nodes, queue) => {
      const world = createWorld({ nodes, configuration: { percentageOfNodesToScore: 100 } });
      let cluster: ReferenceCluster = { nodes, pods: [] };
      for (const pod of queue) {
        const outcome = world.schedule(pod);
        assert.deepEqual([...world.schedule(pod).rejected], [...outcome.rejected], 'a second look says the same');
        const at = outcome.node ?? outcome.nominated;
        const node = nodes.find(n => n.metadata.name === at);
        if (!node || at === undefined) continue;
        const leaving = new Set(outcome.victims);
        const victims = cluster.pods.filter(p => leaving.has(p.metadata.name));
        assert.equal(victims.length, leaving.size);
        for (const victim of victims) {
          assert.ok((victim.spec.priority ?? 0) < (pod.spec.priority ?? 0));
          assert.equal(victim.spec.nodeName, at);
          const spared = { nodes, pods: cluster.pods.filter(p => p === victim || !leaving.has(p.metadata.name)) };
          assert.notEqual(whyNot(spared, pod, node), undefined, 'without this victim it would not fit');
        }
        if (victims.length > 0) preemptions++;
        const left = cluster.pods.filter(p => !leaving.has(p.metadata.name));
        assert.equal(whyNot({ nodes, pods: left }, pod, node), undefined);
        for (const victim of victims) world.cache.removePod(`default/${victim.metadata.name}`);
        const placed = { ...pod, spec: { ...pod.spec, nodeName: at } };
        world.cache.setPod(placed);
        cluster = { nodes, pods: [...left, placed] };
      }
    }),
    { numRuns: 200, seed: 11 },
  );
  assert.ok(preemptions > 20, `only ${preemptions} preemptions were seen`);
});
