import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareKeys, PersistentMap } from './persistent-map.ts';

const key = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc.string({ unit: 'binary', maxLength: 3 }),
  fc.constantFrom('\u{1f600}', '\ue000', '\uffff', 'a\u{10000}', 'a\uff5e'),
);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('set' as const), key, value: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
);
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const expected = (model: Map<string, number>) => [...model].sort((a, b) => byBytes(a[0], b[0]));

test('keys compare as their UTF-8 encodings', () => {
  fc.assert(fc.property(key, key, (a, b) => Math.sign(compareKeys(a, b)) === Math.sign(byBytes(a, b))));
});

test('behaves as a sorted map, and every old version stays as it was', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), key, key, (steps, from, to) => {
      const model = new Map<string, number>();
      let map = PersistentMap.empty<number>();
      const versions: [PersistentMap<number>, [string, number][]][] = [];
      for (const [i, s] of steps.entries()) {
        if (s.type === 'set') {
          model.set(s.key, s.value);
          map = map.set(s.key, s.value);
        } else {
          model.delete(s.key);
          map = map.delete(s.key);
        }
        if (i % 16 === 0) versions.push([map, expected(model)]);
      }
      versions.push([map, expected(model)]);
      for (const [version, entries] of versions) {
        assert.deepEqual([...version], entries);
        assert.equal(version.size, entries.length);
        const inRange = entries.filter(([k]) => byBytes(k, from) >= 0 && byBytes(k, to) < 0);
        assert.deepEqual([...version.entries(from, to)], inRange);
        assert.equal(version.count(from, to), inRange.length);
        assert.deepEqual(
          version.values(from, to, 2),
          inRange.slice(0, 2).map(e => e[1]),
        );
      }
      for (const k of model.keys()) assert.equal(map.get(k), model.get(k));
    }),
  );
});

test('many changes at once are as one after the other, and the map before stays as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.array(step, { maxLength: 120 }), { maxLength: 8 }), fc.boolean(), (batches, many) => {
      const names = many ? Array.from({ length: 700 }, (_, i) => [`k${i}`, i] as const) : [];
      let one = PersistentMap.empty<number>();
      for (const [k, v] of names) one = one.set(k, v);
      let all = PersistentMap.fromSorted([...one]);
      for (const batch of batches) {
        const before = all;
        const entries = [...before];
        const changes = new Map<string, number | undefined>();
        for (const s of batch) {
          changes.set(s.key, s.type === 'set' ? s.value : undefined);
          one = s.type === 'set' ? one.set(s.key, s.value) : one.delete(s.key);
        }
        all = all.update(changes);
        assert.deepEqual([...all], [...one]);
        assert.deepEqual([...before], entries);
        assert.equal(all.size, one.size);
        for (const k of changes.keys()) {
          assert.equal(all.get(k), one.get(k));
          assert.equal(all.count('', k), one.count('', k));
        }
      }
      // A tree that changes left in good order takes single ones.
      for (const [k] of [...all]) all = all.delete(k);
      assert.equal(all.size, 0);
    }),
  );
});

test('stays balanced while large, from inserts in any order and from sorted input', () => {
  const names = Array.from({ length: 5000 }, (_, i) => `/registry/pods/${String((i * 7919) % 5000).padStart(5, '0')}`);
  let map = PersistentMap.empty<number>();
  for (const [i, name] of names.entries()) map = map.set(name, i);
  const sorted = PersistentMap.fromSorted([...map]);
  assert.deepEqual([...sorted], [...map]);
  for (const name of names.slice(0, 4990)) map = map.delete(name);
  assert.equal(map.size, 10);
  assert.equal(sorted.size, 5000);
  assert.deepEqual([...map].map(e => e[0]).sort(), names.slice(4990).sort());
  for (const name of names) map = map.delete(name);
  assert.deepEqual([...map], []);
  assert.equal(map.delete('x'), map);
});
