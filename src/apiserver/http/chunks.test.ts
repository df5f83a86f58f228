import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Chunks } from './chunks.ts';

test('a body is its pieces in order, however they come', () => {
  const length = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 2_000 }), fc.constant(20_000));
  fc.assert(
    fc.property(fc.array(length, { maxLength: 80, size: 'max' }), lengths => {
      const pieces = lengths.map((n, i) => Buffer.alloc(n, i % 251));
      const chunks = new Chunks();
      for (const piece of pieces) chunks.add(piece);
      assert.equal(chunks.size, Buffer.concat(pieces).length);
      assert.ok(chunks.whole().equals(Buffer.concat(pieces)));
      chunks.clear();
      assert.deepEqual([chunks.size, chunks.count, chunks.whole().length], [0, 0, 0]);
    }),
  );
});

test('a million pieces of a byte are held in a hundred buffers', () => {
  const chunks = new Chunks();
  const piece = Buffer.from('x');
  for (let i = 0; i < 1_000_000; i++) chunks.add(piece);
  assert.ok(chunks.count < 100, String(chunks.count));
  assert.equal(chunks.whole().length, 1_000_000);
});
