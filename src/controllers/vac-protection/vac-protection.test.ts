import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { vacProtectionController } from './index.ts';

test('a class stays while a claim uses it', async () => {
  const world = await createWorld({ controllers: [vacProtectionController], nodes: false });
  const { client, clock } = world;
  await client
    .volumeattributesclasses()
    .create({ metadata: { name: 'fast' }, driverName: 'd.example.com', parameters: { a: 'b' } });
  await client.persistentvolumeclaims('a').create({
    metadata: { name: 'c' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      volumeAttributesClassName: 'fast',
    },
  });
  await clock.advance(1_000);
  await client.volumeattributesclasses().delete('fast');
  await clock.advance(1_000);
  assert.ok((await client.volumeattributesclasses().get('fast')).metadata.deletionTimestamp);
  await client.persistentvolumeclaims('a').delete('c');
  await clock.advance(1_000);
  await assert.rejects(client.volumeattributesclasses().get('fast'), /not found/);
  await world.stop();
});
