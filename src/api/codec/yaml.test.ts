import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { resourceOfKind } from '../catalog/index.ts';
import { DecodeError } from './decode-error.ts';
import { decodeYaml, encodeYaml, parseFirstYaml, parseYaml } from './yaml.ts';

const one = (text: string) => parseYaml(text)[0]?.value;

test('plain scalars mean what they mean to Go', () => {
  const cases: Record<string, unknown> = {
    yes: true,
    No: false,
    ON: true,
    y: true,
    n: false,
    '~': null,
    '0x1F': 31,
    '0o17': 15,
    '017': 15,
    '1_000': 1000,
    '1e3': 1000,
    '+.5': 0.5,
    '2001-01-01': '2001-01-01',
    '2001-12-14T21:59:43Z': '2001-12-14T21:59:43Z',
    '190:20:30': '190:20:30',
    '1.2.3': '1.2.3',
    '08': 8,
    '-0': 0,
  };
  for (const [text, value] of Object.entries(cases)) assert.deepEqual(one(`a: ${text}`), { a: value }, text);
});

test('keys become strings, merge keys merge, aliases are copies', () => {
  assert.deepEqual(one('1: a\nyes: b\n1.5: c\n'), { '1': 'a', true: 'b', '1.5': 'c' });
  const value = one('base: &b {x: 1}\nd:\n  <<: *b\n  z: 2\ne: *b\n') as { base: object; e: object; d: object };
  assert.deepEqual(value.d, { x: 1, z: 2 });
  assert.notEqual(value.base, value.e);
});

test('documents are split; a body is its first one', () => {
  assert.deepEqual(
    parseYaml('a: 1\n---\nb: 2\n').map(d => d.value),
    [{ a: 1 }, { b: 2 }],
  );
});

test('the first document ends at a marker, and what follows is not read', () => {
  const first = (text: string) => parseFirstYaml(new TextEncoder().encode(text), true)?.value;
  const cases: [string, unknown][] = [
    ['a: 1\n---\n{{{', { a: 1 }],
    ['# c\n\n%YAML 1.1\n---\na: 1\n...\n}', { a: 1 }],
    ['---\n---\na: 1\n', null],
    ['--- {a: 1}\n--- 2', { a: 1 }],
    ['a: |\n  ---\nb: ---x\n---x: ...y\n', { a: '---\n', b: '---x', '---x': '...y' }],
    ['', undefined],
  ];
  for (const [text, value] of cases) assert.deepEqual(first(text), value, JSON.stringify(text));
});

test('markers, comments, directives, line ends and JSON', () => {
  assert.deepEqual(one('---\n# c\na: 1 # d\n'), { a: 1 });
  assert.deepEqual(one('%YAML 1.1\n---\r\na: "x"\r\n...\n'), { a: 'x' });
  assert.deepEqual(one('{"a": "\\/\\ud83d\\ude00", "b": [1, {"c": null}]}'), { a: '/😀', b: [1, { c: null }] });
  assert.deepEqual(one('{"a": yes, b: 2}'), { a: true, b: 2 });
  assert.deepEqual(parseYaml('{"a": 1, "a": 2}', true)[0]?.duplicates, ['line 1: key "a" already set in map']);
  assert.deepEqual(
    parseYaml('# only a comment\n---\na: 1\n---\n').map(d => d.value),
    [{ a: 1 }, null],
  );
  assert.deepEqual(one('a: |\n  x\n  y\nb: >-\n  x\n  y\n'), { a: 'x\ny\n', b: 'x y' });
});

test('bombs, depth and rubbish are refused', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${Array.from('bcdefgh', (k, i) => {
    const before = 'abcdefg'[i];
    return `${k}: &${k} [${`*${before},`.repeat(10)}]\n`;
  }).join('')}`;
  assert.throws(() => parseYaml(bomb), /excessive aliasing/);
  assert.throws(() => parseYaml('['.repeat(20_000)), DecodeError);
  assert.throws(() => parseYaml('a: 9007199254740993'), /2\^53/);
  assert.throws(() => parseYaml('a: b: c'), DecodeError);
  assert.equal(({} as { x?: number }).x, undefined);
  assert.deepEqual(Object.keys(one('__proto__: {x: 1}') as object), ['__proto__']);
});

test('strict mode names repeated keys by line', () => {
  const kind = { group: '', version: 'v1', kind: 'ConfigMap' };
  const schema = resourceOfKind(kind)?.schema;
  assert.ok(schema);
  const body = new TextEncoder().encode('kind: ConfigMap\nmetadata:\n  name: a\n  name: b\nfoo: 1\n');
  assert.deepEqual(decodeYaml(body, { schema, kind, mode: 'warn' }).warnings, [
    'yaml: unmarshal errors:\n  line 4: key "name" already set in map',
    'unknown field "foo"',
  ]);
});

test('repeated keys: each with its line, and not more than a reader wants', () => {
  const { duplicates } = parseYaml(`x: 1\n${'a: 1\n\n'.repeat(300)}`, true)[0] ?? {};
  assert.equal(duplicates?.length, 100);
  assert.deepEqual(duplicates?.slice(0, 2), [
    'line 4: key "a" already set in map',
    'line 6: key "a" already set in map',
  ]);
});

test('output is what kubectl prints', () => {
  const value = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { annotations: {}, labels: { a10: 'x', a9: 'true', b: '1', c: '' } },
    spec: {
      containers: [{ name: 'a', args: ['-x', 'a: b', "it's"] }, []],
      script: 'a\nb\n',
      tail: 'a\nb',
      message: `${'word '.repeat(20)}end`,
    },
  };
  assert.equal(
    encodeYaml(value),
    `apiVersion: v1
kind: Pod
metadata:
  annotations: {}
  labels:
    a9: "true"
    a10: x
    b: "1"
    c: ""
spec:
  containers:
  - args:
    - -x
    - 'a: b'
    - it's
    name: a
  - []
  message: word word word word word word word word word word word word word word word
    word word word word word end
  script: |
    a
    b
  tail: |-
    a
    b
`,
  );
});

test('a key that would merge is quoted', () => {
  const value = { a: { '<<': '<<' } };
  const text = encodeYaml(value);
  assert.equal(text, 'a:\n  "<<": "<<"\n');
  assert.deepEqual(one(text), value);
});

test('any JSON value survives YAML', () => {
  const value = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }), { maxKeys: 5 });
  fc.assert(
    fc.property(value, v => {
      const plain = JSON.parse(JSON.stringify(v), (_, x) => (typeof x === 'number' ? x % 1e15 : x)) as object;
      assert.deepEqual(one(encodeYaml(plain)), plain);
    }),
    { numRuns: 300 },
  );
});
