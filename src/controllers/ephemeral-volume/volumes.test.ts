import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { persistentVolumeBinder } from '../persistentvolume-binder/index.ts';
import { persistentVolumeExpander } from '../persistentvolume-expander/index.ts';
import { pvcProtectionController } from '../pvc-protection/index.ts';
import { ephemeralVolumeController } from './index.ts';

const controllers = [
  ephemeralVolumeController,
  persistentVolumeBinder,
  persistentVolumeExpander,
  pvcProtectionController,
];
const spec = {
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage: '1Gi' } },
  storageClassName: 'grows',
};
const containers = [{ name: 'c', image: 'i' }];

for (let seed = 0; seed <= 5; seed++) {
  test(`an ephemeral claim is its pod’s, grows, and stays while it is used, seed ${seed}`, async () => {
    const world = await createWorld({ controllers, nodes: false, seed });
    const { client, clock, faults } = world;
    await client
      .storageclasses()
      .create({ metadata: { name: 'grows' }, provisioner: 'd.example.com', allowVolumeExpansion: true });
    await client.persistentvolumes().create({
      metadata: { name: 'v' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'grows',
        csi: { driver: 'd.example.com', volumeHandle: 'h' },
      },
    });
    if (seed > 0)
      Object.assign(faults, { failBefore: 0.15, failAfter: 0.15, breakWatch: 0.1, delayMs: 300, repeat: 0.1 });
    const ephemeral = { volumeClaimTemplate: { metadata: { labels: { a: 'b' } }, spec } };
    await client
      .pods('a')
      .create({ metadata: { name: 'p' }, spec: { nodeName: 'n', containers, volumes: [{ name: 'data', ephemeral }] } });
    await clock.advance(200_000);
    const claim = await client.persistentvolumeclaims('a').get('p-data');
    assert.deepEqual([claim.metadata.labels, claim.status?.phase], [{ a: 'b' }, 'Bound']);
    assert.equal(claim.metadata.ownerReferences?.[0]?.name, 'p');
    await client
      .persistentvolumeclaims('a')
      .patch('p-data', 'merge', { spec: { resources: { requests: { storage: '2Gi' } } } });
    await clock.advance(200_000);
    const grown = await client.persistentvolumeclaims('a').get('p-data');
    assert.equal(grown.metadata.annotations?.['volume.kubernetes.io/storage-resizer'], 'd.example.com');
    await client.persistentvolumeclaims('a').delete('p-data');
    await clock.advance(200_000);
    assert.ok((await client.persistentvolumeclaims('a').get('p-data')).metadata.deletionTimestamp, 'in use');
    await client.pods('a').delete('p', { gracePeriodSeconds: 0 });
    await clock.advance(200_000);
    await assert.rejects(client.persistentvolumeclaims('a').get('p-data'), /not found/);
    await world.stop();
  });
}

test('a claim in the way is not taken over', async () => {
  const world = await createWorld({ controllers: [ephemeralVolumeController], nodes: false });
  const { client, clock } = world;
  await client.persistentvolumeclaims('a').create({ metadata: { name: 'p-data' }, spec });
  await client.pods('a').create({
    metadata: { name: 'p' },
    spec: { containers, volumes: [{ name: 'data', ephemeral: { volumeClaimTemplate: { spec } } }] },
  });
  await clock.advance(10_000);
  assert.ok(
    (await world.events()).some(e =>
      e.startsWith('Warning FailedBinding ephemeral volume data: PVC "a/p-data" was not created for pod'),
    ),
  );
  await client.persistentvolumeclaims('a').delete('p-data');
  await client
    .persistentvolumeclaims('a')
    .patch('p-data', 'merge', { metadata: { finalizers: null } })
    .catch(() => undefined);
  await clock.advance(100_000);
  assert.equal((await client.persistentvolumeclaims('a').get('p-data')).metadata.ownerReferences?.[0]?.name, 'p');
  await world.stop();
});
