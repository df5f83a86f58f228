import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { virtualClock } from '../base/virtual-clock.ts';
import { createConvergence } from './convergence.ts';

function converging(rounds: (() => Promise<void>)[], gatherMs?: number) {
  const clock = virtualClock();
  let count = 0;
  const convergence = createConvergence({
    ...{ clock, log: silentLogger, failure: 'no', retryMs: 1000, ...(gatherMs !== undefined && { gatherMs }) },
    async apply() {
      count += 1;
      await rounds[count - 1]?.();
    },
  });
  return { clock, convergence, count: () => count };
}

test('a burst of changes is one round', async () => {
  const { clock, convergence, count } = converging([], 20);
  for (let i = 0; i < 10; i++) convergence.touch();
  assert.equal(count(), 0);
  await clock.advance(20);
  await convergence.flushed();
  assert.equal(count(), 1);
});

test('a change during a round leads to another, and flushed waits for it', async () => {
  const { convergence, count } = converging([async () => convergence.touch()]);
  convergence.touch();
  await convergence.flushed();
  assert.equal(count(), 2);
});

test('a round that failed is tried again', async () => {
  const { clock, convergence, count } = converging([() => Promise.reject(new Error('busy'))]);
  convergence.touch();
  await clock.advance(999);
  assert.equal(count(), 1);
  await clock.advance(1);
  await convergence.flushed();
  assert.equal(count(), 2);
});

for (const [what, advanceMs, gatherMs, done] of [
  ['gathering', 5, 20, 0],
  ['waiting after a failure', 25, 20, 1],
] as const) {
  test(`stopping while ${what} ends at once, without another round`, async () => {
    const { clock, convergence, count } = converging([() => Promise.reject(new Error('busy'))], gatherMs);
    convergence.touch();
    await clock.advance(advanceMs);
    await convergence.stop();
    await clock.advance(5000);
    assert.equal(count(), done);
  });
}
