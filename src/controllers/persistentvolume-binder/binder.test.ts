import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld, type World } from '../../../test/support/control.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core-v1.ts';
import { pvProtectionController } from '../pv-protection/index.ts';
import { pvcProtectionController } from '../pvc-protection/index.ts';
import { persistentVolumeBinder } from './index.ts';
import { bestMatch, complaintOf, isBoundTo } from './match.ts';

const controllers = [persistentVolumeBinder, pvcProtectionController, pvProtectionController];
const volume = (name: string, size = '1Gi', spec: PersistentVolume['spec'] = {}): PersistentVolume => ({
  metadata: { name },
  spec: { capacity: { storage: size }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/v' }, ...spec },
  status: { phase: 'Available' },
});
const claim = (name: string, size = '1Gi', spec: PersistentVolumeClaim['spec'] = {}): PersistentVolumeClaim => ({
  metadata: { name, namespace: 'a', uid: `uid-${name}` },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } }, storageClassName: '', ...spec },
});

test('the smallest volume that suits is taken', () => {
  const cases: [string, PersistentVolume[], PersistentVolumeClaim, string | undefined][] = [
    ['size', [volume('big', '5Gi'), volume('fit', '2Gi'), volume('small', '1Gi')], claim('c', '2Gi'), 'fit'],
    ['too small', [volume('small', '1Gi')], claim('c', '2Gi'), undefined],
    ['class', [volume('v', '1Gi', { storageClassName: 'fast' })], claim('c'), undefined],
    ['mode of access', [volume('v')], claim('c', '1Gi', { accessModes: ['ReadWriteMany'] }), undefined],
    [
      'fewest modes first',
      [volume('a', '1Gi', { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] }), volume('b', '3Gi')],
      claim('c'),
      'b',
    ],
    ['volume mode', [volume('v', '1Gi', { volumeMode: 'Block' })], claim('c'), undefined],
    ['selector', [volume('v')], claim('c', '1Gi', { selector: { matchLabels: { a: 'b' } } }), undefined],
    ['somebody else’s', [volume('v', '1Gi', { claimRef: { namespace: 'a', name: 'd' } })], claim('c'), undefined],
    [
      'reserved by name',
      [volume('v'), volume('w', '9Gi', { claimRef: { namespace: 'a', name: 'c' } })],
      claim('c'),
      'w',
    ],
    [
      'reserved for a claim of the same name before',
      [volume('w', '9Gi', { claimRef: { namespace: 'a', name: 'c', uid: 'other' } })],
      claim('c'),
      undefined,
    ],
  ];
  for (const [name, volumes, wanted, expected] of cases)
    assert.equal(bestMatch(volumes, wanted, false)?.metadata.name, expected, name);
  assert.equal(bestMatch([volume('v')], claim('c'), true), undefined, 'the scheduler chooses');
  assert.equal(complaintOf(volume('v', '1Gi'), claim('c', '2Gi')), 'requested PV is too small');
  assert.equal(complaintOf(volume('v', '1Gi', { volumeMode: 'Block' }), claim('c')), 'incompatible volumeMode');
  assert.ok(!isBoundTo(volume('v'), claim('c')));
});

const phases = async ({ client }: World) => ({
  volumes: Object.fromEntries(
    (await client.persistentvolumes().list()).items.map(v => [v.metadata.name, v.status?.phase]),
  ),
  claims: Object.fromEntries(
    (await client.persistentvolumeclaims('a').list()).items.map(c => [
      c.metadata.name,
      `${c.status?.phase} ${c.spec?.volumeName ?? ''}`.trim(),
    ]),
  ),
});
const { status: _v, ...draft } = volume('v', '2Gi');
const drafted = (name: string, size: string, spec: PersistentVolume['spec'] = {}) => ({
  ...draft,
  metadata: { name },
  spec: { ...volume(name, size, spec).spec, ...spec },
});

test('a claim and a volume are bound, released and told of', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const { client, clock } = world;
  await client.persistentvolumeclaims('a').create(claim('c', '2Gi'));
  await clock.advance(1_000);
  assert.deepEqual(await phases(world), { volumes: {}, claims: { c: 'Pending' } });
  assert.ok(
    (await world.events()).includes(
      'Normal FailedBinding no persistent volumes available for this claim and no storage class is set',
    ),
  );
  await client.persistentvolumes().create(drafted('v', '2Gi'));
  await clock.advance(1_000);
  assert.deepEqual(await phases(world), { volumes: { v: 'Bound' }, claims: { c: 'Bound v' } });
  const bound = await client.persistentvolumeclaims('a').get('c');
  assert.deepEqual(bound.metadata.annotations, {
    'pv.kubernetes.io/bind-completed': 'yes',
    'pv.kubernetes.io/bound-by-controller': 'yes',
  });
  assert.deepEqual([bound.status?.capacity, bound.status?.accessModes], [{ storage: '2Gi' }, ['ReadWriteOnce']]);
  await client.persistentvolumes().delete('v');
  await clock.advance(1_000);
  assert.equal((await phases(world)).volumes['v'], 'Bound', 'a bound volume stays');
  await client.persistentvolumeclaims('a').delete('c');
  await clock.advance(1_000);
  assert.deepEqual(await phases(world), { volumes: {}, claims: {} });
  await world.stop();
});

test('what is reclaimed how', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const { client, clock } = world;
  for (const policy of ['Retain', 'Recycle', 'Delete']) {
    const name = policy.toLowerCase();
    await client
      .persistentvolumes()
      .create(drafted(name, '1Gi', { persistentVolumeReclaimPolicy: policy, claimRef: { namespace: 'a', name } }));
    await client.persistentvolumeclaims('a').create(claim(name));
  }
  await clock.advance(1_000);
  assert.deepEqual((await phases(world)).claims, {
    retain: 'Bound retain',
    recycle: 'Bound recycle',
    delete: 'Bound delete',
  });
  await client.persistentvolumeclaims('a').deleteCollection();
  await clock.advance(1_000);
  assert.deepEqual((await phases(world)).volumes, { retain: 'Released', recycle: 'Failed', delete: 'Failed' });
  assert.ok((await world.events()).includes('Warning VolumeFailedRecycle No recycler plugin found for the volume!'));
  await world.stop();
});

test('a claim whose volume is gone is lost', async () => {
  const world = await createWorld({ controllers: [persistentVolumeBinder], nodes: false });
  const { client, clock } = world;
  await client.persistentvolumes().create(drafted('v', '1Gi'));
  await client.persistentvolumeclaims('a').create(claim('c'));
  await clock.advance(1_000);
  await client.persistentvolumes().patch('v', 'merge', { metadata: { finalizers: null } });
  await client.persistentvolumes().delete('v');
  await clock.advance(1_000);
  assert.equal((await phases(world)).claims['c'], 'Lost v');
  assert.ok(
    (await world.events()).includes(
      'Warning ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!',
    ),
  );
  await world.stop();
});

test('classes: waiting for a consumer, asking the provisioner, the default class', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const { client, clock } = world;
  await client.persistentvolumeclaims('a').create(claim('late', '1Gi', { storageClassName: 'later' }));
  const { storageClassName: _none, ...unset } = claim('unset').spec ?? {};
  await client.persistentvolumeclaims('a').create({ ...claim('unset'), spec: unset });
  await clock.advance(1_000);
  const make = (name: string, volumeBindingMode: string, annotations = {}) =>
    client
      .storageclasses()
      .create({ metadata: { name, annotations }, provisioner: 'example.com/p', volumeBindingMode });
  await make('later', 'WaitForFirstConsumer');
  await make('now', 'Immediate', { 'storageclass.kubernetes.io/is-default-class': 'true' });
  await clock.advance(1_000);
  const unsetNow = await client.persistentvolumeclaims('a').get('unset');
  assert.equal(unsetNow.spec?.storageClassName, 'now');
  assert.equal(unsetNow.metadata.annotations?.['volume.kubernetes.io/storage-provisioner'], 'example.com/p');
  const events = await world.events();
  for (const expected of [
    'Warning ProvisioningFailed storageclass.storage.k8s.io "later" not found',
    'Normal WaitForFirstConsumer waiting for first consumer to be created before binding',
  ])
    assert.ok(events.includes(expected), expected);
  assert.ok(
    events.some(e =>
      e.startsWith(
        "Normal ExternalProvisioning Waiting for a volume to be created either by the external provisioner 'example.com/p' or manually",
      ),
    ),
  );
  await client
    .persistentvolumeclaims('a')
    .patch('late', 'merge', { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'n' } } });
  await clock.advance(1_000);
  const late = await client.persistentvolumeclaims('a').get('late');
  assert.equal(late.metadata.annotations?.['volume.kubernetes.io/storage-provisioner'], 'example.com/p');
  await world.stop();
});

test('classes of in-tree provisioners go to the CSI drivers that took over, others are refused', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const { client, clock } = world;
  for (const provisioner of ['kubernetes.io/aws-ebs', 'kubernetes.io/no-provisioner']) {
    const name = provisioner.slice('kubernetes.io/'.length);
    await client.storageclasses().create({ metadata: { name }, provisioner, volumeBindingMode: 'Immediate' });
    const draft = claim(name);
    await client.persistentvolumeclaims('a').create({ ...draft, spec: { ...draft.spec, storageClassName: name } });
  }
  await clock.advance(1_000);
  const asked = async (name: string) =>
    (await client.persistentvolumeclaims('a').get(name)).metadata.annotations?.[
      'volume.kubernetes.io/storage-provisioner'
    ];
  assert.equal(await asked('aws-ebs'), 'ebs.csi.aws.com');
  assert.equal(await asked('no-provisioner'), undefined);
  assert.ok(
    (await world.events()).includes(
      'Warning ProvisioningFailed no volume plugin matched name: kubernetes.io/no-provisioner',
    ),
  );
  await world.stop();
});

test('a volume that nobody deletes says why', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const { client, clock } = world;
  const sources: [string, object, string][] = [
    ['host', { hostPath: { path: '/data' } }, 'host_path deleter only supports /tmp/.+ but received provided /data'],
    [
      'nfs',
      { nfs: { server: 's', path: '/' } },
      'error getting deleter volume plugin for volume "nfs": no deletable volume plugin matched',
    ],
    [
      'csi',
      { csi: { driver: 'd', volumeHandle: 'h' } },
      'error getting deleter volume plugin for volume "csi": no volume plugin matched',
    ],
  ];
  for (const [name, source] of sources) {
    const { metadata, spec } = drafted(name, '1Gi');
    const { hostPath: _path, ...rest } = spec as Record<string, unknown>;
    const own = { ...rest, ...source, persistentVolumeReclaimPolicy: 'Delete' };
    await client.persistentvolumes().create({ metadata, spec: own } as never);
    const draft = claim(`for-${name}`);
    await client.persistentvolumeclaims('a').create({ ...draft, spec: { ...draft.spec, volumeName: name } });
  }
  await clock.advance(5_000);
  for (const [name] of sources) await client.persistentvolumeclaims('a').delete(`for-${name}`);
  await clock.advance(5_000);
  for (const [name, , message] of sources) {
    const { status } = await client.persistentvolumes().get(name);
    assert.deepEqual([status?.phase, status?.message], ['Failed', message]);
  }
  await world.stop();
});

for (let seed = 1; seed <= 20; seed++) {
  test(`no volume serves two claims, and all end bound, under faults, seed ${seed}`, async () => {
    const world = await createWorld({ controllers, nodes: false, seed });
    const { client, clock, faults, random } = world;
    Object.assign(faults, {
      failBefore: 0.15,
      failAfter: 0.15,
      breakWatch: 0.1,
      delayMs: 300,
      repeat: 0.1,
      expire: 0.1,
    });
    const both = [0, 1, 2, 3, 4].flatMap(i => [
      () => client.persistentvolumeclaims('a').create(claim(`c${i}`, `${1 + (i % 3)}Gi`)),
      () => client.persistentvolumes().create(drafted(`v${i}`, '3Gi')),
    ]);
    for (const create of both.sort(() => random.next() - 0.5)) {
      await create();
      await clock.advance(random.int(1_000));
      if (random.int(5) === 0) await world.restart();
    }
    await clock.advance(60_000);
    Object.assign(faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0, expire: 0 });
    await clock.advance(300_000);
    const claims = (await client.persistentvolumeclaims('a').list()).items;
    const volumes = (await client.persistentvolumes().list()).items;
    assert.ok(claims.every(c => c.status?.phase === 'Bound'));
    assert.equal(new Set(claims.map(c => c.spec?.volumeName)).size, 5);
    for (const c of claims) {
      const ref = volumes.find(v => v.metadata.name === c.spec?.volumeName)?.spec?.claimRef;
      assert.equal(ref?.uid, c.metadata.uid);
    }
    await world.stop();
  });
}
