import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld } from '../../../test/support/control.ts';
import type { PodDisruptionBudget } from '../../api/types/policy-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { deploymentController } from '../deployment/index.ts';
import { replicaSetController } from '../replicaset/index.ts';
import { desiredHealthy, disruptionsAllowed } from './budget.ts';
import { disruptionController, goText } from './index.ts';

const controllers = [replicaSetController, deploymentController, disruptionController];
const budget = (spec: Partial<PodDisruptionBudget['spec']>): PodDisruptionBudget => ({
  metadata: { name: 'b', namespace: 'a' },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
});

test('how many pods must stay healthy', () => {
  const cases: [Partial<PodDisruptionBudget['spec']>, number, number][] = [
    [{ maxUnavailable: 1 }, 3, 2],
    [{ maxUnavailable: 5 }, 3, 0],
    [{ maxUnavailable: '34%' }, 3, 1],
    [{ maxUnavailable: '0%' }, 3, 3],
    [{ minAvailable: 2 }, 3, 2],
    [{ minAvailable: '50%' }, 7, 4],
    [{ minAvailable: '100%' }, 7, 7],
    [{}, 7, 0],
  ];
  for (const [spec, expected, desired] of cases) assert.equal(desiredHealthy(budget(spec), expected), desired);
  assert.equal(disruptionsAllowed(3, 2, 3), 1);
  assert.equal(disruptionsAllowed(1, 2, 3), 0);
  assert.equal(disruptionsAllowed(3, 0, 0), 0);
});

test('never more disruptions than leave the desired number', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(100), fc.nat(100), fc.nat(100), (healthy, expected, percent, absolute) => {
      for (const spec of [
        { maxUnavailable: `${percent}%` },
        { maxUnavailable: absolute },
        { minAvailable: absolute },
      ]) {
        const desired = desiredHealthy(budget(spec), expected);
        const allowed = disruptionsAllowed(healthy, desired, expected);
        assert.ok(allowed >= 0 && (allowed === 0 || healthy - allowed >= desired));
      }
    }),
  );
});

const web = (replicas: number) => ({
  metadata: { name: 'web', namespace: 'a' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

test("pods that are nobody's or of two budgets are told", async () => {
  const world = await createWorld({ controllers, nodes: false });
  for (const name of ['first', 'second']) {
    const { metadata, spec } = budget({ maxUnavailable: 1 });
    await world.client.poddisruptionbudgets('a').create({ metadata: { ...metadata, name }, spec });
  }
  await world.clock.advance(1_000);
  await world.client.pods('a').create({
    metadata: { name: 'bare', labels: { app: 'web' } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  await world.clock.advance(5_000);
  const events = await world.events();
  const several =
    /^Warning MultiplePodDisruptionBudgets Pod "a"\/"bare" matches multiple PodDisruptionBudgets\. {2}Chose "(first|second)" arbitrarily\.$/;
  assert.ok(events.some(e => several.test(e)));
  const selector =
    '&LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{},}';
  assert.ok(
    events.some(e =>
      e.startsWith(
        `Warning UnmanagedPods Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged.`,
      ),
    ),
  );
  await world.stop();
});

test('a pod whose controller cannot be scaled closes the budget, and says why', async () => {
  const table = [
    { kind: 'ConfigMap', why: 'configmaps does not implement the scale subresource' },
    { kind: 'Nothing', why: 'no matches for kind "Nothing" in version "v1"' },
  ];
  for (const { kind, why } of table) {
    const world = await createWorld({ controllers, nodes: false });
    const ownerReferences = [{ apiVersion: 'v1', kind, name: 'x', uid: 'u', controller: true }];
    const spec = { containers: [{ name: 'c', image: 'i' }] };
    await world.client.pods('a').create({ metadata: { name: 'p', labels: { app: 'web' }, ownerReferences }, spec });
    await world.client.poddisruptionbudgets('a').create(budget({ maxUnavailable: 1 }));
    await world.clock.advance(5_000);
    const told = `Failed to calculate the number of expected pods: ${why}`;
    assert.ok((await world.events()).includes(`Warning CalculateExpectedPodCountFailed ${told}`));
    const { status } = await world.client.poddisruptionbudgets('a').get('b');
    assert.deepEqual(
      status?.conditions?.map(c => [c.type, c.status, c.reason, c.message]),
      [['DisruptionAllowed', 'False', 'SyncFailed', why]],
    );
    await world.stop();
  }
});

test('a selector is printed as Go does', () => {
  const matchExpressions = [
    { key: 'k', operator: 'In', values: ['a', 'b'] },
    { key: 'e', operator: 'Exists' },
  ];
  assert.equal(
    goText({ matchLabels: { z: '1', a: '2' }, matchExpressions }),
    '&LabelSelector{MatchLabels:map[string]string{a: 2,z: 1,},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[a b],},LabelSelectorRequirement{Key:e,Operator:Exists,Values:[],},},}',
  );
});

for (let seed = 1; seed <= 5; seed++) {
  test(`a budget counts a deployment and lets evictions through one at a time, seed ${seed}`, async () => {
    const world = await createWorld({ controllers, seed });
    const { client, clock, faults } = world;
    if (seed > 1)
      Object.assign(faults, { failBefore: 0.1, failAfter: 0.1, breakWatch: 0.1, delayMs: 300, repeat: 0.1 });
    await client.poddisruptionbudgets('a').create(budget({ maxUnavailable: '20%' }));
    await client.deployments('a').create(web(5));
    await clock.advance(120_000);
    Object.assign(faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0 });
    await clock.advance(120_000);
    const { conditions, disruptedPods: _d, ...status } = (await client.poddisruptionbudgets('a').get('b')).status ?? {};
    assert.deepEqual(status, {
      currentHealthy: 5,
      desiredHealthy: 4,
      expectedPods: 5,
      disruptionsAllowed: 1,
      observedGeneration: 1,
    });
    assert.equal(conditions?.[0]?.reason, 'SufficientPods');
    const [first, second] = await world.pods();
    const evict = (name = '') =>
      client.pods('a').createSubresource(name, 'eviction', {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name, namespace: 'a' },
      });
    await evict(first?.metadata.name);
    await assert.rejects(evict(second?.metadata.name), /disruption budget/);
    await clock.advance(120_000);
    assert.equal((await client.poddisruptionbudgets('a').get('b')).status?.disruptionsAllowed, 1);
    await world.stop();
  });
}

test('pods without controllers, and conditions that went stale', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const { client, clock } = world;
  await client.poddisruptionbudgets('a').create(budget({ maxUnavailable: 1 }));
  await clock.advance(1_000);
  const spec = { containers: [{ name: 'c', image: 'i' }] };
  await client.pods('a').create({ metadata: { name: 'p', labels: { app: 'web' } }, spec });
  const lastTransitionTime = rfc3339(clock.now());
  const conditions = [
    { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', lastTransitionTime },
  ];
  await client.pods('a').patch('p', 'strategic', { status: { conditions } }, { subresource: 'status' });
  await clock.advance(1_000);
  const events = await world.events();
  assert.ok(events.includes('Normal NoPods No matching pods found'));
  assert.ok(
    events.some(e =>
      e.startsWith('Warning UnmanagedPods Pods selected by this PodDisruptionBudget (selector: &LabelSelector{'),
    ),
  );
  await clock.advance(130_000);
  const [pod] = await world.pods();
  assert.equal(pod?.status?.conditions?.find(c => c.type === 'DisruptionTarget')?.status, 'False');
  await world.stop();
});
