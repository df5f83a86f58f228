/** Schemas of custom resources made at random, and any value against them: nothing throws, and pruning and defaulting settle at once. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { coerce, prune } from '../../src/api/codec/coerce.ts';
import { DecodeError } from '../../src/api/codec/decode-error.ts';
import {
  defaultCustom,
  structuralSchema,
  validateCustom,
  validateCustomUpdate,
  validateStructural,
} from '../../src/api/crd/index.ts';
import type { JSONSchemaProps } from '../../src/api/types/apiextensions-v1.ts';

const names = fc.constantFrom('a', 'b', 'spec', 'metadata', '__proto__', 'constructor');
const { schema: arbitrarySchema } = fc.letrec<{ schema: JSONSchemaProps; leaf: JSONSchemaProps }>(tie => ({
  leaf: fc.record(
    {
      type: fc.constantFrom('string', 'integer', 'number', 'boolean', 'object', 'array'),
      nullable: fc.boolean(),
      default: fc.jsonValue({ maxDepth: 2 }),
      enum: fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 2 }),
      pattern: fc.constantFrom('^a', '[', '(x|y)+$'),
      format: fc.constantFrom('ipv4', 'date', 'other'),
      minimum: fc.integer(),
      maxLength: fc.nat({ max: 5 }),
      maxItems: fc.nat({ max: 3 }),
      'x-kubernetes-int-or-string': fc.boolean(),
      'x-kubernetes-preserve-unknown-fields': fc.boolean(),
      'x-kubernetes-embedded-resource': fc.boolean(),
      'x-kubernetes-list-type': fc.constantFrom('set', 'map', 'atomic', 'odd'),
      'x-kubernetes-list-map-keys': fc.array(names, { maxLength: 2 }),
      'x-kubernetes-map-type': fc.constantFrom('granular', 'atomic'),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<JSONSchemaProps>,
  schema: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    tie('leaf'),
    fc
      .record(
        {
          base: tie('leaf'),
          properties: fc.dictionary(names, tie('schema'), { maxKeys: 3 }),
          items: tie('schema'),
          additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
          required: fc.array(names, { maxLength: 2 }),
          anyOf: fc.array(tie('schema'), { maxLength: 2 }),
          oneOf: fc.array(tie('schema'), { maxLength: 2 }),
          not: tie('schema'),
        },
        { requiredKeys: ['base'] },
      )
      .map(({ base, ...rest }) => ({ ...(base as object), ...rest }) as JSONSchemaProps),
  ) as fc.Arbitrary<JSONSchemaProps>,
}));
const arbitraryValue = fc.dictionary(names, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 4 });
const limits = { numRuns: 1000, interruptAfterTimeLimit: 5000, markInterruptAsFailure: false };

test('structural checks end with problems, not exceptions', () => {
  fc.assert(
    fc.property(arbitrarySchema, props => {
      for (const found of validateStructural(props, 'schema')) assert.ok(found.field && found.message);
    }),
    limits,
  );
});

test('pruning and defaulting are idempotent; validating never throws', () => {
  fc.assert(
    fc.property(arbitrarySchema, arbitraryValue, (props, value) => {
      const schema = structuralSchema(props);
      let decoded: Record<string, unknown>;
      try {
        decoded = coerce(structuredClone(value), schema, { unknown: [] });
      } catch (e) {
        assert.ok(e instanceof DecodeError);
        return;
      }
      const again = prune(structuredClone(decoded), schema);
      assert.deepEqual(again, decoded);
      if (validateStructural(props, 'schema').length > 0) return;
      defaultCustom(decoded, schema);
      const once = structuredClone(decoded);
      defaultCustom(decoded, schema);
      assert.deepEqual(decoded, once);
      validateCustom(decoded, schema);
      assert.deepEqual(validateCustomUpdate(decoded, once, schema), []);
    }),
    limits,
  );
});
