import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as s from './index.ts';

test('label selectors match as upstream does', () => {
  const labels = { a: 'b', env: 'prod', n: '5', empty: '' };
  const table: [string, boolean][] = [
    ['', true],
    ['a', true],
    ['!a', false],
    ['zz', false],
    ['!zz', true],
    ['a=b', true],
    ['a==b', true],
    ['a = b', true],
    ['a!=b', false],
    ['zz!=b', true],
    ['a=', false],
    ['empty=', true],
    ['empty', true],
    ['env in (prod,dev)', true],
    ['env in (dev)', false],
    ['env notin (dev)', true],
    ['zz notin (dev)', true],
    ['zz in (dev)', false],
    ['empty in ()', true],
    ['empty in (,x)', true],
    ['env in (in,notin,prod)', true],
    ['n>4', true],
    ['n > 5', false],
    ['n<6,a=b', true],
    ['a>1', false],
    ['a=b,env=prod,n=5', true],
    ['a=b,env=dev', false],
    ['constructor', false],
    ['toString notin (x)', true],
  ];
  for (const [text, want] of table) {
    assert.equal(s.parseLabelSelector(text).matches(labels), want, text);
  }
});

test('bad label selectors are refused with upstream wording', () => {
  const table: [string, string][] = [
    ['a,', "found '', expected: identifier after ','"],
    [',a', "found ',', expected: !, identifier, or 'end of string'"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['!a=b', "found '=', expected: ',' or 'end of string'"],
    ['a=(b', "unable to parse requirement: found '(', expected: identifier"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
    [
      'a>x',
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
    [
      'a=-x',
      "unable to parse requirement: values[0][a]: Invalid value: \"-x\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ],
    [
      '-a',
      "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ],
  ];
  for (const [text, message] of table) {
    assert.throws(() => s.parseLabelSelector(text), { name: 'SelectorError', message }, text);
  }
});

test('selector objects: missing selects nothing, empty everything', () => {
  assert.equal(s.selectorFromObject(undefined).matches({}), false);
  assert.equal(s.selectorFromObject({}).matches({}), true);
  const selector = s.selectorFromObject({
    matchLabels: { app: 'x' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['b', 'a'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  });
  assert.equal(selector.matches({ app: 'x', tier: 'a' }), true);
  assert.equal(selector.matches({ app: 'x', tier: 'a', old: '' }), false);
  assert.equal(String(selector), 'app=x,!old,tier in (a,b)');
  assert.throws(() => s.selectorFromObject({ matchExpressions: [{ key: 'a', operator: 'constructor' }] }), {
    message: '"constructor" is not a valid label selector operator',
  });
  assert.throws(() => s.selectorFromObject({ matchExpressions: [{ key: 'a', operator: 'In' }] }), {
    message: "values: Invalid value: []string{}: for 'in', 'notin' operators, values set can't be empty",
  });
  assert.equal(s.formatLabelSelector(undefined), '<none>');
  assert.equal(s.formatLabelSelector({ matchLabels: { 'a b': '' } }), '<error>');
  assert.deepEqual(s.labelSelectorAsMap({ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] }), {
    a: 'b',
  });
  assert.equal(s.exactLabel(s.parseLabelSelector('a=1,b'), 'a'), '1');
});

const name = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,5}[a-zA-Z0-9])?$/);
const value = fc.oneof(fc.constant(''), name);
const requirement = fc.oneof(
  fc.tuple(name, fc.constantFrom<s.Operator>('=', '==', '!='), fc.tuple(value)),
  fc.tuple(name, fc.constantFrom<s.Operator>('in', 'notin'), fc.uniqueArray(value, { minLength: 1, maxLength: 12 })),
  fc.tuple(name, fc.constantFrom<s.Operator>('exists', '!'), fc.constant([])),
);

test('a selector and its text select the same', () => {
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 5 }), fc.dictionary(name, value), (terms, labels) => {
      const selector = s.selectorOf(
        terms
          .filter(([key]) => key !== 'in' && key !== 'notin')
          .map(([key, op, values]) => s.newRequirement(key, op, values)),
      );
      const again = s.parseLabelSelector(String(selector));
      assert.equal(String(again), String(selector));
      assert.equal(again.matches(labels), selector.matches(labels));
    }),
  );
});

test('any text is a selector or a SelectorError', () => {
  const soup = fc.string({
    unit: fc.constantFrom('a', 'in', 'notin', ' ', ',', '(', ')', '!', '=', '<', '>', '\\', '\0', 'é'),
  });
  fc.assert(
    fc.property(soup, text => {
      for (const parse of [s.parseLabelSelector, s.parseFieldSelector]) {
        try {
          parse(text).toString();
        } catch (e) {
          assert.ok(e instanceof s.SelectorError);
        }
      }
    }),
  );
});

test('a hundred thousand terms take well under a second each', () => {
  const many = (term: (i: number) => string) => Array.from({ length: 100_000 }, (_, i) => term(i)).join(',');
  const start = performance.now();
  assert.equal(s.parseLabelSelector(many(i => `k${i}=v`)).matches({ k1: 'v' }), false);
  assert.equal(s.parseLabelSelector(`k in (${many(i => `v${i}`)})`).matches({ k: 'v99999' }), true);
  assert.equal(
    s.parseFieldSelector(many(i => `k${i}!=v`)).matches(() => ''),
    true,
  );
  assert.throws(() => s.parseFieldSelector('!'.repeat(100_000)));
  assert.throws(() => s.parseLabelSelector('!'.repeat(100_000)));
  assert.ok(performance.now() - start < 5000);
});

test('field selectors: operators, escapes, complaints', () => {
  const fields: Record<string, string> = { 'metadata.name': 'x', a: 'b,c=d\\' };
  const get = (field: string) => fields[field] ?? '';
  const table: [string, boolean][] = [
    ['', true],
    ['metadata.name=x', true],
    ['metadata.name==x', true],
    ['metadata.name!=x', false],
    ['spec.nodeName=', true],
    ['spec.nodeName!=', false],
    ['a=b\\,c\\=d\\\\', true],
    [',metadata.name=x,', true],
  ];
  for (const [text, want] of table) assert.equal(s.parseFieldSelector(text).matches(get), want, text);
  assert.equal(String(s.parseFieldSelector('a=b\\,c')), 'a=b\\,c');
  assert.throws(() => s.parseFieldSelector('foo'), { message: "invalid selector: 'foo'; can't understand 'foo'" });
  assert.throws(() => s.parseFieldSelector('a=b=c'), {
    message: 'invalid field selector: unescaped character in value: 61',
  });
  assert.throws(() => s.parseFieldSelector('a=\\b'), {
    message: 'invalid field selector: invalid escape sequence: \\b',
  });
  assert.equal(s.exactField(s.parseFieldSelector('metadata.name=x,b!=c'), 'metadata.name'), 'x');
});
