import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTurns } from './turns.ts';

const nextTurn = () => new Promise(resolve => setImmediate(resolve));

test('work begins at once while there is room, and else in order in the turns that follow', async () => {
  const inTurn = createTurns(2);
  const begun: number[] = [];
  for (let i = 0; i < 5; i++) inTurn(() => begun.push(i));
  assert.deepEqual(begun, [0, 1]);
  await nextTurn();
  assert.deepEqual(begun, [0, 1, 2, 3]);
  inTurn(() => begun.push(5));
  assert.deepEqual(begun, [0, 1, 2, 3]);
  await nextTurn();
  assert.deepEqual(begun, [0, 1, 2, 3, 4, 5]);
  await nextTurn();
  await nextTurn();
  inTurn(() => begun.push(6));
  inTurn(() => begun.push(7));
  assert.deepEqual(begun.slice(6), [6, 7]);
});

test('work that asks for more of it leaves the rest of the turn to others', async () => {
  const inTurn = createTurns(1);
  const begun: string[] = [];
  const again = (left: number) => {
    begun.push('again');
    if (left > 0) inTurn(() => again(left - 1));
  };
  inTurn(() => again(2));
  inTurn(() => begun.push('other'));
  for (let i = 0; i < 6; i++) await nextTurn();
  assert.deepEqual(begun, ['again', 'again', 'other', 'again']);
});
