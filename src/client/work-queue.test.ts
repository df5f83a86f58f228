import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { virtualClock } from '../base/virtual-clock.ts';
import { createWorkQueue } from './work-queue.ts';

test('a key is in work at most once, and again afterwards when it was added meanwhile', async () => {
  const queue = createWorkQueue({ clock: virtualClock() });
  queue.add('a');
  queue.add('a');
  queue.add('b');
  assert.equal(queue.length, 2);
  assert.equal(await queue.get(), 'a');
  queue.add('a');
  assert.equal(queue.length, 1);
  assert.equal(await queue.get(), 'b');
  queue.done('a');
  assert.equal(await queue.get(), 'a');
});

test('delays: the earlier one counts, and failures wait longer each time', async () => {
  const clock = virtualClock();
  const queue = createWorkQueue({ clock });
  queue.addAfter('a', 1_000);
  queue.addAfter('a', 100);
  queue.addAfter('a', 500);
  await clock.advance(99);
  assert.equal(queue.length, 0);
  await clock.advance(1);
  assert.equal(queue.length, 1);
  await queue.get();
  queue.done('a');
  await clock.advance(2_000);
  assert.equal(queue.length, 0, 'the later delays are gone');
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    const from = clock.monotonic();
    queue.addRateLimited('f');
    await clock.until(() => queue.length > 0);
    waits.push(clock.monotonic() - from);
    await queue.get();
    queue.done('f');
  }
  assert.deepEqual(waits, [5, 10, 20, 40]);
  assert.equal(queue.retries('f'), 4);
  queue.forget('f');
  assert.equal(queue.retries('f'), 0);
});

test('many failing keys share ten a second after the first hundred', async () => {
  const clock = virtualClock();
  const queue = createWorkQueue({ clock });
  for (let i = 0; i < 150; i++) queue.addRateLimited(`k${i}`);
  await clock.advance(5);
  assert.equal(queue.length, 100);
  await clock.advance(1_000);
  assert.equal(queue.length, 110);
});

test('shut down, it gives what waits and then nothing', async () => {
  const queue = createWorkQueue({ clock: virtualClock() });
  queue.add('a');
  const idle = createWorkQueue({ clock: virtualClock() });
  const waiting = idle.get();
  queue.shutDown();
  idle.shutDown();
  queue.add('late');
  assert.equal(await queue.get(), 'a');
  assert.equal(await queue.get(), undefined);
  assert.equal(await waiting, undefined);
});

test('whatever is added is handed out, and never twice at once', async () => {
  const actions = fc.array(
    fc.record({ op: fc.constantFrom('add', 'after', 'get', 'done'), key: fc.constantFrom('a', 'b', 'c') }),
    { maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(actions, async steps => {
      const clock = virtualClock();
      const queue = createWorkQueue({ clock });
      const held = new Set<string>();
      const owed = new Set<string>();
      const take = async () => {
        const key = (await queue.get()) ?? '';
        assert.ok(!held.has(key));
        held.add(key);
        owed.delete(key);
      };
      for (const { op, key } of steps) {
        if (op === 'add') queue.add(key);
        if (op === 'after') queue.addAfter(key, 10);
        if (op === 'add' || op === 'after') owed.add(key);
        if (op === 'get' && queue.length > 0) await take();
        if (op === 'done' && held.delete(key)) queue.done(key);
      }
      for (const key of [...held]) {
        held.delete(key);
        queue.done(key);
      }
      await clock.advance(10);
      while (queue.length > 0) await take();
      assert.equal(owed.size, 0);
    }),
  );
});
