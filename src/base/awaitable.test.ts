import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Awaitable, after, settle } from './awaitable.ts';

const sooner = (n: number): Awaitable<number> => n;
const later = async (n: number) => n;
const thrown = (): Awaitable<number> => {
  throw new Error('no');
};
const rejected = async (): Promise<number> => thrown();

test('what is there is used at once, what is not when it comes', async () => {
  assert.equal(
    after(sooner(1), n => n + 1),
    2,
  );
  assert.equal(await after(later(1), n => n + 1), 2);
  assert.equal(await after(sooner(1), later), 1);
  assert.throws(() => after(sooner(1), thrown));
  await assert.rejects(async () => after(later(1), thrown));
});

test('a failure is told once, however it comes', async () => {
  const outcome = (run: () => Awaitable<number>) =>
    settle(
      run,
      n => `value ${n}`,
      e => `failure ${(e as Error).message}`,
    );
  assert.equal(
    outcome(() => 1),
    'value 1',
  );
  assert.equal(outcome(thrown), 'failure no');
  assert.equal(await outcome(() => later(1)), 'value 1');
  assert.equal(await outcome(rejected), 'failure no');
});
