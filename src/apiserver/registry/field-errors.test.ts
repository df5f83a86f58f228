import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aggregate, bounded, type FieldError, field } from './field-errors.ts';
import { validateObjectMeta } from './meta/object-meta.ts';

const each = (count: number, make: (i: number) => FieldError) => Array.from({ length: count }, (_, i) => make(i));

test('a validation ends when it has said enough', () => {
  let made = 0;
  const found = bounded(() =>
    each(1_000_000, i => {
      made += 1;
      return field.required(`spec.items[${i}]`);
    }),
  );
  assert.equal(found.length, made);
  assert.ok(made > 10_000 && made < 100_000, String(made));
  assert.deepEqual(found[1], field.required('spec.items[1]'));
  const few = bounded(() => each(3, i => field.required(`a[${i}]`)));
  assert.equal(few.length, 3);
});

test('errors that show the whole list end the validation after a few, not after one for each item', () => {
  const owner = { apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'b', controller: true };
  const ownerReferences = Array.from({ length: 20_000 }, () => owner);
  const found = bounded(() => validateObjectMeta({ name: 'a', namespace: 'default', ownerReferences }, true));
  assert.equal(found.length, 1);
});

test('an answer shows the beginning of a long list, and one error whatever its length', () => {
  const { causes, message } = aggregate(each(1_000_000, i => field.forbidden(`a[${i}]`, 'x')));
  assert.ok(causes.length > 10_000 && causes.length < 100_000);
  assert.ok(message.startsWith('[a[0]: Forbidden: x, a[1]: Forbidden: x, '));
  assert.equal(aggregate([field.invalid('a', 'x'.repeat(2 << 20), 'long')]).causes.length, 1);
});
