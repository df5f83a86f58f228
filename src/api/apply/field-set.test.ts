import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as f from './field-set.ts';

const element = fc.constantFrom('f:a', 'f:b', 'k:{"name":"x"}', 'v:1', 'f:__proto__');
const path = fc.array(element, { minLength: 1, maxLength: 4 });
const paths = fc.array(path, { maxLength: 8 });
const text = (list: readonly (readonly string[])[]) => [...new Set(list.map(p => JSON.stringify(p)))].sort();
const contents = (set: f.FieldSet) => text(f.pathsOf(set));

test('a field set is a set of paths', () => {
  fc.assert(
    fc.property(paths, list => {
      const set = f.setOf(...list);
      assert.deepEqual(contents(set), text(list));
      for (const each of list) assert.ok(f.hasPath(set, each));
      assert.deepEqual(contents(f.encodeFieldSet(set)), text(list));
      assert.ok(f.decodeFieldSet(JSON.parse(JSON.stringify(set))));
    }),
  );
});

test('union, intersection and differences are those of the sets', () => {
  const startsWith = (p: string, q: string) => {
    const [a, b] = [JSON.parse(p) as string[], JSON.parse(q) as string[]];
    return b.every((part, i) => a[i] === part);
  };
  fc.assert(
    fc.property(paths, paths, (left, right) => {
      const [a, b] = [f.setOf(...left), f.setOf(...right)];
      const before = JSON.stringify([a, b]);
      const [l, r] = [text(left), text(right)];
      assert.deepEqual(contents(f.union(a, b)), text([...left, ...right]));
      assert.deepEqual(
        contents(f.intersection(a, b)),
        l.filter(p => r.includes(p)),
      );
      assert.deepEqual(
        contents(f.difference(a, b)),
        l.filter(p => !r.includes(p)),
      );
      assert.deepEqual(
        contents(f.recursiveDifference(a, b)),
        l.filter(p => !r.some(q => startsWith(p, q))),
      );
      assert.equal(
        f.intersects(a, b),
        l.some(p => r.includes(p)),
      );
      assert.equal(f.setsEqual(a, b), JSON.stringify(l) === JSON.stringify(r));
      assert.equal(JSON.stringify([a, b]), before);
    }),
  );
});

test('wrong sets from the wire are refused', () => {
  for (const bad of [1, [], { x: {} }, { 'f:a': 1 }, { 'k:{': {} }, { 'i:x': {} }, { 'f:a': { '': {} } }]) {
    assert.equal(f.decodeFieldSet(bad), undefined, JSON.stringify(bad));
  }
  let deep: f.FieldSet = {};
  for (let i = 0; i < 5000; i++) deep = { 'f:a': deep };
  assert.equal(f.decodeFieldSet(deep), undefined);
});

test('paths are shown as upstream shows them', () => {
  assert.equal(
    f.formatPath(['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:name']),
    '.spec.ports[port=80,protocol="TCP"].name',
  );
  assert.equal(f.formatPath(['f:metadata', 'f:finalizers', 'v:"x"']), '.metadata.finalizers[="x"]');
});
