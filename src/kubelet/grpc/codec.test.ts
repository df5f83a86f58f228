import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createCodec } from './codec.ts';

const codec = createCodec(`
@Color RED GREEN
Inner id=1:i
All text=1:s raw=2:y flag=3:b signed=4:i plain=5:u ratio=6:d labels=7:m color=8:@Color inner=9:Inner many=10:Inner* numbers=11:i* words=12:s*
Less text=1:s
`);

test('known bytes', () => {
  assert.deepEqual(
    codec.encode('All', { text: 'testing', signed: 150 }),
    Uint8Array.from(Buffer.from('0a0774657374696e67209601', 'hex')),
  );
  assert.deepEqual(codec.encode('Inner', { id: -1 }), Uint8Array.from(Buffer.from('08ffffffffffffffffff01', 'hex')));
  assert.equal(codec.encode('All', { text: '', flag: false, color: 'RED', signed: 0 }).length, 0);
});

test('packed numbers are read', () => {
  const packed = Uint8Array.from([0x5a, 0x03, 0x01, 0x96, 0x01]);
  assert.deepEqual(codec.decode<{ numbers: number[] }>('All', packed).numbers, [1, 150]);
});

test('unknown fields are skipped, absent ones have their defaults', () => {
  const bytes = codec.encode('All', { text: 'a', labels: { k: 'v' }, ratio: 1.5, inner: { id: 7 } });
  assert.deepEqual(codec.decode('Less', bytes), { text: 'a' });
  assert.deepEqual(codec.decode('All', new Uint8Array(0)), {
    text: '',
    raw: new Uint8Array(0),
    flag: false,
    signed: 0,
    plain: 0,
    ratio: 0,
    labels: {},
    color: 'RED',
    many: [],
    numbers: [],
    words: [],
  });
});

test('cut messages are refused', () => {
  assert.throws(() => codec.decode('All', Uint8Array.from([0x0a, 0x05, 0x61])), /cut short/);
});

test('every value survives a round trip', () => {
  const value = fc.record({
    text: fc.string(),
    raw: fc.uint8Array(),
    flag: fc.boolean(),
    signed: fc.maxSafeInteger(),
    plain: fc.nat(Number.MAX_SAFE_INTEGER),
    ratio: fc.double({ noNaN: true }),
    labels: fc.dictionary(fc.stringMatching(/^[a-z./]*$/), fc.string(), { noNullPrototype: true }),
    color: fc.constantFrom('RED', 'GREEN'),
    inner: fc.record({ id: fc.integer() }, { noNullPrototype: true }),
    many: fc.array(fc.record({ id: fc.integer() }, { noNullPrototype: true })),
    numbers: fc.array(fc.integer()),
    words: fc.array(fc.string()),
  });
  fc.assert(
    fc.property(value, v => {
      const { labels, ...rest } = codec.decode<typeof v>('All', codec.encode('All', v));
      assert.deepEqual(rest, (({ labels: _, ...others }) => others)(v));
      assert.deepEqual(Object.entries(labels).sort(), Object.entries(v.labels).sort());
    }),
  );
});
