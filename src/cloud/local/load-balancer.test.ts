import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../../api/types/index.ts';
import { chooseAddress, chooseAddresses } from './load-balancer.ts';

const cidr = '10.44.0.0/29';
test('the lowest free address, without network, own and broadcast', () => {
  assert.equal(chooseAddress(cidr, new Set()), '10.44.0.2');
  assert.equal(chooseAddress(cidr, new Set(['10.44.0.2', '10.44.0.3'])), '10.44.0.4');
  assert.equal(
    chooseAddress(cidr, new Set(['10.44.0.2', '10.44.0.3', '10.44.0.4', '10.44.0.5', '10.44.0.6'])),
    undefined,
  );
});
test('the address asked for, when it is in the range and free', () => {
  assert.equal(chooseAddress(cidr, new Set(), '10.44.0.5'), '10.44.0.5');
  assert.equal(chooseAddress(cidr, new Set(['10.44.0.5']), '10.44.0.5'), '10.44.0.2');
  assert.equal(chooseAddress(cidr, new Set(), '192.0.2.1'), '10.44.0.2');
  assert.equal(chooseAddress(cidr, new Set(), '10.44.0.1'), '10.44.0.2');
});

const families: [
  what: string,
  ipFamilies: string[] | undefined,
  present: string[],
  taken: string[],
  chosen: string[],
][] = [
  ['IPv4 when nothing is said', undefined, [], [], ['10.44.0.2']],
  ['one of each, in the order of the service', ['IPv6', 'IPv4'], [], [], ['fd44::2', '10.44.0.2']],
  ['a second family is added to what is there', ['IPv4', 'IPv6'], ['10.44.0.4'], [], ['10.44.0.4', 'fd44::2']],
  ['a family that goes takes its address along', ['IPv6'], ['10.44.0.4', 'fd44::4'], [], ['fd44::4']],
  ['what another service has too is given up', ['IPv4'], ['10.44.0.2'], ['10.44.0.2'], ['10.44.0.3']],
];
for (const [what, ipFamilies, present, taken, chosen] of families) {
  test(`addresses of a service: ${what}`, () => {
    const service: Service = { metadata: { name: 's' }, spec: { ...(ipFamilies && { ipFamilies }) } };
    const made = chooseAddresses(service, [cidr, 'fd44::/120'], present, new Set(taken));
    assert.deepEqual(made, { addresses: chosen });
  });
}
test('a range without a free address is named', () => {
  const service: Service = { metadata: { name: 's' }, spec: { ipFamilies: ['IPv4'] } };
  const made = chooseAddresses(service, ['10.44.0.0/30'], [], new Set(['10.44.0.2']));
  assert.equal(made.exhausted, '10.44.0.0/30');
});
