import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageOf, humanDuration, parseGoDuration } from './duration.ts';

const s = 1000;
const h = 3600 * s;
const cases: [number, string][] = [
  [-2 * s, '<invalid>'],
  [-1 * s, '0s'],
  [0, '0s'],
  [119 * s, '119s'],
  [120 * s, '2m'],
  [310 * s, '5m10s'],
  [600 * s, '10m'],
  [3 * h - s, '179m'],
  [3 * h, '3h'],
  [7.5 * h, '7h30m'],
  [8.5 * h, '8h'],
  [47 * h, '47h'],
  [49 * h, '2d1h'],
  [8 * 24 * h, '8d'],
  [2 * 365 * 24 * h, '2y'],
  [(2 * 365 + 3) * 24 * h, '2y3d'],
  [8 * 365 * 24 * h, '8y'],
];

test('durations read like kubectl', () => {
  for (const [ms, want] of cases) assert.equal(humanDuration(ms), want);
});

test('an unset time has an unknown age', () => {
  assert.equal(ageOf(undefined, 0), '<unknown>');
  assert.equal(ageOf('1970-01-01T00:00:00Z', 65 * s), '65s');
});

test('durations are read as Go reads them', () => {
  const read = { '1m30s': 90_000, '1.5h': 5_400_000, '100ms': 100, '.5s': 500, '-2s': -2_000, '+0': 0, '1000us': 1 };
  for (const [text, ms] of Object.entries(read)) assert.equal(parseGoDuration(text), ms);
  assert.throws(() => parseGoDuration('5'), /^RangeError: time: missing unit in duration "5"$/);
  assert.throws(() => parseGoDuration('1d'), /^RangeError: time: unknown unit "d" in duration "1d"$/);
  for (const text of ['', 'soon', '-', '.'])
    assert.throws(() => parseGoDuration(text), /^RangeError: time: invalid duration /);
});
