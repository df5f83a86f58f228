import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { nodeIpamController } from './index.ts';

for (let seed = 1; seed <= 10; seed++) {
  test(`every node gets a range of its own in each family, seed ${seed}`, async () => {
    const controllers = [nodeIpamController({ clusterCidrs: ['10.0.0.0/19', 'fd00::/59'] })];
    const world = await createWorld({ controllers, nodes: false, seed });
    const { client, clock, faults, random } = world;
    const shared = new Set<string>();
    await world.follow('v1/nodes', cache => {
      const all = cache.list().flatMap(n => n.spec.podCIDRs ?? []);
      for (const cidr of all) if (all.filter(other => other === cidr).length > 1) shared.add(cidr);
    });
    Object.assign(faults, { failBefore: 0.2, failAfter: 0.2, breakWatch: 0.1, delayMs: 500, repeat: 0.1, expire: 0.1 });
    for (let i = 0; i < 40; i++) {
      await client.nodes().create({ metadata: { name: `n${i}` }, spec: {} });
      if (i % 5 === 4) await client.nodes().delete(`n${i - random.int(4)}`);
      await clock.advance(random.int(300));
      if (random.int(10) === 0) await world.restart();
    }
    await clock.advance(300_000);
    const nodes = (await client.nodes().list()).items;
    assert.equal(nodes.length, 32);
    assert.ok(nodes.every(n => n.spec.podCIDRs?.length === 2 && n.spec.podCIDR === n.spec.podCIDRs[0]));
    assert.deepEqual([...shared], []);
    await client.nodes().create({ metadata: { name: 'late' }, spec: {} });
    await clock.advance(120_000);
    assert.equal((await client.nodes().get('late')).spec.podCIDR, undefined, 'all 32 are taken');
    assert.ok((await world.events()).includes('Normal CIDRNotAvailable Node late status is now: CIDRNotAvailable'));
    await client.nodes().delete(nodes[0]?.metadata.name ?? '');
    await clock.advance(600_000);
    assert.ok((await client.nodes().get('late')).spec.podCIDR);
    await world.stop();
  });
}
