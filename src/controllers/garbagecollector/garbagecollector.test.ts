import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld, type World } from '../../../test/support/control.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import { namespaceController } from '../namespace/index.ts';
import { garbageCollector } from './index.ts';

const controllers = [garbageCollector, namespaceController];
const owner = (
  o: { metadata: { name: string; uid?: string } },
  more: Partial<OwnerReference> = {},
): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: o.metadata.name,
  uid: o.metadata.uid ?? '',
  ...more,
});
const make = (world: World, name: string, owners: OwnerReference[] = [], finalizers: string[] = []) =>
  world.client.configmaps('a').create({ metadata: { name, namespace: 'a', ownerReferences: owners, finalizers } });
const names = async (world: World) =>
  (await world.client.configmaps('a').list()).items.map(c => c.metadata.name).sort();

test('what has lost its last owner goes; what has another owner stays and forgets the lost one', async () => {
  const world = await createWorld({ controllers });
  const [one, two] = [await make(world, 'one'), await make(world, 'two')];
  const child = await make(world, 'child', [owner(one)]);
  await make(world, 'grandchild', [owner(child)]);
  await make(world, 'shared', [owner(one), owner(two)]);
  await make(world, 'free');
  await world.client.secrets('a').create({ metadata: { name: 'other-kind', ownerReferences: [owner(one)] } });
  await world.clock.advance(5_000);
  await world.client.configmaps('a').delete('one', { propagationPolicy: 'Background' });
  await world.clock.advance(5_000);
  assert.deepEqual(await names(world), ['free', 'shared', 'two']);
  assert.equal((await world.client.secrets('a').list()).items.length, 0);
  const shared = await world.client.configmaps('a').get('shared');
  assert.deepEqual(
    shared.metadata.ownerReferences?.map(o => o.name),
    ['two'],
  );
  await world.stop();
});

test('an owner that never was, or was replaced, counts as lost; one of an unknown kind does not', async () => {
  const world = await createWorld({ controllers });
  await world.clock.advance(5_000);
  const one = await make(world, 'one');
  await make(world, 'ghost', [owner({ metadata: { name: 'nobody', uid: 'u-1' } })]);
  await make(world, 'replaced', [owner({ metadata: { name: 'one', uid: 'u-2' } })]);
  await make(world, 'kept', [owner(one)]);
  await make(world, 'strange', [{ apiVersion: 'x.example/v1', kind: 'Unknown', name: 'x', uid: 'u-3' }]);
  await world.clock.advance(60_000);
  assert.deepEqual(await names(world), ['kept', 'one', 'strange']);
  await world.stop();
});

test('an owner in another namespace is told to be none', async () => {
  const world = await createWorld({ controllers });
  await world.client.namespaces().create({ metadata: { name: 'b' }, spec: {} });
  const far = await world.client.configmaps('b').create({ metadata: { name: 'far', namespace: 'b' } });
  await world.clock.advance(5_000);
  await make(world, 'lost', [owner(far)]);
  await world.clock.advance(5_000);
  assert.deepEqual(await names(world), []);
  const which = `[v1/ConfigMap, namespace: a, name: far, uid: ${far.metadata.uid}]`;
  const told = `Warning OwnerRefInvalidNamespace ownerRef ${which} does not exist in namespace "a"`;
  assert.deepEqual(await world.events(), [told]);
  await world.stop();
});

test('foreground deletion waits for the dependents that block it', async () => {
  const world = await createWorld({ controllers });
  const one = await make(world, 'one');
  await make(world, 'blocking', [owner(one, { blockOwnerDeletion: true })], ['test.example/hold']);
  await make(world, 'light', [owner(one)]);
  await world.clock.advance(5_000);
  await world.client.configmaps('a').delete('one', { propagationPolicy: 'Foreground' });
  await world.clock.advance(5_000);
  assert.deepEqual(await names(world), ['blocking', 'one']);
  await world.client.configmaps('a').patch('blocking', 'merge', { metadata: { finalizers: null } });
  await world.clock.advance(5_000);
  assert.deepEqual(await names(world), []);
  await world.stop();
});

test('orphaned dependents stay, without the owner', async () => {
  const world = await createWorld({ controllers });
  const one = await make(world, 'one');
  await make(world, 'child', [owner(one)]);
  await world.clock.advance(5_000);
  await world.client.configmaps('a').delete('one', { propagationPolicy: 'Orphan' });
  await world.clock.advance(5_000);
  assert.deepEqual(await names(world), ['child']);
  assert.equal((await world.client.configmaps('a').get('child')).metadata.ownerReferences?.length ?? 0, 0);
  await world.stop();
});

for (let seed = 1; seed <= 8; seed++) {
  test(`a forest is cleared, and only that, under faults and restarts, seed ${seed}`, async () => {
    const world = await createWorld({ controllers, seed });
    const { random, faults, clock } = world;
    const roots = await Promise.all([0, 1, 2].map(i => make(world, `root${i}`)));
    const below = new Map<string, number>();
    const all = roots.map((o, i) => ({ o, root: i }));
    for (let i = 0; i < 20; i++) {
      const parent = all[random.int(all.length)];
      if (!parent) continue;
      const o = await make(world, `c${i}`, [owner(parent.o)]);
      all.push({ o, root: parent.root });
      below.set(o.metadata.name, parent.root);
    }
    Object.assign(faults, { failBefore: 0.1, failAfter: 0.1, breakWatch: 0.1, delayMs: 300, repeat: 0.1, expire: 0.1 });
    await clock.advance(random.int(5_000));
    const policies = ['Background', 'Foreground', 'Orphan'];
    const policy = policies[seed % 3] ?? '';
    await world.client.configmaps('a').delete('root0', { propagationPolicy: policy });
    await clock.advance(random.int(3_000));
    if (random.int(2) === 0) await world.restart();
    Object.assign(faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0, expire: 0 });
    await clock.advance(900_000);
    const kept = [...below].filter(([, root]) => root !== 0 || policy === 'Orphan').map(([name]) => name);
    assert.deepEqual(await names(world), [...kept, 'root1', 'root2'].sort());
    await world.stop();
  });
}

test('owners and dependents may be custom resources, also of a kind that came later', async () => {
  const world = await createWorld({ controllers });
  await world.clock.advance(5_000);
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  await world.client.customresourcedefinitions().create({
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: schema as never }],
    },
  });
  await world.clock.advance(10_000);
  const widgets = world.client.resource(
    { group: 'example.com', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true },
    'a',
  );
  const top = await make(world, 'top');
  const widget = await widgets.create({ metadata: { name: 'w', ownerReferences: [owner(top)] } });
  const byWidget = { apiVersion: 'example.com/v1', kind: 'Widget', name: 'w', uid: widget.metadata.uid ?? '' };
  await make(world, 'leaf', [byWidget]);
  await world.clock.advance(10_000);
  assert.deepEqual(await names(world), ['leaf', 'top']);
  await world.client.configmaps('a').delete('top');
  await world.clock.advance(10_000);
  assert.equal((await widgets.list()).items.length, 0);
  assert.deepEqual(await names(world), []);
  await world.stop();
});

test('a namespace is emptied, pods first, and goes', async () => {
  const world = await createWorld({ controllers });
  await make(world, 'one');
  await make(world, 'held', [], ['test.example/hold']);
  await world.client.pods('a').create({ metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
  await world.clock.advance(3_000);
  await world.client.namespaces().delete('a');
  await world.clock.advance(20_000);
  assert.deepEqual(await names(world), ['held']);
  const ns = await world.client.namespaces().get('a');
  const conditions = (ns.status?.conditions ?? []).filter(c => c.status === 'True').map(c => `${c.type}: ${c.message}`);
  assert.deepEqual(conditions.sort(), [
    'NamespaceContentRemaining: Some resources are remaining: configmaps. has 1 resource instances',
    'NamespaceFinalizersRemaining: Some content in the namespace has finalizers remaining: test.example/hold in 1 resource instances',
  ]);
  await world.client.configmaps('a').patch('held', 'merge', { metadata: { finalizers: null } });
  await world.clock.advance(60_000);
  const left = await world.client.namespaces().list();
  assert.ok(!left.items.some(n => n.metadata.name === 'a'));
  await world.stop();
});
