import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as q from './quantity.ts';

const canonical: [string, string][] = [
  ['0', '0'],
  ['0m', '0'],
  ['-0', '0'],
  ['0.5', '500m'],
  ['1.5', '1500m'],
  ['100m', '100m'],
  ['1000m', '1'],
  ['1500m', '1500m'],
  ['1024Mi', '1Gi'],
  ['1500Mi', '1500Mi'],
  ['1.5Gi', '1536Mi'],
  ['0.5Mi', '512Ki'],
  ['0.5Ki', '512'],
  ['1Ki', '1Ki'],
  ['1024', '1024'],
  ['100000', '100k'],
  ['3000000', '3M'],
  ['1e3', '1e3'],
  ['1E3', '1E3'],
  ['1000e3', '1e6'],
  ['12e2', '1200'],
  ['100e-3', '100e-3'],
  ['.5', '500m'],
  ['5.', '5.'],
  ['+1', '+1'],
  ['1n', '1n'],
  ['0.1n', '1n'],
  ['-0.1n', '-1n'],
  ['1.0000000001', '1000000001n'],
  ['0.3', '300m'],
  ['0.001Ki', '1024m'],
  ['0.0001Ki', '102400u'],
  ['9999999999999999999999Ei', `${2n ** 63n - 1n}`],
  ['8Ki', '8Ki'],
  ['0.0009765625Mi', '1Ki'],
  ['1023.5Ki', '1048064'],
  ['12345678901234567890', '12345678901234567890'],
  ['1E', '1E'],
  ['10P', '10P'],
];
test('quantities are written in the form the server stores', () => {
  for (const [input, want] of canonical) {
    assert.equal(q.formatQuantity(input), want, input);
  }
  assert.equal(q.formatQuantity({ nano: 5n * 10n ** 9n, format: 'DecimalSI' }), '5');
});

test('blanks around a quantity are dropped on decode only', () => {
  for (const text of [' 1', '1 ', '\t1\n']) assert.equal(q.canonicalQuantity(text), '1');
  assert.throws(() => q.canonicalQuantity(' '), q.QuantityError);
});

test('bad quantities are refused with upstream wording', () => {
  for (const bad of ['', ' 1', '1 ', 'abc', '1Kib', '1..2', '1.2.3', '0x10', '1,5', '1__proto__', '٣']) {
    assert.throws(() => q.parseQuantity(bad), /quantities must match the regular expression/, bad);
  }
  for (const bad of ['1K', '1KM', '1mi', '1e', '1Ki5', '1e99999999999', '1ee3', '--1']) {
    assert.throws(() => q.parseQuantity(bad), /unable to parse quantity's suffix/, bad);
  }
});

test('arithmetic keeps the first format and loses nothing', () => {
  assert.equal(q.formatQuantity(q.addQuantity('1Gi', '512Mi')), '1536Mi');
  assert.equal(q.formatQuantity(q.addQuantity('0', '512Mi')), '512Mi');
  assert.equal(q.formatQuantity(q.subQuantity('1', '100m')), '900m');
  assert.equal(q.formatQuantity(q.subQuantity('1', '2')), '-1');
  assert.equal(q.formatQuantity(q.mulQuantity('250m', 4)), '1');
  assert.equal(q.compareQuantity('1Gi', '1G'), 1);
  assert.equal(q.compareQuantity('1000m', 1), 0);
  assert.equal(q.unitsOf('1.5'), 2);
  assert.equal(q.unitsOf('64Mi'), 67108864);
  assert.equal(q.unitsOf('1m'), 1);
  assert.equal(q.milliValueOf('1.5'), 1500);
  assert.equal(q.milliValueOf('1u'), 1);
  assert.equal(q.floatOf('1500m'), 1.5);
  assert.equal(q.integerOf('1500m'), undefined);
  assert.equal(q.formatQuantity(q.milliQuantityOf(1500)), '1500m');
});

const text = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.nat(10 ** 9),
    fc.option(fc.nat(10 ** 6), { nil: undefined }),
    fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'e3', 'E-2'),
  )
  .map(([sign, whole, part, suffix]) => `${sign}${whole}${part === undefined ? '' : `.${part}`}${suffix}`);

test('writing and reading again gives the same value and the same text', () => {
  fc.assert(
    fc.property(text, input => {
      const parsed = q.parseQuantity(input);
      const written = q.formatQuantity(parsed);
      assert.equal(q.compareQuantity(parsed, written), 0);
      assert.equal(q.formatQuantity(written), written);
      assert.equal(q.canonicalQuantity(input), written);
    }),
  );
});

test('adding and subtracting are inverse; shortcuts agree with the exact value', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(q.compareQuantity(q.subQuantity(q.addQuantity(a, b), b), a), 0);
      assert.equal(q.unitsOf(a), q.unitsOf(q.parseQuantity(a)));
      assert.equal(q.milliValueOf(a), q.milliValueOf(q.parseQuantity(a)));
    }),
  );
});

test('any text is read or refused, quickly', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0123456789.eEinumkKMGTP+-x'), maxLength: 40 }), input => {
      try {
        q.parseQuantity(input);
      } catch (e) {
        assert.ok(e instanceof q.QuantityError);
      }
    }),
  );
  assert.throws(() => q.parseQuantity('9'.repeat(1_000_000)), q.QuantityError);
});
