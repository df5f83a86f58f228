import assert from 'node:assert/strict';
import { assertStatus, type Case, configMap, pod } from './harness.ts';

export const createCases: readonly Case[] = [
  {
    name: 'sets what only the server knows',
    async run({ core, expect, ns }) {
      const made = await expect(201, 'POST', core('configmaps'), { body: configMap('a', { k: 'v' }) });
      assert.equal(made.metadata.namespace, ns);
      assert.match(made.metadata.uid, /^[0-9a-f-]{36}$/);
      assert.match(made.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.ok(Number(made.metadata.resourceVersion) > 0);
      assert.deepEqual(made.data, { k: 'v' });
    },
  },
  {
    name: 'refuses a name that is taken',
    async run({ core, expect }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const got = await expect(409, 'POST', core('configmaps'), { body: configMap('a') });
      assertStatus(got, 'AlreadyExists', /^configmaps "a" already exists$/);
      assert.deepEqual(got.details, { name: 'a', kind: 'configmaps' });
    },
  },
  {
    name: 'makes names from generateName',
    async run({ core, expect }) {
      const body = { ...configMap(''), metadata: { generateName: 'gen-' } };
      const one = await expect(201, 'POST', core('configmaps'), { body });
      const two = await expect(201, 'POST', core('configmaps'), { body });
      assert.match(one.metadata.name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
      assert.notEqual(one.metadata.name, two.metadata.name);
    },
  },
  {
    name: 'needs a name',
    async run({ core, expect }) {
      const got = await expect(422, 'POST', core('configmaps'), { body: { ...configMap(''), metadata: {} } });
      assertStatus(got, 'Invalid', /name or generateName is required/);
    },
  },
  {
    name: 'refuses a resourceVersion',
    async run({ core, expect }) {
      const body = { ...configMap('a'), metadata: { name: 'a', resourceVersion: '1' } };
      assertStatus(
        await expect(400, 'POST', core('configmaps'), { body }),
        'BadRequest',
        /resourceVersion should not be set/,
      );
    },
  },
  {
    name: 'refuses another namespace than the path',
    async run({ core, expect }) {
      const body = { ...configMap('a'), metadata: { name: 'a', namespace: 'elsewhere' } };
      assertStatus(
        await expect(400, 'POST', core('configmaps'), { body }),
        'BadRequest',
        /does not match the namespace sent/,
      );
    },
  },
  {
    name: 'refuses another kind or version than the path',
    async run({ core, expect }) {
      const kind = { ...configMap('a'), kind: 'Secret' };
      assertStatus(await expect(400, 'POST', core('configmaps'), { body: kind }), 'BadRequest', /Secret/);
      const version = { ...configMap('a'), apiVersion: 'v2' };
      assertStatus(
        await expect(400, 'POST', core('configmaps'), { body: version }),
        'BadRequest',
        /the API version in the data \(v2\) does not match the expected API version \(v1\)/,
      );
    },
  },
  {
    name: 'stores nothing on a dry run',
    async run({ core, expect }) {
      const made = await expect(201, 'POST', `${core('configmaps')}?dryRun=All`, { body: configMap('a') });
      assert.ok(made.metadata.uid);
      await expect(404, 'GET', core('configmaps', 'a'));
      assertStatus(await expect(422, 'POST', `${core('configmaps')}?dryRun=Some`, { body: configMap('a') }), 'Invalid');
    },
  },
  {
    name: 'treats unknown fields as the client asks',
    async run({ core, ask, expect }) {
      const body = { ...configMap('a'), extra: 1 };
      const strict = await expect(400, 'POST', `${core('configmaps')}?fieldValidation=Strict`, { body });
      assertStatus(strict, 'BadRequest', /strict decoding error: unknown field "extra"/);
      const warn = await ask('POST', `${core('configmaps')}?fieldValidation=Warn`, { body });
      assert.equal(warn.status, 201);
      assert.match(warn.headers['warning'] ?? '', /^299 - "unknown field \\"extra\\""/);
      assert.equal(warn.json.extra, undefined);
      const ignore = await ask('POST', `${core('configmaps')}?fieldValidation=Ignore`, {
        body: { ...body, metadata: { name: 'b' } },
      });
      assert.equal(ignore.status, 201);
      assert.equal(ignore.headers['warning'], undefined);
    },
  },
  {
    name: 'defaults and validates by kind',
    async run({ core, expect }) {
      const made = await expect(201, 'POST', core('pods'), { body: pod('p') });
      assert.equal(made.spec.restartPolicy, 'Always');
      assert.equal(made.status.phase, 'Pending');
      const got = await expect(422, 'POST', core('pods'), { body: { ...pod('q'), spec: { containers: [] } } });
      assertStatus(got, 'Invalid', /spec\.containers: Required value/);
      assert.equal(got.details.causes[0].field, 'spec.containers');
    },
  },
  {
    name: 'takes YAML and gives YAML',
    async run({ core, ask }) {
      const raw = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: doc}\ndata: {a: "1"}\n';
      const headers = { 'content-type': 'application/yaml', accept: 'application/yaml' };
      const got = await ask('POST', core('configmaps'), { raw, headers });
      assert.equal(got.status, 201);
      assert.equal(got.headers['content-type'], 'application/yaml');
      assert.match(got.text, /^apiVersion: v1\ndata:\n {2}a: "1"\nkind: ConfigMap\n/);
    },
  },
  {
    name: 'takes null for an object without fields, and nothing for no object',
    async run({ core, ask, expect }) {
      const { message } = await expect(422, 'POST', core('configmaps'), { raw: 'null' });
      assert.match(message, /^ConfigMap "" is invalid: metadata\.name: Required value/);
      const unread = (rest: string) => `the object provided is unrecognized (must be of type ConfigMap): ${rest}`;
      const ended = "couldn't get version/kind; json parse error: unexpected end of JSON input";
      for (const [raw, shown] of [
        ['', '<empty>'],
        ['{', '{'],
        ['{"kind":"ConfigMap",', '{"kind":"ConfigMap",'],
      ] as const) {
        const { status, json } = await ask('POST', core('configmaps'), { raw });
        assert.equal(status, 400);
        assert.equal(json.message, unread(`${ended} (${shown})`));
      }
    },
  },
  {
    name: 'fills in what objects always have',
    async run({ ns, core, expect }) {
      const node = { kind: 'Node', apiVersion: 'v1', metadata: { name: ns } };
      const { status } = await expect(201, 'POST', '/api/v1/nodes?dryRun=All', { body: node });
      assert.deepEqual(status.daemonEndpoints, { kubeletEndpoint: { Port: 0 } });
      assert.equal(status.nodeInfo.kubeletVersion, '');
      await expect(201, 'POST', core('pods'), { body: pod('p') });
      const headers = { 'content-type': 'application/merge-patch+json' };
      const body = { status: { containerStatuses: [{ name: 'c' }] } };
      const patched = await expect(200, 'PATCH', core('pods', 'p', 'status'), { body, headers });
      assert.deepEqual(patched.status.containerStatuses, [
        { name: 'c', state: {}, lastState: {}, ready: false, restartCount: 0, image: '', imageID: '' },
      ]);
      const claim = { kind: 'ResourceClaim', apiVersion: 'resource.k8s.io/v1', metadata: { name: 'c' } };
      const claims = `/apis/resource.k8s.io/v1/namespaces/${ns}/resourceclaims`;
      assert.deepEqual((await expect(201, 'POST', claims, { body: claim })).spec, { devices: {} });
    },
  },
  {
    name: 'reads what autoscaling/v1 has in annotations',
    async run({ ns, expect }) {
      const path = `/apis/autoscaling/v1/namespaces/${ns}/horizontalpodautoscalers`;
      const annotations = {
        'autoscaling.alpha.kubernetes.io/metrics':
          '[{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":60}}]',
        'autoscaling.alpha.kubernetes.io/behavior':
          '{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":9,"SelectPolicy":null,"Policies":null}}',
      };
      const spec = { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' } };
      const body = {
        kind: 'HorizontalPodAutoscaler',
        apiVersion: 'autoscaling/v1',
        metadata: { name: 'a', annotations },
      };
      await expect(201, 'POST', path, { body: { ...body, spec } });
      const made = await expect(200, 'GET', `${path.replace('v1', 'v2')}/a`);
      const target = { type: 'Utilization', averageUtilization: 60 };
      assert.deepEqual(made.spec.metrics, [{ type: 'Resource', resource: { name: 'memory', target } }]);
      assert.equal(made.spec.behavior.scaleDown.stabilizationWindowSeconds, 9);
      assert.equal(made.metadata.annotations, undefined);
      const again = await expect(201, 'POST', path.replace('v1', 'v2'), {
        body: { ...made, metadata: { name: 'b', annotations } },
      });
      assert.equal(again.metadata.annotations, undefined);
    },
  },
  {
    name: 'refuses media types it does not know',
    async run({ core, ask }) {
      const body = configMap('a');
      const got = await ask('POST', core('configmaps'), { body, headers: { 'content-type': 'text/csv' } });
      assert.equal(got.status, 415);
      assertStatus(got.json, 'UnsupportedMediaType');
      const answer = await ask('GET', core('configmaps'), { headers: { accept: 'text/html' } });
      assert.equal(answer.status, 406);
      const whole = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';
      const streamed = 'application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch';
      assertStatus(answer.json, 'NotAcceptable');
      assert.equal(answer.json.message, `406: Not Acceptable\n\nAvailable representations: ${whole}, ${streamed}`);
      assert.deepEqual(answer.json.details, {});
      for (const [target, accepted] of [
        [core('configmaps'), whole],
        [`${core('configmaps')}?watch=1`, streamed],
      ] as const) {
        const headers = { accept: 'application/yaml;as=Nothing;v=v1;g=meta.k8s.io' };
        const { json } = await ask('GET', target, { headers });
        assert.equal(json.message, `only the following media types are accepted: ${accepted}`);
        assert.equal(json.details, undefined);
      }
    },
  },
];
