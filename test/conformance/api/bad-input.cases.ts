import assert from 'node:assert/strict';
import { assertStatus, type Case, configMap } from './harness.ts';

const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);
const jsonPatch = { 'content-type': 'application/json-patch+json' };
const mergePatch = { 'content-type': 'application/merge-patch+json' };

export const badInputCases: readonly Case[] = [
  ...[
    ['not JSON', 'nonsense'],
    ['half an object', '{"kind":'],
    ['a list', '[]'],
    ['nothing', ''],
    ['depth 10,000', `{"a":${nested(10_000, '[', ']')}}`],
    ['an integer over 2^53', '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","generation":9007199254740993}}'],
  ].map(
    ([name = '', raw = '']): Case => ({
      name: `body: ${name}`,
      async run({ core, ask }) {
        const got = await ask('POST', core('configmaps'), { raw, headers: { 'content-type': 'application/json' } });
        assert.ok(got.status === 400 || got.status === 422, `${got.status}`);
        assert.equal(got.json.kind, 'Status');
      },
    }),
  ),
  {
    name: 'body: invalid UTF-8',
    async run({ core, expect }) {
      const raw = Buffer.concat([
        Buffer.from('{"kind":"ConfigMap","metadata":{"name":"'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}}'),
      ]);
      assertStatus(await expect(400, 'POST', core('configmaps'), { raw }), 'BadRequest');
    },
  },
  {
    name: 'body: repeated members are told',
    async run({ core, ask, expect }) {
      const raw = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1","x":"2"}}';
      assertStatus(
        await expect(400, 'POST', `${core('configmaps')}?fieldValidation=Strict`, { raw }),
        'BadRequest',
        /duplicate field "data\.x"/,
      );
      const got = await ask('POST', core('configmaps'), { raw });
      assert.equal(got.status, 201);
      assert.match(got.headers['warning'] ?? '', /duplicate field/);
    },
  },
  {
    name: '__proto__ is a name like any other, or nothing',
    async run({ core, ask }) {
      const raw =
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"__proto__":"x"}},"__proto__":{"data":{"p":"q"}}}';
      const got = await ask('POST', core('configmaps'), { raw });
      assert.notEqual(got.status, 500);
      assert.equal(got.json.data, undefined);
      assert.equal(({} as { data?: unknown }).data, undefined);
      await ask('POST', core('configmaps'), { body: configMap('b') });
      const patched = await ask('PATCH', core('configmaps', 'b'), {
        raw: '{"__proto__":{"polluted":true}}',
        headers: mergePatch,
      });
      assert.notEqual(patched.status, 500);
      const pointer = [{ op: 'add', path: '/__proto__/polluted', value: true }];
      assert.notEqual((await ask('PATCH', core('configmaps', 'b'), { body: pointer, headers: jsonPatch })).status, 500);
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    },
  },
  {
    name: 'a patch of 10,001 operations',
    async run({ core, expect, ask }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const body = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/kind', value: 'ConfigMap' }));
      const got = await ask('PATCH', core('configmaps', 'a'), { body, headers: jsonPatch });
      assert.equal(got.status, 413);
      assertStatus(got.json, 'RequestEntityTooLarge');
    },
  },
  {
    name: 'a YAML bomb',
    async run({ core, ask }) {
      let raw = 'a: &a ["x","x","x","x","x","x","x","x","x"]\n';
      for (let i = 0; i < 9; i++) {
        const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
        raw += `${to}: &${to} [${Array(9).fill(`*${from}`).join(',')}]\n`;
      }
      const got = await ask('POST', core('configmaps'), { raw, headers: { 'content-type': 'application/yaml' } });
      assert.equal(got.status, 400);
      assert.equal(got.json.kind, 'Status');
    },
  },
  {
    name: 'a selector of many terms',
    async run({ core, ask }) {
      const selector = Array.from({ length: 5_000 }, (_, i) => `k${i}=v`).join(',');
      assert.equal(
        (await ask('GET', `${core('configmaps')}?labelSelector=${encodeURIComponent(selector)}`)).status,
        200,
      );
    },
  },
  {
    name: 'numbers that are none',
    async run({ core, expect }) {
      assertStatus(await expect(400, 'GET', `${core('configmaps')}?limit=many`), 'BadRequest');
      assertStatus(await expect(400, 'GET', `${core('configmaps')}?watch=1&timeoutSeconds=soon`), 'BadRequest');
    },
  },
];
