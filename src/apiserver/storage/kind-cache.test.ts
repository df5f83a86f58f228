import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createKindCache, type KindCache } from './kind-cache.ts';

const value = Buffer.from('{"metadata":{}}');

const shown = (root: KindCache['root'] | undefined) => root?.values().map(entry => `${entry.key}@${entry.modRevision}`);

test('the objects of every revision of the window can be read', () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), remove: fc.boolean() });
  const manySteps = fc.array(step, { minLength: 1_500, maxLength: 3_000, size: 'max' });
  fc.assert(
    fc.property(manySteps, fc.integer({ min: 1, max: 400 }), (steps, events) => {
      const cache = createKindCache('/registry/x/', 10, { events, bytes: 1 << 30 });
      const seen = new Map([[10, shown(cache.root)]]);
      for (const [i, { key, remove }] of steps.entries()) {
        // Revisions of other kinds lie between.
        const revision = 11 + i * 2;
        const kv = { key: `/registry/x/${key}`, value, createRevision: 1, modRevision: revision, version: 1, lease: 0 };
        if (remove) cache.remove(key, revision);
        else cache.put(kv, undefined);
        seen.set(revision, shown(cache.root)).set(revision + 1, shown(cache.root));
        if (i % 9 === 0) assert.deepEqual(shown(cache.rootAt(cache.oldest)), seen.get(cache.oldest));
      }
      for (const [revision, expected] of seen)
        assert.deepEqual(shown(cache.rootAt(revision)), revision < cache.oldest ? undefined : expected);
    }),
    { numRuns: 15, endOnFailure: true },
  );
});
