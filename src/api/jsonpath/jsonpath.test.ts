import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as j from './index.ts';

const data = {
  kind: 'List',
  items: [
    {
      metadata: { name: 'a', labels: { 'k8s.io/app': 'x' } },
      status: { n: 1, ready: true, ip: '10.0.0.1' },
      list: [1, 2, 3, 4],
    },
    { metadata: { name: 'b' }, status: { n: 2.5, ready: false } },
  ],
  nothing: null,
  html: '<&>',
};

test('templates print as kubectl prints them', () => {
  const table: [string, string][] = [
    ['hello', 'hello'],
    ['{.kind}', 'List'],
    ['{$.kind}', 'List'],
    ["{['kind']}", 'List'],
    ['{ .kind }', 'List'],
    ['{.items[*].metadata.name}', 'a b'],
    ['{.items[0].metadata.name}', 'a'],
    ['{.items[-1].metadata.name}', 'b'],
    ['{.items[-1:].metadata.name}', 'b'],
    ['{.items[0].list[0:2]}', '1 2'],
    ['{.items[0].list[:4:2]}', '1 3'],
    ['{.items[0].list[1::2]}', '2 4'],
    ['{.items[0].list[0,2]}', '1 3'],
    ['{.items[0].list}', '[1,2,3,4]'],
    ['{.items[0].status}', '{"ip":"10.0.0.1","n":1,"ready":true}'],
    ["{.items[0].metadata.labels['k8s\\.io/app']}", 'x'],
    ['{.items[0].metadata.labels.k8s\\.io/app}', 'x'],
    ['{..name}', 'a b'],
    ["{.items[*]['metadata.name', 'status.n']}", 'a b 1 2.5'],
    ['{range .items[*]}{.metadata.name}{"\\t"}{.status.n}{"\\n"}{end}', 'a\t1\nb\t2.5\n'],
    ['{range .items[*]}[{.metadata.name}]{end}!', '[a][b]!'],
    ['{range .items[:1]}{range .list[*]}{@},{end};{end}', '1,2,3,4,;'],
    ['{.items[?(@.status.n>1)].metadata.name}', 'b'],
    ['{.items[?(@.status.n<=1)].metadata.name}', 'a'],
    ['{.items[?(@.metadata.name=="b")].status.n}', '2.5'],
    ["{.items[?(@.metadata.name!='b')].status.n}", '1'],
    ['{.items[?(@.status.ready==true)].metadata.name}', 'a'],
    ['{.items[?(@.list)].metadata.name}', 'a'],
    ['{.nothing}', 'null'],
    ['{"{"}', '{'],
    ["{'quoted'}", 'quoted'],
    ['{.items[0].status.*}', '1 true 10.0.0.1'],
    ['{...name}', 'a b'],
  ];
  for (const [template, want] of table) {
    assert.equal(j.compileJsonPath(template).execute(data), want, template);
  }
  assert.deepEqual(j.compileJsonPath('{.}').find(data), [[data]]);
  assert.equal(j.compileJsonPath('{$}').execute({ a: '<&>' }), '{"a":"\\u003c\\u0026\\u003e"}');
});

test('quoted text in filters may hold brackets and other quotes', () => {
  const of = (os: string) => [{ os }, { os: 'other' }];
  const table: [string, string][] = [
    ['()', '{[?(@.os == "()")]}'],
    ['("")', '{[?(@.os == "(\\"\\")")]}'],
    ['())(', '{[?(@.os == "())(")]}'],
    ['Linux', "{[?(@.os == 'Linux')]}"],
    ['{[()]}', '{[?(@.os == "{[()]}")]}'],
    ["''", `{[?(@.os == "''")]}`],
    ['""', `{[?(@.os == '""')]}`],
  ];
  for (const [os, template] of table) {
    assert.deepEqual(j.compileJsonPath(template).find(of(os)), [[{ os }]], template);
  }
});

test('complaints are upstream complaints', () => {
  const table: [string, string][] = [
    ['{.hello}', 'hello is not found'],
    ['{hello}', 'unrecognized identifier hello'],
    ['{.kind[0]}', 'string is not array or slice'],
    ['{.items[5]}', 'array index out of bounds: index 5, length 2'],
    ['{.items[1:0]}', 'starting index 1 is greater than ending index 0'],
    ['{.items[?(@.status.n<>1)]}', 'unrecognized filter operator <>'],
    ['{.items[?(@.status.n=="x")]}', 'incompatible types for comparison'],
    ['{end}', 'not in range, nothing to end'],
    ['{.items', 'unclosed action'],
    ['{.items[', 'unterminated array'],
    ['{.items[x]}', 'invalid array index x'],
    ['{.items[?(@.a', 'unterminated filter'],
    ['{.items[?(@.a)}', 'unclosed array expect ]'],
    ['{"a', 'unterminated quoted string'],
    ['{*}', "unrecognized character in action: U+002A '*'"],
    ['{....x}', 'invalid multiple recursive descent'],
    ['{.constructor}', 'constructor is not found'],
  ];
  for (const [template, message] of table) {
    assert.throws(() => j.compileJsonPath(template).execute(data), { name: 'JsonPathError', message }, template);
  }
  assert.equal(j.compileJsonPath('a{.hello}b', { allowMissingKeys: true }).execute(data), 'ab');
});

test('field paths and relaxed paths', () => {
  assert.equal(j.firstAt(j.compileFieldPath('.items[0].status.n'), data), 1);
  assert.equal(j.firstAt(j.compileFieldPath('.items[9].status.n'), data), undefined);
  assert.equal(j.firstAt(j.compileFieldPath('.spec.x'), data), undefined);
  for (const text of ['x.y', '.x.y', '{x.y}', '{.x.y}']) assert.equal(j.relaxJsonPath(text), '{.x.y}');
  assert.throws(() => j.relaxJsonPath('{x'), /unexpected path string/);
  assert.deepEqual(j.plainPath('.spec.replicas'), ['spec', 'replicas']);
  assert.deepEqual(j.plainPath(".metadata.labels['a.b/c']"), ['metadata', 'labels', 'a.b/c']);
  assert.equal(j.plainPath('.items[0]'), undefined);
  assert.equal(j.valueAt({ spec: { replicas: 3 } }, ['spec', 'replicas']), 3);
  assert.equal(j.valueAt({}, ['constructor', 'name']), undefined);
});

test('any text is a template or a JsonPathError', () => {
  const soup = fc.string({
    unit: fc.constantFrom(...'{}[]()?@$.:*,\'"\\<>=!-+0a \n', '..', '[?(', ')]', 'range', 'end', 'items'),
  });
  fc.assert(
    fc.property(soup, text => {
      try {
        j.compileJsonPath(`{${text}`).execute(data);
      } catch (e) {
        assert.ok(e instanceof j.JsonPathError, String(e));
      }
    }),
    { numRuns: 2000 },
  );
  const start = performance.now();
  for (const hostile of [
    '{'.repeat(100_000),
    '{[?('.repeat(50_000),
    `{${'[0,0]'.repeat(20_000)}}`,
    `{.a${'..b'.repeat(20_000)}}`,
  ]) {
    assert.throws(() => j.compileJsonPath(hostile).execute(data), j.JsonPathError);
  }
  assert.ok(performance.now() - start < 4000);
});
