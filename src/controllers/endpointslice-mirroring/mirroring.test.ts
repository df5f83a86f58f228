import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { endpointSliceMirroringController, mirror } from './index.ts';

test('one slice per set of ports and family', () => {
  const slices = mirror([
    {
      addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }],
      notReadyAddresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }],
      ports: [{ port: 80 }],
    },
    { addresses: [{ ip: '10.0.0.3' }], ports: [{ port: 81 }] },
  ]);
  assert.deepEqual(
    slices.map(
      s => `${s.addressType} ${s.ports[0]?.port} ${s.endpoints.map(e => `${e.addresses[0]}=${e.conditions?.ready}`)}`,
    ),
    ['IPv4 80 10.0.0.1=true,10.0.0.2=false', 'IPv6 80 fd00::1=true', 'IPv4 81 10.0.0.3=true'],
  );
});

for (let seed = 0; seed <= 5; seed++) {
  test(`endpoints are mirrored, changed and taken back, seed ${seed}`, async () => {
    const world = await createWorld({ controllers: [endpointSliceMirroringController], nodes: false, seed });
    const { client, clock, faults } = world;
    if (seed > 0)
      Object.assign(faults, { failBefore: 0.1, failAfter: 0.1, breakWatch: 0.1, delayMs: 300, repeat: 0.1 });
    await client.services('a').create({ metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } });
    const ports = [{ port: 80 }];
    await client
      .endpoints('a')
      .create({ metadata: { name: 's' }, subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports }] });
    await clock.advance(200_000);
    const slices = async () => (await client.endpointslices('a').list()).items;
    const [slice] = await slices();
    assert.equal(
      slice?.metadata.labels?.['endpointslice.kubernetes.io/managed-by'],
      'endpointslicemirroring-controller.k8s.io',
    );
    assert.equal(slice?.metadata.labels?.['kubernetes.io/service-name'], 's');
    const subsets = [{ addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }], ports }];
    await client.endpoints('a').patch('s', 'merge', { subsets });
    await clock.advance(200_000);
    const now = await slices();
    assert.deepEqual(
      now.map(s => s.endpoints?.map(e => e.addresses[0])),
      [['10.0.0.1', '10.0.0.2']],
    );
    assert.equal(now[0]?.metadata.uid, slice?.metadata.uid);
    await client.services('a').patch('s', 'merge', { spec: { selector: { app: 'x' } } });
    await clock.advance(200_000);
    assert.deepEqual(await slices(), []);
    await world.stop();
  });
}
