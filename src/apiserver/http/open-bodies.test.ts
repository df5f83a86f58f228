import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits } from './limits.ts';
import { OpenBodies } from './open-bodies.ts';

function start(limits: Partial<typeof defaultLimits>) {
  const bodies = new OpenBodies({ ...defaultLimits, ...limits });
  const events: string[] = [];
  const begin = (name: string) =>
    bodies.begin(
      whole => events.push(`${name}: ${whole ? whole.length : 'too large'}`),
      () => events.push(`${name}: dropped`),
    );
  return {
    bodies,
    events,
    begin,
    take: (body: ReturnType<typeof begin>, n: number) => bodies.take(body, Buffer.alloc(n)),
  };
}

test('the oldest bodies go when all are too much', () => {
  const { bodies, events, begin, take } = start({ openBodies: 10 });
  const [a, b, c] = [begin('a'), begin('b'), begin('c')];
  take(a, 4);
  take(b, 4);
  take(a, 2);
  assert.deepEqual(events, []);
  take(c, 1);
  assert.deepEqual(events.splice(0), ['a: dropped']);
  bodies.finish(b);
  take(c, 9);
  assert.deepEqual(events.splice(0), ['b: 4']);
  take(c, 1);
  assert.deepEqual(events.splice(0), ['c: dropped']);
  const d = begin('d');
  take(d, 10);
  bodies.leave(d);
  take(begin('e'), 10);
  assert.deepEqual(events, []);
});

test('a body over the limit counts no more, and what follows is not heard', () => {
  const { bodies, events, begin, take } = start({ body: 5, openBodies: 8 });
  const [a, b] = [begin('a'), begin('b')];
  take(a, 5);
  take(a, 1);
  take(a, 100);
  bodies.finish(a);
  take(b, 5);
  bodies.finish(b);
  bodies.finish(b);
  assert.deepEqual(events, ['a: too large', 'b: 5']);
});
