import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { clusterRoleAggregationController } from './index.ts';

test('a role gathers the rules of those it selects, each once', async () => {
  const world = await createWorld({ controllers: [clusterRoleAggregationController], nodes: false });
  const { client, clock } = world;
  const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
  const clusterRoleSelectors = [{ matchLabels: { to: 'all' } }];
  await client
    .clusterroles()
    .create({ metadata: { name: 'all', labels: { to: 'all' } }, aggregationRule: { clusterRoleSelectors } });
  const part = (name: string, ...resources: string[]) =>
    client.clusterroles().create({ metadata: { name, labels: { to: 'all' } }, rules: resources.map(rule) });
  await part('b', 'pods', 'nodes');
  await part('a', 'secrets', 'pods');
  await clock.advance(1_000);
  const resources = async () => (await client.clusterroles().get('all')).rules?.map(r => r.resources?.[0]);
  assert.deepEqual(await resources(), ['secrets', 'pods', 'nodes']);
  await client.clusterroles().delete('a');
  await clock.advance(1_000);
  assert.deepEqual(await resources(), ['pods', 'nodes']);
  await world.stop();
});
