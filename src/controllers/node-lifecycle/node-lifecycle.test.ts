import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld, type World } from '../../../test/support/control.ts';
import type { Node } from '../../api/types/core-v1.ts';
import { rfc3339, rfc3339Micro } from '../../base/clock.ts';
import { taintEvictionController } from '../taint-eviction/index.ts';
import { ttlController, ttlFor } from '../ttl/index.ts';
import { type Eviction, silentConditions, wantedTaints, zoneState } from './health.ts';
import { nodeLifecycleController } from './index.ts';

const node = (conditions: Record<string, string>, taints: string[] = [], unschedulable = false): Node => ({
  metadata: { name: 'n' },
  spec: {
    ...(unschedulable && { unschedulable }),
    taints: taints.map(text => {
      const [key = '', effect = ''] = text.split(':');
      return { key, effect };
    }),
  },
  status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
});
const k = (name: string) => `node.kubernetes.io/${name}`;

test('taints by conditions', () => {
  const cases: [string, Node, Eviction, string[] | undefined][] = [
    ['well', node({ Ready: 'True' }), 'now', undefined],
    ['not ready', node({ Ready: 'False' }), 'now', [`${k('not-ready')}:NoSchedule`, `${k('not-ready')}:NoExecute`]],
    ['evictions held back', node({ Ready: 'False' }), 'later', [`${k('not-ready')}:NoSchedule`]],
    ['silent', node({ Ready: 'Unknown' }), 'now', [`${k('unreachable')}:NoSchedule`, `${k('unreachable')}:NoExecute`]],
    ['never reported', node({}), 'later', [`${k('unreachable')}:NoSchedule`]],
    [
      'well again',
      node({ Ready: 'True' }, [`${k('unreachable')}:NoExecute`, 'mine:NoExecute']),
      'now',
      ['mine:NoExecute'],
    ],
    ['cordoned', node({ Ready: 'True' }, [], true), 'now', [`${k('unschedulable')}:NoSchedule`]],
    ['under pressure', node({ Ready: 'True', DiskPressure: 'True' }), 'now', [`${k('disk-pressure')}:NoSchedule`]],
    [
      'held back, but tainted before',
      node({ Ready: 'False' }, [`${k('not-ready')}:NoExecute`]),
      'later',
      [`${k('not-ready')}:NoSchedule`, `${k('not-ready')}:NoExecute`],
    ],
    [
      'no node is ready',
      node({ Ready: 'False' }, [`${k('not-ready')}:NoExecute`]),
      'never',
      [`${k('not-ready')}:NoSchedule`],
    ],
  ];
  for (const [name, given, eviction, expected] of cases)
    assert.deepEqual(
      wantedTaints(given, eviction, 'now')?.map(t => `${t.key}:${t.effect}`),
      expected,
      name,
    );
});

test('what was wanted once is wanted still', () => {
  const status = fc.constantFrom('True', 'False', 'Unknown');
  const conditions = fc.record({
    Ready: status,
    MemoryPressure: status,
    DiskPressure: status,
    NetworkUnavailable: status,
  });
  fc.assert(
    fc.property(
      conditions,
      fc.constantFrom<Eviction>('now', 'later', 'never'),
      fc.boolean(),
      (given, evict, cordoned) => {
        const first = node(given, ['other:NoSchedule'], cordoned);
        const taints = wantedTaints(first, evict, 'now');
        const second = { ...first, spec: { ...first.spec, ...(taints && { taints }) } };
        assert.equal(wantedTaints(second, evict, 'later'), undefined);
        assert.ok(second.spec.taints?.some(t => t.key === 'other'));
      },
    ),
  );
});

test('zones, silence and time to live', () => {
  assert.deepEqual(
    [zoneState(0, 3), zoneState(3, 2), zoneState(2, 3), zoneState(5, 0)],
    ['full', 'normal', 'partial', 'normal'],
  );
  const silent = silentConditions(node({ Ready: 'True', NetworkUnavailable: 'False' }), 'now');
  assert.deepEqual(
    silent?.map(c => `${c.type} ${c.status} ${c.reason}`),
    [
      'Ready Unknown NodeStatusUnknown',
      'NetworkUnavailable False undefined',
      'MemoryPressure Unknown NodeStatusNeverUpdated',
      'DiskPressure Unknown NodeStatusNeverUpdated',
      'PIDPressure Unknown NodeStatusNeverUpdated',
    ],
  );
  const sizes: [number, number, number][] = [
    // Size, seconds before, seconds.
    [1, 0, 0],
    [100, 0, 0],
    [101, 0, 15],
    [95, 15, 15],
    [89, 15, 0],
    [501, 15, 30],
    [1001, 30, 60],
    [1900, 300, 300],
    [1799, 300, 60],
    [5000, 0, 300],
    [3, 300, 0],
  ];
  for (const [nodes, before, seconds] of sizes)
    assert.equal(ttlFor(nodes, before), seconds, `${nodes} after ${before}`);
});

const controllers = [nodeLifecycleController(), taintEvictionController, ttlController];

/** Nodes that renew their leases every 10 s while they are in `alive`. */
async function heartbeats(world: World, names: readonly string[]): Promise<Set<string>> {
  const { client, clock } = world;
  const alive = new Set(names);
  await client
    .namespaces()
    .create({ metadata: { name: 'kube-node-lease' }, spec: {} })
    .catch(() => undefined);
  for (const name of names) {
    await client.nodes().create({ metadata: { name }, spec: {} });
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: rfc3339(clock.now()) }];
    await client.nodes().patch(name, 'merge', { status: { conditions } }, { subresource: 'status' });
    await client
      .leases('kube-node-lease')
      .create({ metadata: { name }, spec: { holderIdentity: name, leaseDurationSeconds: 40 } });
    const beat = async () => {
      if (!alive.has(name)) return;
      const found = await client.nodes().get(name);
      const ready = found.status?.conditions?.find(c => c.type === 'Ready')?.status;
      const renewTime = rfc3339Micro(clock.now());
      await client.leases('kube-node-lease').patch(name, 'merge', { spec: { renewTime } });
      if (ready !== 'True')
        await client.nodes().patch(name, 'merge', { status: { conditions } }, { subresource: 'status' });
    };
    const again = () => {
      clock.setTimer(() => {
        void beat().catch(() => undefined);
        again();
      }, 10_000);
    };
    again();
  }
  return alive;
}

for (let seed = 0; seed <= 6; seed++) {
  test(`a node that falls silent is left by its pods, and comes back clean, seed ${seed}`, async () => {
    const world = await createWorld({ controllers, nodes: false, seed });
    const { client, clock, faults } = world;
    const alive = await heartbeats(world, ['n1', 'n2', 'n3']);
    const pod = (name: string, nodeName: string, tolerationSeconds?: number) => {
      const toleration = { key: k('unreachable'), operator: 'Exists', effect: 'NoExecute' };
      const tolerations = [{ ...toleration, ...(tolerationSeconds !== undefined && { tolerationSeconds }) }];
      return client
        .pods('a')
        .create({ metadata: { name }, spec: { nodeName, tolerations, containers: [{ name: 'c', image: 'i' }] } });
    };
    await pod('waits', 'n1', 300);
    await pod('stays', 'n1');
    await pod('elsewhere', 'n2', 300);
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: rfc3339(clock.now()) }];
    await client
      .pods('a')
      .patch('waits', 'merge', { status: { phase: 'Running', conditions } }, { subresource: 'status' });
    if (seed > 0)
      Object.assign(faults, { failBefore: 0.1, failAfter: 0.1, breakWatch: 0.05, delayMs: 200, repeat: 0.1 });
    await clock.advance(120_000);
    const taints = async (name: string) =>
      ((await client.nodes().get(name)).spec.taints ?? []).map(t => `${t.key}:${t.effect}`);
    for (const name of alive) assert.deepEqual(await taints(name), [], name);
    alive.delete('n1');
    await clock.advance(150_000);
    assert.deepEqual(await taints('n1'), [`${k('unreachable')}:NoSchedule`, `${k('unreachable')}:NoExecute`]);
    assert.equal(
      (await client.pods('a').get('waits')).status?.conditions?.find(c => c.type === 'Ready')?.status,
      'False',
    );
    if (seed % 2 === 1) await world.restart();
    await clock.advance(400_000);
    const going = (await world.pods()).filter(p => p.metadata.deletionTimestamp).map(p => p.metadata.name);
    assert.deepEqual(going, ['waits']);
    const waits = await client.pods('a').get('waits');
    assert.equal(waits.status?.conditions?.find(c => c.type === 'DisruptionTarget')?.reason, 'DeletionByTaintManager');
    alive.add('n1');
    await clock.advance(120_000);
    assert.deepEqual(await taints('n1'), []);
    assert.equal((await client.nodes().get('n1')).metadata.annotations?.['node.alpha.kubernetes.io/ttl'], '0');
    await world.stop();
  });
}

test('when no node answers, nobody loses pods; when one does again, evictions go on', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const { client, clock } = world;
  const alive = await heartbeats(world, ['n1', 'n2']);
  const toleration = { key: k('unreachable'), operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 };
  await client.pods('a').create({
    metadata: { name: 'p' },
    spec: { nodeName: 'n1', tolerations: [toleration], containers: [{ name: 'c', image: 'i' }] },
  });
  const executing = async () =>
    ((await client.nodes().get('n1')).spec.taints ?? []).filter(t => t.effect === 'NoExecute').length;
  const isGoing = async () => (await client.pods('a').get('p')).metadata.deletionTimestamp !== undefined;
  await clock.advance(60_000);
  alive.delete('n1');
  await clock.advance(120_000);
  assert.equal(await executing(), 1);
  alive.delete('n2');
  await clock.advance(120_000);
  assert.equal(await executing(), 0);
  await clock.advance(900_000);
  assert.equal(await isGoing(), false);
  alive.add('n2');
  await clock.advance(120_000);
  assert.equal(await executing(), 1);
  assert.equal(await isGoing(), false);
  await clock.advance(300_000);
  assert.equal(await isGoing(), true);
  await world.stop();
});
