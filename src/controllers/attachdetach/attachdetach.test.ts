import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld } from '../../../test/support/control.ts';
import { sha256Hex } from '../../base/sha256.ts';
import { persistentVolumeBinder } from '../persistentvolume-binder/index.ts';
import { attachDetachController } from './index.ts';
import { attachmentName, conflictText } from './plan.ts';

test('digests are those of the host', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), text => {
      assert.equal(sha256Hex(text), createHash('sha256').update(new TextEncoder().encode(text)).digest('hex'));
    }),
  );
});

test('a volume is attached for its pod, reported, kept while mounted, and detached', async () => {
  const world = await createWorld({ controllers: [attachDetachController, persistentVolumeBinder], nodes: false });
  const { client, clock } = world;
  const node = (name: string) => ({
    metadata: { name, annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' } },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  });
  for (const name of ['n1', 'n2']) await client.nodes().create(node(name));
  const accessModes = ['ReadWriteOnce'];
  await client.persistentvolumes().create({
    metadata: { name: 'v' },
    spec: { capacity: { storage: '1Gi' }, accessModes, csi: { driver: 'd.example.com', volumeHandle: 'h' } },
  });
  const resources = { requests: { storage: '1Gi' } };
  await client
    .persistentvolumeclaims('a')
    .create({ metadata: { name: 'c' }, spec: { accessModes, resources, storageClassName: '' } });
  const pod = (name: string, nodeName: string) => ({
    metadata: { name },
    spec: {
      nodeName,
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }],
    },
  });
  await client.pods('a').create(pod('p', 'n1'));
  await clock.advance(1_000);
  const name = attachmentName('d.example.com', 'h', 'n1');
  const attachment = await client.volumeattachments().get(name);
  assert.deepEqual(attachment.spec, {
    attacher: 'd.example.com',
    nodeName: 'n1',
    source: { persistentVolumeName: 'v' },
  });
  await client.volumeattachments().updateStatus({ ...attachment, status: { attached: true } });
  await clock.advance(1_000);
  const volume = 'kubernetes.io/csi/d.example.com^h';
  assert.deepEqual((await client.nodes().get('n1')).status?.volumesAttached, [{ name: volume, devicePath: '' }]);
  await client.nodes().patch('n1', 'merge', { status: { volumesInUse: [volume] } }, { subresource: 'status' });
  await client.pods('a').create(pod('q', 'n2'));
  await clock.advance(1_000);
  const used = 'Warning FailedAttachVolume Multi-Attach error for volume "v" Volume is already used by pod(s) p';
  assert.ok((await world.events()).includes(used));
  await client.pods('a').delete('p', { gracePeriodSeconds: 0 });
  await clock.advance(30_000);
  const names = async () => (await client.volumeattachments().list()).items.map(a => a.metadata.name);
  assert.deepEqual(await names(), [name], 'still mounted');
  const attached =
    'Warning FailedAttachVolume Multi-Attach error for volume "v" Volume is already exclusively attached to one node and can\'t be attached to another';
  assert.ok((await world.events()).includes(attached));
  await client.nodes().patch('n1', 'merge', { status: { volumesInUse: null } }, { subresource: 'status' });
  await clock.advance(30_000);
  assert.deepEqual(await names(), [attachmentName('d.example.com', 'h', 'n2')]);
  assert.ok(
    (await world.events()).includes('Normal SuccessfulAttachVolume AttachVolume.Attach succeeded for volume "v" '),
  );
  await world.stop();
});

test('a pod is told who holds its volume, but no names of other namespaces', () => {
  const pod = (namespace: string, name: string) => ({ metadata: { namespace, name }, spec: { containers: [] } });
  const table: [[string, string][], string][] = [
    [[], "Volume is already exclusively attached to one node and can't be attached to another"],
    [
      [
        ['a', 'x'],
        ['a', 'y'],
      ],
      'Volume is already used by pod(s) x, y',
    ],
    [
      [
        ['a', 'x'],
        ['b', 'y'],
      ],
      'Volume is already used by pod(s) x and 1 pod(s) in different namespaces',
    ],
    [
      [
        ['b', 'x'],
        ['c', 'y'],
      ],
      'Volume is already used by 2 pod(s) in different namespaces',
    ],
  ];
  for (const [holders, text] of table) {
    const told = conflictText(
      'v',
      pod('a', 'p'),
      holders.map(([namespace, name]) => pod(namespace, name)),
    );
    assert.equal(told, `Multi-Attach error for volume "v" ${text}`);
  }
});
