import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { virtualClock } from '../../base/virtual-clock.ts';
import { renewedCredentials, renewRegularly } from './renewal.ts';

const hour = 3_600_000;

test('connections made long after each other get another certificate', async () => {
  const clock = virtualClock();
  let issued = 0;
  const source = renewedCredentials(clock, () => ({ certificate: `certificate ${++issued}`, key: 'key' }));
  for (const [hours, certificate] of [
    [0, 'certificate 1'],
    [11, 'certificate 1'],
    [1, 'certificate 2'],
    [1000, 'certificate 3'],
  ] as const) {
    await clock.advance(hours * hour);
    assert.deepEqual(await source.get(), { cert: certificate, key: 'key' });
  }
});

test('work that fails is done again the next time', async () => {
  const clock = virtualClock();
  let runs = 0;
  const renewal = renewRegularly({ clock, log: silentLogger }, () => {
    runs++;
    throw new Error('disk full');
  });
  await clock.advance(25 * hour);
  assert.equal(runs, 2);
  renewal.cancel();
  await clock.advance(25 * hour);
  assert.equal(runs, 2);
});
