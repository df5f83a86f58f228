import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld } from '../../../test/support/control.ts';
import type { HorizontalPodAutoscaler } from '../../api/types/autoscaling-v2.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { deploymentController } from '../deployment/index.ts';
import { replicaSetController } from '../replicaset/index.ts';
import { horizontalPodAutoscalerController } from './index.ts';
import {
  type Bounds,
  type History,
  noHistory,
  normalize,
  scaleDownLimit,
  scaleUpLimit,
  withScaleEvent,
} from './limits.ts';
import type { MetricsSource, PodMetrics } from './metrics.ts';
import { averageReplicas, perPodReplicas, type Question, utilizationReplicas, wholeReplicas } from './replicas.ts';

const hour = 3_600_000;
interface PodOptions {
  ready?: boolean;
  phase?: string;
  ageMs?: number;
  gone?: boolean;
}
const pod = (name: string, { ready = true, phase = 'Running', ageMs = hour, gone = false }: PodOptions = {}): Pod => ({
  metadata: { name, ...(gone && { deletionTimestamp: rfc3339(hour) }) },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }] },
  status: {
    phase,
    startTime: rfc3339(hour - ageMs),
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: rfc3339(hour - ageMs) }],
  },
});
const question = (pods: Pod[], current = pods.length): Question => ({
  current,
  pods,
  tolerances: { up: 0.1, down: 0.1 },
  now: hour,
  cpuInitializationMs: 300_000,
  initialReadinessDelayMs: 30_000,
});
const using = (values: Record<string, number>): PodMetrics =>
  new Map(Object.entries(values).map(([name, value]) => [name, { value, at: hour, windowMs: 60_000 }]));

test('replicas by utilization', () => {
  const three = ['a', 'b', 'c'].map(name => pod(name));
  const cases: [string, Pod[], Record<string, number>, number, number][] = [
    ['twice the target', three, { a: 1000, b: 1000, c: 1000 }, 50, 6],
    ['half of it', three, { a: 250, b: 250, c: 250 }, 50, 2],
    ['within tolerance', three, { a: 540, b: 540, c: 540 }, 50, 3],
    ['nobody tells of c: as if it used nothing, up', three, { a: 1000, b: 1000 }, 50, 4],
    ['as if it used all, down', three, { a: 100, b: 100 }, 50, 3],
    [
      'an unready pod slows the way up',
      [...three.slice(0, 2), pod('c', { phase: 'Pending' })],
      { a: 1000, b: 1000 },
      50,
      4,
    ],
    ['and not the way down', [...three.slice(0, 2), pod('c', { phase: 'Pending' })], { a: 100, b: 100 }, 50, 1],
    [
      'pods that go do not count',
      [...three.slice(0, 2), pod('c', { gone: true })],
      { a: 1000, b: 1000, c: 9000 },
      50,
      4,
    ],
    [
      'a young pod’s CPU is not believed',
      [...three.slice(0, 2), pod('c', { ageMs: 10_000 })],
      { a: 500, b: 500, c: 5000 },
      50,
      3,
    ],
  ];
  for (const [name, pods, values, target, expected] of cases)
    assert.equal(utilizationReplicas(question(pods), using(values), 'cpu', target).replicas, expected, name);
  assert.throws(() => utilizationReplicas(question([]), using({}), 'cpu', 50), /no pods returned by selector/);
  assert.throws(
    () => utilizationReplicas(question(three), using({ a: 1 }), 'memory', 50),
    /missing request for memory/,
  );
});

test('replicas by values', () => {
  const two = [pod('a'), pod('b')];
  assert.equal(averageReplicas(question(two), using({ a: 30_000, b: 10_000 }), '', 10_000).replicas, 4);
  assert.equal(wholeReplicas(question(two), 30_000, 10_000).replicas, 6);
  assert.equal(wholeReplicas(question([], 0), 25_000, 10_000).replicas, 3);
  assert.deepEqual(perPodReplicas(2, { up: 0.1, down: 0.1 }, 30_000, 10_000), { replicas: 3, value: 15_000 });
  assert.deepEqual(perPodReplicas(3, { up: 0.1, down: 0.1 }, 31_000, 10_000).replicas, 3);
});

test('a pod that tells nothing never turns the direction', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  fc.assert(
    fc.property(
      fc.dictionary(name, fc.nat(2000), { minKeys: 1 }),
      fc.uniqueArray(name),
      fc.integer({ min: 1, max: 100 }),
      (values, silent, target) => {
        const present = [...new Set([...Object.keys(values), ...silent])];
        const all = utilizationReplicas(
          question(
            Object.keys(values).map(n => pod(n)),
            present.length,
          ),
          using(values),
          'cpu',
          target,
        );
        const some = utilizationReplicas(question(present.map(n => pod(n))), using(values), 'cpu', target);
        if ((all.utilization ?? 0) > target) assert.ok(some.replicas >= present.length);
        if ((all.utilization ?? 0) < target) assert.ok(some.replicas <= present.length);
      },
    ),
  );
});

const bounds = (more: Partial<Bounds> = {}): Bounds => ({
  current: 4,
  min: 1,
  max: 100,
  behavior: undefined,
  downscaleWindowMs: 300_000,
  now: hour,
  ...more,
});
test('limits and stabilization', () => {
  const past = (replicas: number, agoMs: number): History => ({
    ...noHistory,
    recommendations: [{ replicas, at: hour - agoMs }],
  });
  const cases: [string, number, Bounds, History, number, string, string][] = [
    ['free', 6, bounds(), noHistory, 6, 'ReadyForNewScale', 'DesiredWithinRange'],
    ['twice at most', 20, bounds(), noHistory, 8, 'ReadyForNewScale', 'ScaleUpLimit'],
    ['maximum', 20, bounds({ max: 6 }), noHistory, 6, 'ReadyForNewScale', 'TooManyReplicas'],
    ['minimum', 1, bounds({ min: 2 }), noHistory, 2, 'ReadyForNewScale', 'TooFewReplicas'],
    ['recently more', 1, bounds(), past(3, 299_000), 3, 'ScaleDownStabilized', 'DesiredWithinRange'],
    ['long ago more', 1, bounds(), past(3, 301_000), 1, 'ReadyForNewScale', 'DesiredWithinRange'],
    [
      'up waits when told so',
      8,
      bounds({ behavior: { scaleUp: { stabilizationWindowSeconds: 60 } } }),
      past(5, 30_000),
      5,
      'ScaleUpStabilized',
      'DesiredWithinRange',
    ],
    [
      'down switched off',
      1,
      bounds({ behavior: { scaleDown: { selectPolicy: 'Disabled', stabilizationWindowSeconds: 0 } } }),
      noHistory,
      4,
      'ReadyForNewScale',
      'ScaleDownLimit',
    ],
  ];
  for (const [name, desired, given, history, replicas, able, limited] of cases) {
    const normal = normalize(desired, given, history);
    assert.deepEqual(
      [normal.replicas, normal.ableToScale.reason, normal.scalingLimited.reason],
      [replicas, able, limited],
      name,
    );
  }
});

test('policies count what was done in their period', () => {
  const policies = [
    { type: 'Pods', value: 4, periodSeconds: 60 },
    { type: 'Percent', value: 10, periodSeconds: 60 },
  ];
  const done = withScaleEvent(noHistory, 20, 23, { scaleUp: { policies } }, hour - 10_000);
  assert.equal(scaleUpLimit(23, done, { policies }, hour), 24);
  assert.equal(scaleUpLimit(23, done, { policies, selectPolicy: 'Min' }, hour), 22);
  assert.equal(scaleUpLimit(23, done, { policies }, hour + 60_000), 27);
  assert.equal(scaleDownLimit(20, noHistory, { policies }, hour), 16);
  assert.equal(scaleDownLimit(20, noHistory, { policies, selectPolicy: 'Min' }, hour), 18);
});

test('never out of bounds, whatever is asked for', () => {
  const nat = fc.integer({ min: 1, max: 200 });
  fc.assert(
    fc.property(nat, nat, nat, nat, fc.boolean(), (desired, current, a, b, behaves) => {
      const [min, max] = [Math.min(a, b), Math.max(a, b)];
      fc.pre(current >= min && current <= max);
      const behavior = behaves ? { scaleDown: { stabilizationWindowSeconds: 0 } } : undefined;
      const { replicas } = normalize(desired, bounds({ current, min, max, behavior }), noHistory);
      assert.ok(replicas >= min && replicas <= max);
      assert.ok(replicas <= Math.max(2 * current, current + 4));
    }),
  );
});

test('an autoscaler scales a deployment up at once, down after its window, and tells both', async () => {
  let perPod = 900;
  let looks = 0;
  const metrics: MetricsSource = {
    async resource() {
      // The target is written between the reading of its scale and the writing: that is no failure.
      const annotations = { look: `${looks++}` };
      await world.client.deployments('a').patch('web', 'merge', { metadata: { annotations } });
      const measured = { value: perPod, at: world.clock.now(), windowMs: 30_000 };
      return new Map((await world.pods()).map(p => [p.metadata.name, measured]));
    },
    pods: async () => new Map(),
    object: async () => 0,
    external: async () => {
      throw new Error('no metrics returned from external metrics API');
    },
  };
  const autoscaler = horizontalPodAutoscalerController({ metrics, cpuInitializationMs: 0 });
  const world = await createWorld({ controllers: [replicaSetController, deploymentController, autoscaler] });
  const { client, clock } = world;
  const resources = { requests: { cpu: '1' } };
  await client.deployments('a').create({
    metadata: { name: 'web' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i', resources }] } },
    },
  });
  await clock.advance(60_000);
  const spec: HorizontalPodAutoscaler['spec'] = {
    minReplicas: 1,
    maxReplicas: 10,
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } }],
  };
  await client.horizontalpodautoscalers('a').create({ metadata: { name: 'h' }, spec });
  await clock.advance(5_000);
  const replicas = async () => (await client.deployments('a').get('web')).spec?.replicas;
  assert.equal(await replicas(), 3);
  const status = async () => (await client.horizontalpodautoscalers('a').get('h')).status;
  assert.deepEqual((await status())?.conditions?.map(c => `${c.type} ${c.status} ${c.reason} ${c.message}`).sort(), [
    'AbleToScale True SucceededRescale the HPA controller was able to update the target scale to 3',
    'ScalingActive True ValidMetricFound the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)',
    'ScalingLimited False DesiredWithinRange the desired count is within the acceptable range',
  ]);
  assert.deepEqual((await status())?.currentMetrics, [
    { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 90, averageValue: '900m' } } },
  ]);
  perPod = 100;
  await clock.advance(200_000);
  assert.ok(((await replicas()) ?? 0) >= 3, 'the window holds it');
  await clock.advance(500_000);
  assert.equal(await replicas(), 1);
  const events = await world.events();
  assert.ok(
    events.includes(
      'Normal SuccessfulRescale New size: 3; reason: cpu resource utilization (percentage of request) above target',
    ),
  );
  assert.ok(events.includes('Normal SuccessfulRescale New size: 1; reason: All metrics below target'));
  assert.ok(!events.some(e => e.includes('FailedRescale')));
  const external = { metric: { name: 'q' }, target: { type: 'Value', value: '5' } };
  await client
    .horizontalpodautoscalers('a')
    .patch('h', 'merge', { spec: { metrics: [{ type: 'External', external }] } });
  await clock.advance(20_000);
  const active = (await status())?.conditions?.find(c => c.type === 'ScalingActive');
  assert.deepEqual([active?.status, active?.reason], ['False', 'FailedGetExternalMetric']);
  await client.deployments('a').patch('web', 'merge', { spec: { replicas: 0 } });
  await clock.advance(20_000);
  assert.equal((await status())?.conditions?.find(c => c.type === 'ScalingActive')?.reason, 'ScalingDisabled');
  await world.stop();
});

for (let seed = 1; seed <= 5; seed++) {
  test(`an autoscaler arrives where the load says, within its bounds, under faults and restarts, seed ${seed}`, async () => {
    /** Thousandths of a CPU, shared by the pods there are. */
    let load = 2_000;
    const metrics: MetricsSource = {
      async resource() {
        const pods = await world.pods();
        const at = world.clock.now();
        return new Map(pods.map(p => [p.metadata.name, { value: load / pods.length, at, windowMs: 30_000 }]));
      },
      pods: async () => new Map(),
      object: async () => 0,
      external: async () => [],
    };
    const autoscaler = horizontalPodAutoscalerController({ metrics, cpuInitializationMs: 0 });
    const world = await createWorld({ controllers: [replicaSetController, deploymentController, autoscaler], seed });
    const { client, clock, faults, random } = world;
    const resources = { requests: { cpu: '1' } };
    await client.deployments('a').create({
      metadata: { name: 'web' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'c', image: 'i', resources }] },
        },
      },
    });
    const target = { type: 'Utilization', averageUtilization: 50 };
    await client.horizontalpodautoscalers('a').create({
      metadata: { name: 'h' },
      spec: {
        minReplicas: 2,
        maxReplicas: 9,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }],
      },
    });
    const sizes = new Set<number>();
    await world.follow('apps/v1/deployments', cache => {
      for (const d of cache.list()) sizes.add(d.spec.replicas ?? 0);
    });
    Object.assign(faults, { failBefore: 0.1, failAfter: 0.1, breakWatch: 0.1, delayMs: 300, repeat: 0.1 });
    for (let i = 0; i < 6; i++) {
      load = random.int(6_000) + 1;
      await clock.advance(random.int(200_000));
      if (random.int(2) === 0) await world.restart();
    }
    Object.assign(faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0 });
    load = 3_000;
    await clock.advance(2_000_000);
    assert.equal((await client.deployments('a').get('web')).spec?.replicas, 6);
    assert.ok(
      [...sizes].every(n => n >= 2 && n <= 9),
      [...sizes].join(),
    );
    await world.stop();
  });
}
