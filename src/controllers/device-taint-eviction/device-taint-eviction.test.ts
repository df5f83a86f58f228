import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import type { DeviceToleration, ResourceClaim, ResourceSlice } from '../../api/types/resource-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { claimEvictionTime, deviceTaintEvictionController, taintsByDevice } from './index.ts';

const now = Date.UTC(2026, 0, 1);
const slice = (generation: number, tainted: boolean, timeAdded = rfc3339(now)): ResourceSlice => ({
  metadata: { name: `s${generation}` },
  spec: {
    driver: 'd.example.com',
    nodeName: 'n',
    pool: { name: 'p', generation, resourceSliceCount: 1 },
    devices: [{ name: 'x', ...(tainted && { taints: [{ key: 'broken', effect: 'NoExecute', timeAdded }] }) }],
  },
});
const claim = (tolerations?: DeviceToleration[]): ResourceClaim => ({
  metadata: { name: 'c', namespace: 'a' },
  spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'gpu' } }] } },
  status: {
    allocation: {
      devices: {
        results: [
          { request: 'r', driver: 'd.example.com', pool: 'p', device: 'x', ...(tolerations && { tolerations }) },
        ],
      },
    },
  },
});

test('when users of a device must go', () => {
  const forever = { key: 'broken', operator: 'Exists' };
  const cases: [string, ResourceSlice[], ResourceClaim, number | undefined][] = [
    ['no taint', [slice(1, false)], claim(), undefined],
    ['a taint', [slice(1, true)], claim(), 0],
    ['in a generation that is over', [slice(1, true), slice(2, false)], claim(), undefined],
    ['tolerated', [slice(1, true)], claim([forever]), undefined],
    ['for a while', [slice(1, true)], claim([{ ...forever, tolerationSeconds: 60 }]), now + 60_000],
  ];
  for (const [name, slices, given, expected] of cases)
    assert.equal(claimEvictionTime(given, taintsByDevice(slices), now), expected, name);
});

test('a pod goes with its device, and its neighbour stays', async () => {
  const controllers = [{ ...deviceTaintEvictionController, disabledByDefault: false }];
  const world = await createWorld({ controllers, nodes: false });
  const { client, clock } = world;
  for (const name of ['p', 'q'])
    await client
      .pods('a')
      .create({ metadata: { name }, spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] } });
  const [pod] = await world.pods();
  const { status, ...draft } = claim([{ key: 'broken', operator: 'Exists', tolerationSeconds: 60 }]);
  const made = await client.resourceclaims('a').create(draft);
  const reservedFor = [{ resource: 'pods', name: 'p', uid: pod?.metadata.uid ?? '' }];
  await client.resourceclaims('a').updateStatus({ ...made, status: { ...status, reservedFor } });
  await client.resourceslices().create(slice(1, true, rfc3339(clock.now())));
  await clock.advance(50_000);
  assert.ok((await world.pods()).every(p => !p.metadata.deletionTimestamp));
  await clock.advance(20_000);
  const going = (await world.pods()).filter(p => p.metadata.deletionTimestamp);
  assert.deepEqual(
    going.map(p => p.metadata.name),
    ['p'],
  );
  assert.equal(
    going[0]?.status?.conditions?.find(c => c.type === 'DisruptionTarget')?.reason,
    'DeletionByDeviceTaintManager',
  );
  await world.stop();
});
