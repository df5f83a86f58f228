import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode, encode, fields, type Schema } from './protobuf.ts';

const schema: Schema = {
  Outer: fields('id 1 int, name 2 string, data 3 bytes, flag 4 bool, inner 5 Inner, many 16 Inner*, names 17 string*'),
  Inner: fields('value 1 int, gap 2000 int'),
  Narrow: fields('id 1 int'),
};
const int = fc.oneof(
  fc.maxSafeInteger(),
  fc.nat(300),
  fc.constantFrom(0, 127, 128, -1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const inner = fc.record({ value: int, gap: int }, { noNullPrototype: true });
const outer = fc.record(
  {
    id: int,
    name: fc.string({ unit: 'grapheme' }),
    data: fc.uint8Array({ maxLength: 400 }),
    flag: fc.boolean(),
    inner,
    many: fc.array(inner, { minLength: 1 }),
    names: fc.array(fc.string(), { minLength: 1 }),
  },
  { noNullPrototype: true },
);

test('decodes what it encoded', () => {
  fc.assert(
    fc.property(outer, message => {
      const decoded = decode(schema, 'Outer', encode(schema, 'Outer', message));
      assert.deepEqual({ ...decoded, data: new Uint8Array(decoded['data'] as Uint8Array) }, message);
    }),
  );
});

test('skips fields that it does not know', () => {
  fc.assert(
    fc.property(outer, message => {
      assert.deepEqual(decode(schema, 'Narrow', encode(schema, 'Outer', message)), { id: message.id });
    }),
  );
  const fixed = Buffer.from([0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4]);
  assert.deepEqual(decode({ Empty: [] }, 'Empty', fixed), {});
});

test('matches the published wire format', () => {
  assert.equal(encode(schema, 'Inner', { value: 150 }).toString('hex'), '089601');
  assert.equal(encode(schema, 'Inner', { value: -1 }).toString('hex'), '08ffffffffffffffffff01');
  assert.equal(encode(schema, 'Outer', { name: 'testing' }).toString('hex'), '120774657374696e67');
});

test('refuses a message cut short', () => {
  const whole = encode(schema, 'Outer', { name: 'testing' });
  for (let length = 1; length < whole.length; length++) {
    assert.throws(() => decode(schema, 'Outer', whole.subarray(0, length)), /truncated/);
  }
});
