import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld, runningStatus, setStatus } from '../../../test/support/control.ts';
import type { Draft } from '../../api/object.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import type { Endpoint } from '../../api/types/discovery-v1.ts';
import { endpointSliceController } from './index.ts';
import { type Hinted, spreadByZone, zoneShares } from './topology.ts';

const node = (name: string, zone: string, cpu: string, labels: Record<string, string> = {}): Node => ({
  metadata: { name, labels: { ...(zone && { 'topology.kubernetes.io/zone': zone }), ...labels } },
  spec: {},
  status: { allocatable: { cpu }, conditions: [{ type: 'Ready', status: 'True' }] },
});

test('shares of zones go by CPUs of ready nodes that are no control plane', () => {
  const three = [node('a', 'a', '1'), node('b', 'b', '2'), node('c', 'b', '1')];
  const cases: [Node[], Record<string, number> | undefined][] = [
    [three, { a: 0.25, b: 0.75 }],
    [[...three, node('m', '', '0', { 'node-role.kubernetes.io/control-plane': '' })], { a: 0.25, b: 0.75 }],
    [
      [...three, { ...node('d', 'c', '4'), status: { conditions: [{ type: 'Ready', status: 'False' }] } }],
      { a: 0.25, b: 0.75 },
    ],
    [[...three, node('x', '', '1')], undefined],
    [[...three, node('x', 'a', '0')], undefined],
    [[node('a', 'a', '1'), node('b', 'a', '1')], undefined],
  ];
  for (const [nodes, shares] of cases) {
    const found = zoneShares(nodes);
    assert.deepEqual(found && Object.fromEntries(found), shares);
  }
});

const endpoint = (zone: string, ready = true): Endpoint => ({
  addresses: ['10.0.0.1'],
  conditions: { ready },
  ...(zone && { zone }),
});
const spreadOf = (zones: string, shares: Record<string, number> | undefined) => {
  const slice: Hinted = { endpoints: [...zones].map(zone => endpoint(zone === '-' ? '' : zone)) };
  const slices = { create: [slice], update: [] as Hinted[], keep: [] };
  const { create, why } = spreadByZone(slices, shares && new Map(Object.entries(shares)));
  return why ?? (create[0]?.endpoints ?? []).map(e => e.hints?.forZones?.[0]?.name ?? '-').join('');
};

test('each zone gets endpoints for its share, or none has hints', () => {
  const halves = { a: 0.5, b: 0.5 };
  for (const [zones, shares, expected] of [
    ['aabb', halves, 'aabb'],
    ['aaaa', halves, 'bbaa'],
    ['aaab', halves, 'baab'],
    ['aaaabb', { a: 0.25, b: 0.75 }, 'bbaabb'],
    ['aabbcc', { a: 1 / 3, b: 1 / 3, c: 1 / 3 }, 'aabbcc'],
    ['a', halves, 'Insufficient number of endpoints (1 endpoints, 2 zones)'],
    ['a-', halves, 'One or more endpoints do not have a zone specified'],
    [
      'aab',
      halves,
      'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 2 zones)',
    ],
    ['aabb', undefined, 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes'],
  ] as const)
    assert.equal(spreadOf(zones, shares), expected, `${zones} ${JSON.stringify(shares)}`);
});

test('no zone gets less than its share allows, and what is fair already stays', () => {
  const zones = ['a', 'b', 'c'];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...zones), { minLength: 3, maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 3, maxLength: 3 }),
      (places, cpus) => {
        const total = cpus.reduce((a, b) => a + b, 0);
        const shares = new Map(zones.map((zone, i) => [zone, (cpus[i] ?? 0) / total]));
        const slice: Hinted = { endpoints: places.map(zone => endpoint(zone)) };
        const first = spreadByZone({ create: [], update: [slice], keep: [] as Hinted[] }, shares);
        if (first.why !== undefined) return;
        const [hinted] = first.update;
        for (const [zone, share] of shares) {
          const got = (hinted?.endpoints ?? []).filter(e => e.hints?.forZones?.[0]?.name === zone).length;
          assert.ok(got >= Math.floor((share * places.length) / 1.2), `${zone} got ${got} of ${places.length}`);
        }
      },
    ),
  );
});

test('hints come and go with the annotation, and events say so', async () => {
  const world = await createWorld({ controllers: [endpointSliceController], nodes: false });
  const { client, clock } = world;
  for (const zone of ['a', 'b']) await client.nodes().create(node(`node-${zone}`, zone, '4'));
  const annotations = { 'service.kubernetes.io/topology-mode': 'Auto' };
  const spec = { selector: { app: 'web' }, ports: [{ port: 80 }] };
  await client.services('a').create({ metadata: { name: 'web', annotations }, spec });
  await clock.advance(1_000);
  for (const [name, zone] of [
    ['one', 'a'],
    ['two', 'a'],
    ['three', 'b'],
    ['four', 'b'],
  ] as const) {
    const draft: Draft<Pod> = {
      metadata: { name, labels: { app: 'web' } },
      spec: { nodeName: `node-${zone}`, containers: [{ name: 'c', image: 'i' }] },
    };
    await setStatus(client, await client.pods('a').create(draft), runningStatus(clock));
  }
  await clock.advance(5_000);
  const hints = async () =>
    (await client.endpointslices('a').list()).items
      .flatMap(s => s.endpoints ?? [])
      .map(e => `${e.zone} ${e.hints?.forZones?.[0]?.name}`)
      .sort();
  assert.deepEqual(await hints(), ['a a', 'a a', 'b b', 'b b']);
  await client.services('a').patch('web', 'merge', { metadata: { annotations: null } });
  await clock.advance(5_000);
  assert.deepEqual(await hints(), ['a undefined', 'a undefined', 'b undefined', 'b undefined']);
  const told = (await world.events()).filter(text => text.includes('TopologyAwareHints'));
  for (const text of [
    'Warning TopologyAwareHintsDisabled Insufficient number of endpoints (0 endpoints, 2 zones), addressType: IPv4',
    'Normal TopologyAwareHintsEnabled Topology Aware Hints has been enabled, addressType: IPv4',
    'Warning TopologyAwareHintsDisabled Topology Aware Hints has been disabled, addressType: IPv4',
  ])
    assert.ok(told.includes(text), `${text} is not in ${told.join('\n')}`);
  await world.stop();
});
