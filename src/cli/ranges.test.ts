import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseRanges } from './cluster.ts';
import { checkRanges, loadBalancerRanges, nodeAddresses } from './ranges.ts';

const good: [pods: string, services: string, dns: string][] = [
  ['10.42.0.0/16', '10.43.0.0/16', '10.43.0.10'],
  ['fd42::/48', 'fd43::/112', 'fd43::a'],
  ['10.42.0.0/16,fd42::/48', '10.43.0.0/16,fd43::/112', '10.43.0.10'],
  ['fd42::/48,10.42.0.0/16', 'fd43::/112', 'fd43::a'],
];
const bad: [pods: string, services: string, dns: string, complaint: RegExp][] = [
  ['10.42.0.0', '10.43.0.0/16', '10.43.0.10', /"10.42.0.0" for "--cluster-cidr"/],
  ['10.42.0.0/16,10.52.0.0/16', '10.43.0.0/16', '10.43.0.10', /--cluster-cidr takes one range, or one of each/],
  ['10.42.0.0/16,fd42::/48', 'fd43::/112,10.43.0.0/16', 'fd43::a', /same family/],
  ['10.42.0.0/16', '10.43.0.0/16,fd43::/112', '10.43.0.10', /a family that --cluster-cidr lacks/],
  ['10.42.0.0/16', '10.43.0.0/16', '10.99.0.10', /DNS address/],
];
const ranges = (pods: string, services: string, dnsAddress: string) => ({
  ...{ podCidrs: pods.split(','), serviceCidrs: services.split(','), dnsAddress },
});
for (const [pods, services, dns] of good)
  test(`pods ${pods} with services ${services} make a cluster`, () => checkRanges(ranges(pods, services, dns)));
for (const [pods, services, dns, complaint] of bad)
  test(`pods ${pods} with services ${services} and DNS at ${dns} do not`, () =>
    assert.throws(() => checkRanges(ranges(pods, services, dns)), complaint));

test('chosen ranges make a cluster, whatever the families, and leave alone what is used', () => {
  for (const families of [[4], [6], [4, 6], [6, 4]] as const) {
    const chosen = chooseRanges('abc123', ['10.42.7.1', '10.53.0.1'], families);
    checkRanges(chosen);
    assert.equal(chosen.podCidrs.length, families.length);
    assert.ok(
      chosen.podCidrs.every(cidr => cidr === '10.62.0.0/16' || cidr === 'fd54:abc1:2301::/48'),
      String(chosen),
    );
  }
});

test('a node has the first of its addresses in each family of the cluster', () => {
  const own = ['192.0.2.1', '192.0.2.2', '2001:db8::1'];
  assert.deepEqual(nodeAddresses(own, ['10.42.0.0/16']), ['192.0.2.1']);
  assert.deepEqual(nodeAddresses(own, ['fd42::/48', '10.42.0.0/16']), ['2001:db8::1', '192.0.2.1']);
  assert.throws(() => nodeAddresses(['192.0.2.1'], ['10.42.0.0/16', 'fd42::/48']), /no IPv6 address/);
  assert.throws(() => nodeAddresses(['192.0.2'], ['10.42.0.0/16']), /not an address/);
});

test('load balancers have addresses beside the machine’s own', () => {
  assert.deepEqual(loadBalancerRanges(['10.44.0.1', 'fd54:abc1:2303::1']), ['10.44.0.0/24', 'fd54:abc1:2303::/120']);
});
