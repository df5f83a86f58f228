import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goJson, goMapJson, goPrint, goQuote } from './go-text.ts';

test('quoted text escapes what cannot be printed', () => {
  const pairs = [
    ['', '""'],
    ['a "b" \\', '"a \\"b\\" \\\\"'],
    ['\x07\t\x00\x7f', '"\\a\\t\\x00\\x7f"'],
    ['é 日本 🙂 <&>', '"é 日本 🙂 <&>"'],
    ['\u00a0\u200b\u2028', '"\\u00a0\\u200b\\u2028"'],
    ['\u{e0001}', '"\\U000e0001"'],
  ] as const;
  for (const [text, quoted] of pairs) assert.equal(goQuote(text), quoted);
});

test('JSON escapes what HTML and JavaScript would read', () => {
  assert.equal(goJson({ b: '<a>&\u2028', a: null }), '{"b":"\\u003ca\\u003e\\u0026\\u2028","a":null}');
  assert.equal(goJson(undefined), 'null');
  assert.equal(
    goMapJson({ b: [{ y: '&', x: 1 }], a: null, 10: true }),
    '{"10":true,"a":null,"b":[{"x":1,"y":"\\u0026"}]}',
  );
});

test('printed documents', () => {
  const document = { b: ['x', 1.5, true, null], a: { c: '' } };
  assert.equal(goPrint(document), 'map[a:map[c:] b:[x 1.5 true <nil>]]');
});
