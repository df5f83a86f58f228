import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { claimPrefix, resourceClaimController } from './index.ts';

const devices = { requests: [{ name: 'r', exactly: { deviceClassName: 'gpu' } }] };

for (let seed = 0; seed <= 5; seed++) {
  test(`a pod gets one claim of its template, and it goes with the pod, seed ${seed}`, async () => {
    const world = await createWorld({ controllers: [resourceClaimController], nodes: false, seed });
    const { client, clock, faults } = world;
    await client.pods('a').create({
      metadata: { name: 'p' },
      spec: {
        containers: [{ name: 'c', image: 'i' }],
        resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 't' }],
      },
    });
    await clock.advance(10_000);
    assert.ok(
      (await world.events()).some(e => e.startsWith('Warning FailedResourceClaimCreation PodResourceClaim gpu: ')),
    );
    if (seed > 0)
      Object.assign(faults, { failBefore: 0.15, failAfter: 0.15, breakWatch: 0.1, delayMs: 300, repeat: 0.1 });
    await client.resourceclaimtemplates('a').create({ metadata: { name: 't' }, spec: { spec: { devices } } });
    await clock.advance(300_000);
    const claims = async () => (await client.resourceclaims('a').list()).items;
    const [pod] = await world.pods();
    const made = await claims();
    assert.equal(made.length, 1);
    const name = made[0]?.metadata.name ?? '';
    assert.deepEqual(pod?.status?.resourceClaimStatuses, [{ name: 'gpu', resourceClaimName: name }]);
    const reservedFor = [{ resource: 'pods', name: 'p', uid: pod?.metadata.uid }];
    const allocation = { devices: { results: [{ request: 'r', driver: 'd.example.com', pool: 'p', device: 'x' }] } };
    await client
      .resourceclaims('a')
      .patch(name, 'merge', { status: { allocation, reservedFor } }, { subresource: 'status' });
    await clock.advance(60_000);
    assert.equal((await claims())[0]?.status?.reservedFor?.length, 1);
    await client.pods('a').patch('p', 'merge', { status: { phase: 'Succeeded' } }, { subresource: 'status' });
    await clock.advance(300_000);
    assert.deepEqual(await claims(), []);
    await world.stop();
  });
}

test('of long names a claim keeps some of both', () => {
  assert.equal(claimPrefix('pod', 'gpu'), 'pod-gpu-');
  const cut = claimPrefix('p'.repeat(60), 'c'.repeat(30));
  assert.equal(cut, `${'p'.repeat(37)}-${'c'.repeat(18)}`);
  assert.ok(cut.length <= 57);
});
