import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseAddress } from './load-balancer.ts';

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
