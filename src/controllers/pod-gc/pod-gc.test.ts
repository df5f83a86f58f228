import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { podGcController, surplus } from './index.ts';

test('the oldest of too many ended pods go', () => {
  const pod = (name: string, phase: string, creationTimestamp: string): Pod => ({
    metadata: { name, creationTimestamp },
    spec: { containers: [] },
    status: { phase },
  });
  const pods = [
    pod('new', 'Failed', '3'),
    pod('old', 'Succeeded', '1'),
    pod('mid', 'Failed', '2'),
    pod('on', 'Running', '0'),
  ];
  const names = (threshold: number) => surplus(pods, threshold).map(p => p.metadata.name);
  assert.deepEqual(names(1), ['old', 'mid']);
  assert.deepEqual(names(3), []);
  assert.deepEqual(names(0), []);
  const [latest, ...others] = pods;
  const evicted = { ...latest, status: { phase: 'Failed', reason: 'Evicted' } } as Pod;
  assert.deepEqual(
    surplus([evicted, ...others], 2).map(p => p.metadata.name),
    ['new'],
    'evicted ones first',
  );
});

for (let seed = 0; seed <= 5; seed++) {
  test(`pods of nodes that are gone go, and no others, seed ${seed}`, async () => {
    const world = await createWorld({ controllers: [podGcController({ terminatedThreshold: 2 })], nodes: false, seed });
    const { client, clock, faults } = world;
    for (const name of ['stays', 'goes', 'blinks']) await client.nodes().create({ metadata: { name }, spec: {} });
    const pod = (name: string, nodeName?: string) =>
      client.pods('a').create({
        metadata: { name },
        spec: { ...(nodeName && { nodeName }), containers: [{ name: 'c', image: 'i' }] },
      });
    for (const node of ['stays', 'goes', 'blinks']) await pod(`on-${node}`, node);
    await pod('nowhere');
    for (const name of ['e1', 'e2', 'e3']) {
      await pod(name, 'stays');
      await client.pods('a').patch(name, 'merge', { status: { phase: 'Succeeded' } }, { subresource: 'status' });
      await clock.advance(1_000);
    }
    if (seed > 0)
      Object.assign(faults, { failBefore: 0.1, failAfter: 0.1, breakWatch: 0.1, delayMs: 300, repeat: 0.1 });
    await client.nodes().delete('goes');
    await client.nodes().delete('blinks');
    await clock.advance(30_000);
    await client.nodes().create({ metadata: { name: 'blinks' }, spec: {} });
    const names = async () => (await world.pods()).map(p => p.metadata.name).sort();
    assert.ok((await names()).includes('on-goes'), 'not before the quarantine is over');
    await clock.advance(300_000);
    assert.deepEqual(await names(), ['e2', 'e3', 'nowhere', 'on-blinks', 'on-stays']);
    await world.stop();
  });
}
