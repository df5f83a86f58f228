import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '../../base/virtual-clock.ts';
import { addressGone } from './own-addresses.ts';

test('an address that goes is told, one that is away for a moment is not', async () => {
  const clock = virtualClock();
  let now = ['10.77.0.2', 'fd77::2'];
  let told: string | undefined = 'nothing yet';
  const watching = addressGone(['10.77.0.2', 'fd77::2'], clock, new AbortController().signal, () => now);
  const done = watching.then(gone => {
    told = gone;
  });
  await clock.advance(60_000);
  now = ['fd77::2'];
  await clock.advance(10_000);
  now = ['10.77.0.2', 'fd77::2'];
  await clock.advance(60_000);
  assert.equal(told, 'nothing yet');
  now = ['10.77.0.2', 'fd77::3'];
  await clock.advance(20_000);
  await done;
  assert.equal(told, 'fd77::2');
});

test('it ends with its signal', async () => {
  const stopping = new AbortController();
  const watching = addressGone(['10.77.0.2'], virtualClock(), stopping.signal, () => ['10.77.0.2']);
  stopping.abort(new Error('stop'));
  assert.equal(await watching, undefined);
});
