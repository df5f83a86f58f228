import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { conditionsOf, type Findings, namespaceController } from './index.ts';

test('what keeps a namespace is told until it goes', async () => {
  const world = await createWorld({ controllers: [namespaceController], nodes: false });
  await world.client.namespaces().create({ metadata: { name: 'b' }, spec: {} });
  const held = { name: 'held', namespace: 'b', finalizers: ['example.com/hold'] };
  await world.client.configmaps('b').create({ metadata: held });
  await world.client.configmaps('b').create({ metadata: { name: 'free', namespace: 'b' } });
  await world.client.namespaces().delete('b');
  await world.clock.advance(30_000);
  const { status } = await world.client.namespaces().get('b');
  assert.deepEqual(
    status?.conditions?.filter(c => c.status === 'True').map(c => `${c.type} ${c.reason}: ${c.message}`),
    [
      'NamespaceContentRemaining SomeResourcesRemain: Some resources are remaining: configmaps. has 1 resource instances',
      'NamespaceFinalizersRemaining SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
    ],
  );
  await world.client.configmaps('b').patch('held', 'merge', { metadata: { finalizers: [] } });
  await world.clock.advance(30_000);
  assert.ok((await world.client.namespaces().list()).items.every(ns => ns.metadata.name !== 'b'));
  await world.stop();
});

test("conditions are in upstream's words", () => {
  const clean: Findings = { failures: [], remaining: new Map(), finalizers: new Map(), discoveryFailures: [] };
  const told = (findings: Partial<Findings>) =>
    conditionsOf({ ...clean, ...findings })
      .filter(c => c.status === 'True')
      .map(c => `${c.type} ${c.reason}: ${c.message}`);
  assert.deepEqual(told({}), []);
  assert.deepEqual(told({ discoveryFailures: ['b/v1: gone', 'a/v1: down'] }), [
    'NamespaceDeletionDiscoveryFailure DiscoveryFailed: Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: a/v1: down, b/v1: gone',
  ]);
  assert.deepEqual(told({ failures: ['y', 'x'] }), [
    'NamespaceDeletionContentFailure ContentDeletionFailed: Failed to delete all resource types, 2 remaining: x, y',
  ]);
});
