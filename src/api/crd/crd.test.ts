import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeJson } from '../codec/json.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import {
  defaultCustom,
  hasFormat,
  type Problem,
  structuralSchema,
  validateCustom,
  validateCustomUpdate,
  validateStatusUpdate,
  validateStructural,
} from './index.ts';

const texts = (problems: readonly Problem[]) => problems.map(p => `${p.field}: ${p.message}`);

const widget: JSONSchemaProps = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['replicas'],
      properties: {
        replicas: { type: 'integer', minimum: 1, maximum: 10 },
        mode: { type: 'string', enum: ['a', 'b'], default: 'a' },
        name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
        port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
        note: { type: 'string', nullable: true },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        parts: {
          type: 'array',
          maxItems: 3,
          items: {
            type: 'object',
            properties: { id: { type: 'string', default: '' }, size: { type: 'integer', default: 1 } },
          },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['id'],
        },
        sizes: { type: 'object', additionalProperties: { type: 'number' } },
        any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        ip: { type: 'string', format: 'ipv4' },
        either: {
          type: 'object',
          properties: { x: { type: 'string' }, y: { type: 'string' } },
          oneOf: [{ required: ['x'] }, { required: ['y'] }],
        },
      },
    },
  },
};
const schema = structuralSchema(widget);
const object = (spec: unknown) => ({ apiVersion: 'g/v1', kind: 'Widget', metadata: { name: 'w' }, spec });

test('values are checked in the words of the API server', () => {
  const cases: [unknown, string[]][] = [
    [{ replicas: 3 }, []],
    [{}, ['spec.replicas: Required value']],
    [{ replicas: 11 }, ['spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10']],
    [
      { replicas: 'x' },
      ['spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"'],
    ],
    [
      { replicas: 1.5 },
      ['spec.replicas: Invalid value: "number": spec.replicas in body must be of type integer: "number"'],
    ],
    [{ replicas: 1, mode: 'c' }, ['spec.mode: Unsupported value: "c": supported values: "a", "b"']],
    [{ replicas: 1, name: 'A' }, [`spec.name: Invalid value: "A": spec.name in body should match '^[a-z]+$'`]],
    [{ replicas: 1, name: 'abcdef' }, ['spec.name: Too long: may not be more than 5 bytes']],
    [
      { replicas: 1, port: true },
      ['spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"'],
    ],
    [{ replicas: 1, port: 'http', note: null }, []],
    [{ replicas: 1, tags: ['a', 'b', 'a'] }, ['spec.tags[2]: Duplicate value: "a"']],
    [{ replicas: 1, parts: [{ id: 'x' }, { id: 'x' }] }, ['spec.parts[1]: Duplicate value: {"id":"x"}']],
    [
      { replicas: 1, parts: [{}, {}, {}, {}] },
      ['spec.parts: Too many: 4: must have at most 3 items', 'spec.parts[1]: Duplicate value: {}'],
    ],
    [
      { replicas: 1, sizes: { a: 'x' } },
      ['spec.sizes.a: Invalid value: "string": spec.sizes.a in body must be of type number: "string"'],
    ],
    [{ replicas: 1, ip: '1.2.3' }, ['spec.ip: Invalid value: "1.2.3": spec.ip in body must be of type ipv4: "1.2.3"']],
    [
      { replicas: 1, either: {} },
      [
        '<nil>: Invalid value: "": "spec.either" must validate one and only one schema (oneOf). Found none valid',
        'spec.either.x: Required value',
      ],
    ],
  ];
  for (const [spec, expected] of cases) assert.deepEqual(texts(validateCustom(object(spec), schema)), expected);
});

test('all that a schema says is checked, in its order', () => {
  const text: JSONSchemaProps = { type: 'string' };
  const cases: [JSONSchemaProps, unknown, string[]][] = [
    [
      { type: 'integer', enum: [1, 2] },
      'x',
      [
        'v: Invalid value: "string": v in body must be of type integer: "string"',
        'v: Unsupported value: "x": supported values: "1", "2"',
      ],
    ],
    [{ ...text, maxLength: 1, pattern: '^a$' }, 'bb', ['v: Too long: may not be more than 1 byte']],
    [
      { ...text, nullable: true, enum: ['a', null] },
      null,
      ['v: Unsupported value: null: supported values: "a", "null"'],
    ],
    [{ ...text, format: 'date' }, 5, ['v: Invalid value: "int64": v in body must be of type date: "int64"']],
    [{ ...text, format: 'date' }, true, ['v: Invalid value: "": v in body must be of type date: ""']],
    [{ ...text, format: 'date' }, [], []],
    [{ type: 'number', minimum: 0.5, maximum: 1.5 }, 0, []],
    [{ type: 'number', maximum: 1.5 }, 2, ['v: Invalid value: 2: v in body should be less than or equal to 1']],
    [
      { type: 'number', multipleOf: 0.5 },
      1,
      ['v: Invalid value: 0: factor MultipleOf declared for v must be positive: 0'],
    ],
    [{ type: 'number', multipleOf: 0.5 }, 1.5, []],
    [
      { type: 'object', properties: { a: text }, required: ['a', 'b'], minProperties: 2 },
      { a: 1 },
      [
        'v: Invalid value: 1: v in body should have at least 2 properties',
        'v.a: Invalid value: "integer": v.a in body must be of type string: "integer"',
        'v.b: Required value',
      ],
    ],
    [
      { ...text, allOf: [{ maxLength: 1 }, { pattern: '^b' }] },
      'aa',
      [
        'v: Too long: may not be more than 1 byte',
        `v: Invalid value: "aa": v in body should match '^b'`,
        '<nil>: Invalid value: "": "v" must validate all the schemas (allOf). None validated',
      ],
    ],
    [
      {
        type: 'object',
        properties: { a: text, b: text },
        anyOf: [{ required: ['c'] }, { properties: { a: { maxLength: 1 } }, required: ['b', 'c'] }],
      },
      { a: 'aa' },
      [
        '<nil>: Invalid value: "": "v" must validate at least one schema (anyOf)',
        'v.a: Too long: may not be more than 1 byte',
        'v.b: Required value',
        'v.c: Required value',
      ],
    ],
  ];
  for (const [v, value, expected] of cases)
    assert.deepEqual(
      texts(validateCustom({ v: value }, structuralSchema({ type: 'object', properties: { v } }))),
      expected,
      JSON.stringify(v),
    );
});

test('a write of the status is judged by its own schema, and named relative to it', () => {
  const size: JSONSchemaProps = { type: 'integer', not: { enum: [3] } };
  const whole = structuralSchema({
    type: 'object',
    required: ['spec'],
    properties: { spec: { type: 'string' }, status: { type: 'object', properties: { size }, required: ['size'] } },
  });
  const judge = (status: unknown, old?: unknown) =>
    texts(validateStatusUpdate({ spec: 1, status }, { status: old }, whole));
  assert.deepEqual(judge({}), ['status.size: Required value']);
  assert.deepEqual(judge({ size: 'x' }), [
    'status.size: Invalid value: "string": size in body must be of type integer: "string"',
  ]);
  assert.deepEqual(judge({ size: 3 }), ['status: Invalid value: "": "size" must not validate the schema (not)']);
  assert.deepEqual(judge({ size: 3, a: 1 }, { size: 3 }), []);
});

test('branches of a junctor may keep what was wrong before, too', () => {
  const part: JSONSchemaProps = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } } };
  const ratcheted = structuralSchema({
    type: 'object',
    properties: { v: { ...part, allOf: [{ properties: { a: { maxLength: 1 } } }] } },
  });
  assert.deepEqual(texts(validateCustomUpdate({ v: { a: 'aa', b: 'x' } }, { v: { a: 'aa' } }, ratcheted)), []);
});

test('a null in a list of "map" type is an item without keys', () => {
  const items = {
    type: 'object',
    nullable: true,
    properties: { k: { type: 'string' }, a: { type: 'string' } },
  };
  const list = structuralSchema({
    type: 'object',
    properties: {
      v: { type: 'array', items, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k', 'a'] },
    },
  });
  assert.deepEqual(texts(validateCustom({ v: [null, {}] }, list)), ['v[1]: Duplicate value: {}']);
  assert.deepEqual(
    texts(
      validateCustom(
        {
          v: [
            { k: 'x', a: 'y' },
            { a: 'y', k: 'x' },
          ],
        },
        list,
      ),
    ),
    ['v[1]: Duplicate value: {"a":"y","k":"x"}'],
  );
});

test('a definition may constrain the name', () => {
  const named = structuralSchema({
    type: 'object',
    properties: { metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 3 } } } },
  });
  const value = { apiVersion: 'g/v1', kind: 'Widget', metadata: { name: 'abcd' } };
  assert.deepEqual(texts(validateCustom(value, named)), ['metadata.name: Too long: may not be more than 3 bytes']);
});

test('an update may keep what was wrong before, not bring more', () => {
  const old = object({ replicas: 99, parts: [{ id: 'a', size: 'x' }], tags: ['a', 'a'] });
  const same = object({ replicas: 99, note: 'n', parts: [{ id: 'b' }, { id: 'a', size: 'x' }], tags: ['a', 'a'] });
  assert.deepEqual(texts(validateCustomUpdate(same, old, schema)), []);
  const worse = object({ replicas: 98, parts: [{ id: 'b', size: 'x' }] });
  assert.deepEqual(
    validateCustomUpdate(worse, old, schema).map(p => p.field),
    ['spec.parts[0].size', 'spec.replicas'],
  );
});

test('decoding prunes, reports in strict mode, and keeps what is preserved', () => {
  const kind = { group: 'g', version: 'v1', kind: 'Widget' };
  const body = { ...object({ replicas: 1, foo: 1, any: { z: [1] }, parts: [{ id: 'a', b: 2 }] }), extra: {} };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const { value, warnings } = decodeJson(bytes, { schema, kind, mode: 'warn' });
  assert.deepEqual(warnings, ['unknown field "extra"', 'unknown field "spec.foo"', 'unknown field "spec.parts[0].b"']);
  assert.deepEqual(value['spec'], { any: { z: [1] }, parts: [{ id: 'a' }], replicas: 1 });
});

test('below additionalProperties: true objects are emptied', () => {
  const open = structuralSchema({
    type: 'object',
    properties: { m: { type: 'object', additionalProperties: true } },
  });
  const bytes = new TextEncoder().encode('{"m":{"a":{"b":1},"c":1,"d":[{"e":1},null],"n":null}}');
  const { value, warnings } = decodeJson(bytes, {
    schema: open,
    kind: { group: '', version: '', kind: '' },
    mode: 'warn',
  });
  assert.deepEqual(value, { m: { a: {}, c: 1, d: [{}, null], n: null } });
  assert.deepEqual(warnings, ['unknown field "m.a.b"', 'unknown field "m.d[0].e"']);
});

test('defaults fill what is missing or wrongly null; other nulls go', () => {
  const value = object({ replicas: null, mode: null, note: null, parts: [{ id: 'a' }] });
  defaultCustom(value, schema);
  assert.deepEqual(value.spec, { mode: 'a', note: null, parts: [{ id: 'a', size: 1 }] });
});

test('schemas that are not structural are named so', () => {
  const cases: [JSONSchemaProps, string[]][] = [
    [widget, []],
    [{}, ['s.type: Required value: must not be empty at the root']],
    [
      { type: 'object', properties: { a: {} } },
      ['s.properties[a].type: Required value: must not be empty for specified object fields'],
    ],
    [
      { type: 'object', anyOf: [{ properties: { b: { type: 'string' } } }] },
      [
        's.anyOf[0].properties[b].type: Forbidden: must be empty to be structural',
        's.properties[b]: Required value: because it is defined in s.anyOf[0].properties[b]',
      ],
    ],
    [
      { type: 'object', additionalProperties: { type: 'string' } },
      ['s.additionalProperties: Forbidden: must not be used at the root'],
    ],
    [
      { type: 'object', properties: { a: { type: 'integer', default: 'x' } } },
      ['s.properties[a].default: Invalid value: "string":  in body must be of type integer: "string"'],
    ],
    [
      {
        type: 'object',
        properties: { a: { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } } },
      },
      [
        's.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map',
      ],
    ],
    [
      { type: 'object', properties: { a: { type: 'array', items: [] } } },
      ['s.properties[a].items: Forbidden: items must be a schema object and not an array'],
    ],
    [{ type: 'object', $schema: 'x' }, [`s: Invalid value: "": OpenAPIV3Schema 'schema' is not supported`]],
    [{ type: 'object', $ref: '#/x' }, ['s.$ref: Forbidden: $ref is not supported']],
    [{ type: 'object', nullable: true }, ['s.nullable: Forbidden: nullable cannot be true at the root']],
    [
      {
        type: 'object',
        properties: {
          a: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['k'],
            items: { type: 'object', nullable: true, properties: { k: { type: 'string', nullable: true } } },
          },
        },
      },
      [
        's.properties[a].items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is map',
        's.properties[a].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        's.properties[a].items.properties[k].nullable: Forbidden: this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
      ],
    ],
    [
      {
        type: 'object',
        properties: {
          metadata: { type: 'object', properties: { name: { type: 'string', default: 'a' } } },
          a: { type: 'string', 'x-kubernetes-validations': [{ rule: '' }, { rule: 'a\nb' }] },
        },
      },
      [
        's.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata',
        's.properties[a].x-kubernetes-validations[0].rule: Required value: rule is not specified',
        's.properties[a].x-kubernetes-validations[1].message: Required value: message must be specified if rule contains line breaks',
      ],
    ],
  ];
  for (const [props, expected] of cases) assert.deepEqual(texts(validateStructural(props, 's')), expected);
  assert.match(
    texts(validateStructural({ type: 'object', maxProperties: 1 }, 's', true))[0] ?? '',
    /^s: Invalid value: .*: only \[Description Type .* XValidations\] fields are allowed at the root of the schema if the status subresource is enabled$/,
  );
});

test('formats', () => {
  const cases: [string, string, boolean][] = [
    ['ipv6', '::1', true],
    ['ipv6', '1::2::3', false],
    ['ipv6', '::ffff:1.2.3.4', true],
    ['cidr', '10.0.0.0/8', true],
    ['cidr', '10.0.0.0/33', false],
    ['uuid4', '8c0f8e3a-4a65-4f3c-9d3b-2f1d3f0a9b1c', true],
    ['date', '2026-02-30', false],
    ['date-time', '2026-02-03T01:02:03Z', true],
    ['duration', '1h30m', true],
    ['duration', 'soon', false],
    ['byte', 'aGk=', true],
    ['byte', '***', false],
    ['isbn13', '978-0321751041', true],
    ['hostname', 'a.b-c', true],
    ['k8s-short-name', 'A', false],
    ['made-up', 'anything', true],
  ];
  for (const [format, text, expected] of cases) assert.equal(hasFormat(text, format), expected, `${format} ${text}`);
});

test('no format takes more than linear time', () => {
  const texts = ['1', '1:', '1.', ' ', 'a@', ':', '-', '1h'].map(part => part.repeat(100_000));
  const formats =
    'uri email hostname ipv4 ipv6 cidr mac uuid isbn creditcard rgbcolor byte date duration datetime k8s-long-name';
  const started = performance.now();
  for (const format of formats.split(' ')) for (const text of texts) hasFormat(text, format);
  assert.ok(performance.now() - started < 5000);
});
