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
      const limit = (value: string) => expect(400, 'GET', `${core('configmaps')}?limit=${value}`);
      assertStatus(await limit(''), 'BadRequest', /^strconv\.ParseInt: parsing "": invalid syntax$/);
      assertStatus(await limit('9223372036854775808'), 'BadRequest', /"9223372036854775808": value out of range$/);
      await expect(200, 'GET', `${core('configmaps')}?limit=9223372036854775807`);
      const revision = `${core('configmaps')}?resourceVersion=18446744073709551616`;
      assertStatus(await expect(400, 'GET', revision), 'BadRequest', /value out of range$/);
    },
  },
  {
    name: 'a boolean is true unless it is 0 or false',
    async run({ core, ask }) {
      // A watch refuses what a list does not know about.
      const isWatch = async (value: string) =>
        (await ask('GET', `${core('configmaps')}?watch=${value}&sendInitialEvents=true`)).text.includes('NotOlderThan');
      for (const value of ['', '1', 'true', 'yes', 'f', 'nonsense']) assert.equal(await isWatch(value), true, value);
      for (const value of ['0', 'false', 'False', 'FALSE']) assert.equal(await isWatch(value), false, value);
    },
  },
  {
    name: 'a field manager is counted in bytes, and printable',
    async run({ core, expect }) {
      const create = (manager: string) =>
        `${core('configmaps')}?dryRun=All&fieldManager=${encodeURIComponent(manager)}`;
      const body = configMap('a');
      await expect(201, 'POST', create('é'.repeat(64)), { body });
      for (const manager of ['é'.repeat(65), 'a\u200b', '\u0000'])
        assertStatus(await expect(422, 'POST', create(manager), { body }), 'Invalid');
    },
  },
  {
    name: 'methods that no resource has',
    async run({ core, expect }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      for (const method of ['TRACE', 'NONSENSE', 'constructor', 'get'])
        for (const path of [core('configmaps'), core('configmaps', 'a')])
          assertStatus(await expect(405, method, path), 'MethodNotAllowed');
    },
  },
  {
    name: 'names that every JavaScript object has are no media types and no subresources',
    async run({ core, expect }) {
      const body = configMap('a');
      await expect(201, 'POST', core('configmaps'), { body });
      for (const name of ['constructor', '__proto__', 'toString', 'valueOf']) {
        const headers = { 'content-type': name };
        assertStatus(await expect(415, 'POST', core('configmaps'), { body, headers }), 'UnsupportedMediaType');
        assertStatus(await expect(415, 'PATCH', core('configmaps', 'a'), { body, headers }), 'UnsupportedMediaType');
        for (const method of ['GET', 'PUT', 'DELETE'])
          assertStatus(await expect(404, method, core('configmaps', 'a', name)), 'NotFound');
      }
    },
  },
  {
    name: 'a grace period of more seconds than there are dates',
    async run({ core, expect }) {
      const spec = {
        nodeName: 'n',
        terminationGracePeriodSeconds: 2 ** 53 - 1,
        containers: [{ name: 'c', image: 'i' }],
      };
      await expect(201, 'POST', core('pods'), { body: { metadata: { name: 'p' }, spec } });
      const marked = await expect(200, 'DELETE', core('pods', 'p'));
      assert.equal(marked.metadata.deletionGracePeriodSeconds, 2 ** 53 - 1);
      assert.ok(Date.parse(marked.metadata.deletionTimestamp) > Date.parse(marked.metadata.creationTimestamp));
      const sooner = await expect(200, 'DELETE', `${core('pods', 'p')}?gracePeriodSeconds=5`);
      assert.equal(sooner.metadata.deletionGracePeriodSeconds, 5);
      assert.ok(Date.parse(sooner.metadata.deletionTimestamp) - Date.parse(sooner.metadata.creationTimestamp) < 60_000);
      await expect(200, 'DELETE', `${core('pods', 'p')}?gracePeriodSeconds=0`);
    },
  },
];
