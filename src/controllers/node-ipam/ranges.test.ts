import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capacityOf, clusterRange, indicesOf, shareOf } from './ranges.ts';

test('shares of a range, both families', () => {
  const v4 = clusterRange('10.42.0.0/16');
  assert.equal(capacityOf(v4), 256);
  assert.equal(shareOf(v4, 0), '10.42.0.0/24');
  assert.equal(shareOf(v4, 255), '10.42.255.0/24');
  const v6 = clusterRange('fd00:42::/56');
  assert.equal(capacityOf(v6), 256);
  assert.equal(shareOf(v6, 3), 'fd00:42:0:3::/64');
});

test('taken ranges of any width', () => {
  const range = clusterRange('10.42.0.0/16');
  assert.deepEqual(indicesOf(range, '10.42.7.0/24'), { first: 7, last: 7 });
  assert.deepEqual(indicesOf(range, '10.42.4.0/22'), { first: 4, last: 7 });
  assert.deepEqual(indicesOf(range, '10.42.4.128/25'), { first: 4, last: 4 });
  assert.deepEqual(indicesOf(range, '10.0.0.0/8'), { first: 0, last: 255 });
  assert.equal(indicesOf(range, '10.43.0.0/24'), undefined);
  assert.equal(indicesOf(range, 'fd00::/64'), undefined);
});

test('a share that does not fit is refused', () => {
  assert.throws(() => clusterRange('10.42.0.0/25'), /does not fit/);
  assert.throws(() => clusterRange('10.0.0.0/4', 30), /does not fit/);
});
