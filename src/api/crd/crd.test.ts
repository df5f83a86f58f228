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
  assert.deepEqual(warnings, ['unknown field "spec.foo"', 'unknown field "spec.parts[0].b"', 'unknown field "extra"']);
  assert.deepEqual(value['spec'], { any: { z: [1] }, parts: [{ id: 'a' }], replicas: 1 });
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
      [
        's.properties[a].default: Invalid value: "string": s.properties[a].default in body must be of type integer: "string"',
      ],
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
