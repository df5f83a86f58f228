import assert from 'node:assert/strict';
import { assertStatus, type Case, configMap, type Json, type Kit, pod } from './harness.ts';

async function make(kit: Kit, count: number): Promise<Json[]> {
  const made: Json[] = [];
  for (let i = 0; i < count; i++) {
    const body = configMap(`m-${i}`, { i: String(i) }, { parity: i % 2 === 0 ? 'even' : 'odd' });
    made.push(await kit.expect(201, 'POST', kit.core('configmaps'), { body }));
  }
  return made;
}
const names = (list: Json): string[] => list.items.map((o: Json) => o.metadata.name);

export const readCases: readonly Case[] = [
  {
    name: 'GET gives the object, or 404 with details',
    async run(kit) {
      const [made] = await make(kit, 1);
      assert.deepEqual(await kit.expect(200, 'GET', kit.core('configmaps', 'm-0')), made);
      const got = await kit.expect(404, 'GET', kit.core('configmaps', 'none'));
      assertStatus(got, 'NotFound', /^configmaps "none" not found$/);
    },
  },
  {
    name: 'LIST gives the namespace in key order with a revision',
    async run(kit) {
      await make(kit, 3);
      const list = await kit.expect(200, 'GET', kit.core('configmaps'));
      assert.equal(list.kind, 'ConfigMapList');
      assert.deepEqual(names(list), ['m-0', 'm-1', 'm-2']);
      assert.ok(Number(list.metadata.resourceVersion) > 0);
    },
  },
  {
    name: 'selectors choose by label and field',
    async run(kit) {
      await make(kit, 4);
      const list = (query: string) => kit.expect(200, 'GET', `${kit.core('configmaps')}?${query}`);
      assert.deepEqual(names(await list('labelSelector=parity%3Deven')), ['m-0', 'm-2']);
      assert.deepEqual(names(await list('labelSelector=parity%20notin%20(even)')), ['m-1', 'm-3']);
      assert.deepEqual(names(await list('fieldSelector=metadata.name%3Dm-3')), ['m-3']);
      assert.deepEqual(names(await list('fieldSelector=metadata.name!%3Dm-3&labelSelector=parity%3Dodd')), ['m-1']);
      const bad = await kit.expect(400, 'GET', `${kit.core('configmaps')}?fieldSelector=data.x%3Dy`);
      assertStatus(bad, 'BadRequest', /"data\.x" is not a known field selector/);
      assertStatus(await kit.expect(400, 'GET', `${kit.core('configmaps')}?labelSelector=a%20in%20(`), 'BadRequest');
    },
  },
  {
    name: 'pages are one snapshot',
    async run(kit) {
      await make(kit, 5);
      const first = await kit.expect(200, 'GET', `${kit.core('configmaps')}?limit=2`);
      assert.deepEqual(names(first), ['m-0', 'm-1']);
      assert.equal(first.metadata.remainingItemCount, 3);
      await kit.expect(200, 'DELETE', kit.core('configmaps', 'm-2'));
      await kit.expect(201, 'POST', kit.core('configmaps'), { body: configMap('m-3b') });
      const seen: string[] = [];
      let next = first.metadata.continue;
      while (next) {
        const page = await kit.expect(200, 'GET', `${kit.core('configmaps')}?limit=2&continue=${next}`);
        assert.equal(page.metadata.resourceVersion, first.metadata.resourceVersion);
        seen.push(...names(page));
        next = page.metadata.continue;
      }
      assert.deepEqual(seen, ['m-2', 'm-3', 'm-4']);
    },
  },
  {
    name: 'a bad continue token is refused',
    async run({ core, expect }) {
      const refused = async (token: string, message: RegExp) =>
        assertStatus(await expect(400, 'GET', `${core('configmaps')}?continue=${token}`), 'BadRequest', message);
      const made = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      await refused('nonsense', /^invalid continue token: continue key is not valid: /);
      await refused(
        made({ v: 'meta.k8s.io/v2', rv: 1, start: 'a' }),
        /does not recognize this encoded version meta\.k8s\.io\/v2$/,
      );
      await refused(made({ v: 'meta.k8s.io/v1', start: 'a' }), /incorrect encoded start resourceVersion/);
      await refused(made({ v: 'meta.k8s.io/v1', rv: 1 }), /encoded start key empty/);
    },
  },
  {
    name: 'resourceVersion and resourceVersionMatch',
    async run(kit) {
      const made = await make(kit, 2);
      const rv = made[0].metadata.resourceVersion;
      const at = (query: string) => kit.expect(200, 'GET', `${kit.core('configmaps')}?${query}`);
      assert.deepEqual(names(await at(`resourceVersion=${rv}&resourceVersionMatch=Exact`)), ['m-0']);
      assert.deepEqual(names(await at(`resourceVersion=${rv}&resourceVersionMatch=NotOlderThan`)), ['m-0', 'm-1']);
      assert.deepEqual(names(await at('resourceVersion=0')), ['m-0', 'm-1']);
      for (const query of [
        'resourceVersionMatch=Exact',
        'resourceVersionMatch=Sometime&resourceVersion=1',
        'resourceVersion=0&resourceVersionMatch=Exact',
        'sendInitialEvents=true',
        'resourceVersionMatch=Exact&watch=1&sendInitialEvents=true',
        'watch=1&sendInitialEvents=false',
      ])
        assertStatus(await kit.expect(422, 'GET', `${kit.core('configmaps')}?${query}`), 'Invalid');
      // Any state will do: all of it, and no pages.
      const any = await at('resourceVersion=0&limit=1');
      assert.deepEqual([names(any), any.metadata.continue], [['m-0', 'm-1'], undefined]);
      const bad = (status: number, path: string) => kit.expect(status, 'GET', path);
      const list = await bad(400, `${kit.core('configmaps')}?resourceVersion=x`);
      assertStatus(
        list,
        'BadRequest',
        /^invalid resource version: resourceVersion: Invalid value: "x": strconv\.ParseUint/,
      );
      const watch = await bad(422, `${kit.core('configmaps')}?resourceVersion=x&watch=1`);
      assertStatus(
        watch,
        'Invalid',
        /^configmaps "" is invalid: resourceVersion: Invalid value: "x": .*: invalid syntax$/,
      );
      const large = await bad(500, `${kit.core('configmaps', 'm-0')}?resourceVersion=${'9'.repeat(20)}`);
      assert.match(large.message, /value out of range$/);
    },
  },
  {
    name: 'a revision of the future times out',
    async run(kit) {
      const got = await kit.expect(
        504,
        'GET',
        `${kit.core('configmaps')}?resourceVersion=9000000000&resourceVersionMatch=NotOlderThan`,
      );
      assertStatus(got, 'Timeout', /^Timeout: Too large resource version: 9000000000, current: \d+$/);
    },
  },
  {
    name: 'tables',
    async run(kit) {
      await kit.expect(201, 'POST', kit.core('pods'), { body: pod('p') });
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const table = await kit.expect(200, 'GET', kit.core('pods'), { headers: { accept } });
      assert.equal(table.kind, 'Table');
      assert.equal(table.apiVersion, 'meta.k8s.io/v1');
      const columns = table.columnDefinitions.map((c: Json) => c.name);
      assert.deepEqual(columns.slice(0, 5), ['Name', 'Ready', 'Status', 'Restarts', 'Age']);
      assert.equal(table.rows[0].cells[0], 'p');
      assert.equal(table.rows[0].object.kind, 'PartialObjectMetadata');
      const whole = await kit.expect(200, 'GET', `${kit.core('pods', 'p')}?includeObject=Object`, {
        headers: { accept },
      });
      assert.equal(whole.rows[0].object.kind, 'Pod');
      assertStatus(
        await kit.expect(400, 'GET', `${kit.core('pods')}?includeObject=All`, { headers: { accept } }),
        'BadRequest',
        /^Unable to convert to Table as requested: includeObject: Invalid value: "All": must be 'Metadata', /,
      );
    },
  },
  {
    name: 'every answer about a deprecated kind warns',
    async run(kit) {
      const text = 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice';
      const body = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'e' } };
      const path = kit.core('endpoints');
      for (const [method, target, ask] of [
        ['POST', path, { body }],
        ['GET', path],
        ['GET', kit.core('endpoints', 'none')],
        ['PUT', kit.core('endpoints', 'e'), { body }],
        ['DELETE', kit.core('endpoints', 'e')],
      ] as const)
        assert.equal((await kit.ask(method, target, ask)).headers['warning'], `299 - "${text}"`);
    },
  },
  {
    name: 'metadata only',
    async run(kit) {
      await make(kit, 1);
      const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
      const list = await kit.expect(200, 'GET', kit.core('configmaps'), { headers: { accept } });
      assert.equal(list.kind, 'PartialObjectMetadataList');
      assert.deepEqual(Object.keys(list.items[0]).sort(), ['apiVersion', 'kind', 'metadata']);
      const pretty = await kit.expect(200, 'GET', `${kit.core('configmaps')}?pretty=true`, { headers: { accept } });
      assert.deepEqual(Object.keys(pretty.items[0]).sort(), ['apiVersion', 'kind', 'metadata']);
      const one = { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' };
      assert.equal(
        (await kit.expect(200, 'GET', kit.core('configmaps', 'm-0'), { headers: one })).kind,
        'PartialObjectMetadata',
      );
      assertStatus(
        await kit.expect(406, 'GET', kit.core('configmaps'), { headers: one }),
        'NotAcceptable',
        /^you requested PartialObjectMetadata, but the requested object is a list \(\*core\.ConfigMapList\)$/,
      );
    },
  },
  {
    name: 'errors are not transformed, and told in JSON to those who read nothing else',
    async run({ ask, core }) {
      const protobuf = 'application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
      for (const accept of [`${protobuf}, application/json`, 'application/nonsense', protobuf]) {
        const { status, headers, json } = await ask('GET', core('configmaps', 'none'), { headers: { accept } });
        assert.equal(headers['content-type'], 'application/json');
        assertStatus(json, status === 406 ? 'NotAcceptable' : 'NotFound');
      }
    },
  },
  {
    name: 'metadata only is without annotations that stand for fields',
    async run({ ns, expect }) {
      const apps = `/apis/apps/v1/namespaces/${ns}/daemonsets`;
      const scaling = `/apis/autoscaling/v1/namespaces/${ns}/horizontalpodautoscalers`;
      const name = { name: 'a', annotations: { own: 'yes' } };
      const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
      const set = { metadata: name, spec: { selector: { matchLabels: { a: 'b' } }, template } };
      const counted = 'deprecated.daemonset.template.generation';
      const made = await expect(201, 'POST', apps, { body: { kind: 'DaemonSet', apiVersion: 'apps/v1', ...set } });
      assert.deepEqual(made.metadata.annotations, { own: 'yes', [counted]: '1' });
      const scaleTargetRef = { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' };
      const target = { type: 'Utilization', averageUtilization: 50 };
      const spec = {
        maxReplicas: 2,
        scaleTargetRef,
        metrics: [{ type: 'Resource', resource: { name: 'memory', target } }],
      };
      const scaler = { kind: 'HorizontalPodAutoscaler', apiVersion: 'autoscaling/v2', metadata: name, spec };
      await expect(201, 'POST', scaling.replace('v1', 'v2'), { body: scaler });
      const { annotations } = (await expect(200, 'GET', `${scaling}/a`)).metadata;
      assert.ok(annotations['autoscaling.alpha.kubernetes.io/metrics']);
      for (const path of [apps, scaling]) {
        const partial = { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' };
        const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
        const { metadata } = await expect(200, 'GET', `${path}/a`, { headers: partial });
        assert.deepEqual(metadata.annotations, { own: 'yes' });
        const { rows } = await expect(200, 'GET', path, { headers: table });
        assert.deepEqual(rows[0].object.metadata.annotations, { own: 'yes' });
      }
    },
  },
  {
    name: 'protobuf',
    async run(kit) {
      await make(kit, 2);
      const accept = 'application/vnd.kubernetes.protobuf';
      for (const path of [kit.core('configmaps'), kit.core('configmaps', 'm-0'), kit.core('configmaps', 'none')]) {
        const got = await kit.ask('GET', path, { headers: { accept } });
        assert.equal(got.headers['content-type'], accept);
        assert.deepEqual([...got.bytes.subarray(0, 4)], [0x6b, 0x38, 0x73, 0x00]);
      }
    },
  },
  {
    name: 'kinds that are deprecated say so at every request',
    async run({ ask, core }) {
      for (const [method, path] of [
        ['GET', core('endpoints')],
        ['GET', core('endpoints', 'none')],
        ['DELETE', core('endpoints', 'none')],
        ['GET', '/api/v1/componentstatuses'],
      ] as const)
        assert.match((await ask(method, path)).headers['warning'] ?? '', /^299 - "v1 \w+ is deprecated in v1\.\d\d\+/);
      const { text } = await ask('GET', '/metrics');
      assert.match(
        text,
        /^apiserver_requested_deprecated_apis\{.*resource="endpoints",subresource="",version="v1"\} 1$/m,
      );
    },
  },
  {
    name: 'a time limit must be a duration',
    async run({ expect, core }) {
      await expect(200, 'GET', `${core('configmaps')}?timeout=5s`);
      assertStatus(
        await expect(400, 'GET', `${core('configmaps')}?timeout=5`),
        'BadRequest',
        /^invalid timeout specified in the request URL - time: missing unit in duration "5"$/,
      );
    },
  },
  {
    name: 'paths that lead nowhere',
    async run({ ask, expect, core }) {
      for (const path of [
        '/api/v1/nonsense',
        '/api/v9',
        '/apis/apps/v9',
        '/apis/apps/v1/nonsense',
        '/version/nonsense',
      ])
        assertStatus(await expect(404, 'GET', path), 'NotFound', /could not find the requested resource/);
      for (const path of [
        '/nonsense',
        '/healthz/nonsense',
        '/apis/none.example.com',
        '/apis/none.example.com/v1/things',
      ]) {
        const { status, headers, text } = await ask('GET', path);
        assert.deepEqual([status, text], [404, '404 page not found\n']);
        assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
        assert.equal(headers['x-content-type-options'], 'nosniff');
      }
      assertStatus(await expect(404, 'GET', core('configmaps', 'a', 'nonsense')), 'NotFound');
      assertStatus(await expect(405, 'POST', '/api/v1/componentstatuses', { body: {} }), 'MethodNotAllowed');
      assertStatus(await expect(405, 'OPTIONS', core('configmaps')), 'MethodNotAllowed');
      assert.equal((await ask('HEAD', core('configmaps'))).status, 405);
      for (const path of [
        '/api/v1/namespaces/../pods',
        '/api/v1/namespaces/a/pods/..',
        '/api/v1/namespaces/a/pods/%2e%2e/status',
      ])
        assertStatus(await expect(400, 'GET', path), 'BadRequest');
    },
  },
];
