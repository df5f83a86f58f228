import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import type { IPAddress, ServiceCIDR } from '../../api/types/networking-v1.ts';
import { isDisposable, serviceCidrsController } from './index.ts';

const range = (name: string, ...cidrs: string[]): ServiceCIDR => ({ metadata: { name }, spec: { cidrs } });
const address = (name: string): IPAddress => ({
  metadata: { name },
  spec: { parentRef: { resource: 'services', name: 's' } },
});

test('a range may go when nothing needs it', () => {
  const own = range('own', '10.0.0.0/24');
  const cases: [string, ServiceCIDR[], string[], boolean][] = [
    ['no address', [], [], true],
    ['an address of its own', [], ['10.0.0.7'], false],
    ['of another', [], ['10.0.1.7'], true],
    ['held by a wider one too', [range('wide', '10.0.0.0/16')], ['10.0.0.7'], true],
    ['partly held', [range('half', '10.0.0.0/25')], ['10.0.0.7', '10.0.0.200'], false],
    ['another family', [range('six', 'fd00::/64')], ['10.0.0.7'], false],
  ];
  for (const [name, others, addresses, expected] of cases)
    assert.equal(isDisposable(own, [own, ...others], addresses.map(address)), expected, name);
});

test('a range is ready, stays while it is needed, and goes', async () => {
  const world = await createWorld({ controllers: [serviceCidrsController], nodes: false });
  const { client, clock } = world;
  await client.servicecidrs().create(range('more', '10.200.0.0/24'));
  await clock.advance(1_000);
  const more = await client.servicecidrs().get('more');
  assert.deepEqual(more.metadata.finalizers, ['networking.k8s.io/service-cidr-finalizer']);
  assert.equal(more.status?.conditions?.[0]?.message, 'Kubernetes Service CIDR is ready');
  const labels = {
    'ipaddress.kubernetes.io/ip-family': 'IPv4',
    'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
  };
  const parentRef = { group: '', resource: 'services', namespace: 'a', name: 's' };
  await client.ipaddresses().create({ metadata: { name: '10.200.0.9', labels }, spec: { parentRef } });
  await client.servicecidrs().delete('more');
  await clock.advance(60_000);
  assert.equal((await client.servicecidrs().get('more')).status?.conditions?.[0]?.reason, 'Terminating');
  await client.ipaddresses().delete('10.200.0.9');
  await clock.advance(60_000);
  await assert.rejects(client.servicecidrs().get('more'), /not found/);
  await world.stop();
});
