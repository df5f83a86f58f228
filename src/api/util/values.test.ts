import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as v from './values.ts';

test('equality of JSON values', () => {
  const table: [unknown, unknown, boolean, boolean][] = [
    [{ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 }, true, true],
    [{ a: 1 }, { a: 1, b: undefined }, true, true],
    [{ a: 1 }, { a: 1, b: null }, false, true],
    [{ a: {} }, {}, false, true],
    [{ a: [] }, { a: null }, false, true],
    [{ a: [{}] }, { a: [] }, false, false],
    [[1, 2], [2, 1], false, false],
    [[], {}, false, true],
    [{ a: 0 }, {}, false, false],
    [{ a: '' }, {}, false, false],
    ['1', 1, false, false],
    [null, undefined, false, true],
    [JSON.parse('{"__proto__":1}'), {}, false, false],
    [{ a: 1 }, JSON.parse('{"__proto__":{"a":1}}'), false, false],
    [{ toString: 1 }, {}, false, false],
  ];
  for (const [a, b, deep, semantic] of table) {
    const label = `${JSON.stringify(a)} ${JSON.stringify(b)}`;
    assert.equal(v.deepEqual(a, b), deep, label);
    assert.equal(v.deepEqual(b, a), deep, label);
    assert.equal(v.semanticEqual(a, b), semantic, label);
    assert.equal(v.semanticEqual(b, a), semantic, label);
  }
});

test('a clone is equal, shares nothing and keeps every key', () => {
  fc.assert(
    fc.property(fc.json(), text => {
      const value: unknown = JSON.parse(text);
      const copy = v.deepClone(v.deepFreeze(value));
      assert.equal(JSON.stringify(copy), JSON.stringify(value));
      assert.ok(v.deepEqual(copy, value));
      if (typeof value === 'object' && value !== null) assert.notEqual(copy, value);
    }),
  );
  const copy = v.deepClone(JSON.parse('{"__proto__":{"x":1}}')) as { x?: number };
  assert.ok(Object.hasOwn(copy, '__proto__'));
  assert.equal(copy.x, undefined);
});

test('own fields only', () => {
  assert.equal(v.getOwn({}, 'constructor'), undefined);
  const object: v.JsonObject = {};
  v.setOwn(object, '__proto__', { polluted: true });
  assert.equal(object['polluted'], undefined);
  assert.deepEqual(v.getOwn(object, '__proto__'), { polluted: true });
});

test('depth is measured without going deeper than the limit', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  assert.equal(v.exceedsDepth(deep), true);
  assert.equal(v.exceedsDepth([[[1]]], 3), false);
  assert.equal(v.exceedsDepth([[[1]]], 2), true);
});
