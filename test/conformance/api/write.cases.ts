import assert from 'node:assert/strict';
import { assertStatus, type Case, configMap, type Json, pod } from './harness.ts';

const mergePatch = { 'content-type': 'application/merge-patch+json' };
const jsonPatch = { 'content-type': 'application/json-patch+json' };
const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
const applyPatch = { 'content-type': 'application/apply-patch+yaml' };

export const writeCases: readonly Case[] = [
  {
    name: 'PUT replaces, and a stale one conflicts',
    async run({ core, expect }) {
      const made = await expect(201, 'POST', core('configmaps'), { body: configMap('a', { v: '1' }) });
      const next = await expect(200, 'PUT', core('configmaps', 'a'), { body: { ...made, data: { v: '2' } } });
      assert.equal(next.data.v, '2');
      assert.ok(Number(next.metadata.resourceVersion) > Number(made.metadata.resourceVersion));
      const stale = await expect(409, 'PUT', core('configmaps', 'a'), { body: { ...made, data: { v: '3' } } });
      assertStatus(stale, 'Conflict', /the object has been modified; please apply your changes to the latest version/);
    },
  },
  {
    name: 'events have one kind, of the core, behind two groups',
    async run({ ns, ask }) {
      const events = `/apis/events.k8s.io/v1/namespaces/${ns}/events`;
      const body = { kind: 'Event', apiVersion: 'events.k8s.io/v1', metadata: { name: 'e' } };
      assert.match((await ask('POST', events, { body })).json.message, /^Event "e" is invalid: /);
      assert.equal((await ask('DELETE', `${events}/e`)).json.message, 'events.events.k8s.io "e" not found');
      assert.equal(
        (await ask('POST', events, { body: pod('p') })).json.message,
        'Pod in version "v1" cannot be handled as a Event: converting (v1.Pod) to (core.Event): unknown conversion',
      );
    },
  },
  {
    name: 'PUT without change makes no revision',
    async run({ core, expect }) {
      const made = await expect(201, 'POST', core('pods'), { body: pod('p') });
      const same = await expect(200, 'PUT', core('pods', 'p'), { body: made });
      assert.equal(same.metadata.resourceVersion, made.metadata.resourceVersion);
    },
  },
  {
    name: 'PUT must name what the path names',
    async run({ core, expect }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      assertStatus(await expect(400, 'PUT', core('configmaps', 'a'), { body: configMap('b') }), 'BadRequest');
      assertStatus(await expect(404, 'PUT', core('configmaps', 'c'), { body: configMap('c') }), 'NotFound');
      const uid = { ...configMap('a'), metadata: { name: 'a', uid: '00000000-0000-4000-8000-000000000000' } };
      assertStatus(
        await expect(409, 'PUT', core('configmaps', 'a'), { body: uid }),
        'Conflict',
        /Precondition failed: UID/,
      );
    },
  },
  {
    name: 'generation counts changes of the spec, status has its own door',
    async run({ ns, expect }) {
      const path = `/apis/apps/v1/namespaces/${ns}/deployments`;
      const labels = { app: 'a' };
      const body = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'example.com/c:1' }] } },
        },
      };
      const made = await expect(201, 'POST', path, { body });
      assert.equal(made.metadata.generation, 1);
      assert.equal(made.spec.replicas, 1);
      const labelled = await expect(200, 'PATCH', `${path}/d`, {
        body: { metadata: { labels: { x: 'y' } } },
        headers: mergePatch,
      });
      assert.equal(labelled.metadata.generation, 1);
      const ignored = await expect(200, 'PATCH', `${path}/d`, {
        body: { status: { replicas: 9 } },
        headers: mergePatch,
      });
      assert.equal(ignored.status.replicas, undefined);
      const status = { ...ignored, spec: { ...ignored.spec, replicas: 7 }, status: { replicas: 3 } };
      const written = await expect(200, 'PUT', `${path}/d/status`, { body: status });
      assert.equal(written.status.replicas, 3);
      assert.equal(written.spec.replicas, 1);
      assert.equal(written.metadata.generation, 1);
      const scale = await expect(200, 'GET', `${path}/d/scale`);
      assert.deepEqual(
        [scale.kind, scale.spec.replicas, scale.status.replicas, scale.status.selector],
        ['Scale', 1, 3, 'app=a'],
      );
      const scaled = await expect(200, 'PATCH', `${path}/d/scale`, {
        body: { spec: { replicas: 5 } },
        headers: mergePatch,
      });
      assert.equal(scaled.spec.replicas, 5);
      assert.equal((await expect(200, 'GET', `${path}/d`)).metadata.generation, 2);
    },
  },
  {
    name: 'PATCH of each type',
    async run({ core, expect }) {
      await expect(201, 'POST', core('pods'), { body: pod('p') });
      const merged = await expect(200, 'PATCH', core('pods', 'p'), {
        body: { metadata: { labels: { a: '1', b: '2' } } },
        headers: mergePatch,
      });
      assert.deepEqual(merged.metadata.labels, { a: '1', b: '2' });
      const removed = await expect(200, 'PATCH', core('pods', 'p'), {
        body: [
          { op: 'test', path: '/metadata/labels/a', value: '1' },
          { op: 'remove', path: '/metadata/labels/a' },
        ],
        headers: jsonPatch,
      });
      assert.deepEqual(removed.metadata.labels, { b: '2' });
      const image = { spec: { containers: [{ name: 'c', image: 'example.com/c:2' }] } };
      const changed = await expect(200, 'PATCH', core('pods', 'p'), { body: image, headers: strategic });
      assert.equal(changed.spec.containers.length, 1);
      assert.equal(changed.spec.containers[0].image, 'example.com/c:2');
      const failed = await expect(422, 'PATCH', core('pods', 'p'), {
        body: [{ op: 'test', path: '/metadata/labels/b', value: 'x' }],
        headers: jsonPatch,
      });
      assert.equal(failed.kind, 'Status');
      assertStatus(
        await expect(400, 'PATCH', core('pods', 'p'), { body: { metadata: { name: 'q' } }, headers: mergePatch }),
        'BadRequest',
      );
      assertStatus(await expect(415, 'PATCH', core('pods', 'p'), { body: {} }), 'UnsupportedMediaType');
    },
  },
  {
    name: 'a patch whose result is no object of the kind is invalid',
    async run({ core, expect }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a', { k: 'v' }) });
      const refused = async (body: unknown, headers: Record<string, string>, query = '') =>
        expect(422, 'PATCH', `${core('configmaps', 'a')}${query}`, { body, headers });
      const wrong = 'json: cannot unmarshal number into Go struct field ConfigMap.data of type string';
      const merged = await refused({ data: { k: 1 } }, mergePatch);
      assertStatus(merged, 'Invalid', /^ "" is invalid: patch: Invalid value: "\{.*"k\\":1.*": json: cannot unmarshal/);
      assert.deepEqual(merged.details.causes[0].field, 'patch');
      const json = await refused([{ op: 'replace', path: '/data/k', value: 1 }], jsonPatch);
      assert.ok(json.message.endsWith(wrong), json.message);
      assertStatus(
        await refused({ datum: 1 }, mergePatch, '?fieldValidation=Strict'),
        'Invalid',
        /": strict decoding error: unknown field "datum"$/,
      );
      const nested = await refused({ metadata: { datum: 1 } }, mergePatch, '?fieldValidation=Strict');
      assert.match(nested.message, /"datum\\":1.*": strict decoding error: unknown field "metadata\.datum"$/);
      const other = await refused({ kind: 'Secret' }, mergePatch);
      assert.ok(other.message.endsWith('": converting (v1.Secret) to (core.ConfigMap): unknown conversion'));
    },
  },
  {
    name: 'a patch that says something twice is told so',
    async run({ core, ask, expect }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const twice = { raw: '{"data":{"k":"1","k":"2"}}', headers: mergePatch };
      const warned = await ask('PATCH', `${core('configmaps', 'a')}?fieldValidation=Warn`, twice);
      assert.deepEqual([warned.status, warned.headers['warning']], [200, '299 - "duplicate field \\"data.k\\""']);
      const strict = await expect(422, 'PATCH', `${core('configmaps', 'a')}?fieldValidation=Strict`, twice);
      assertStatus(strict, 'Invalid', /strict decoding error: duplicate field "data\.k"$/);
    },
  },
  {
    name: 'patches that cannot be read, or whose result cannot',
    async run({ core, ask, expect }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a', { v: '1' }) });
      const path = core('configmaps', 'a');
      const object = 'into Go value of type map[string]interface {}';
      const invalid = (shown: string, why: string) => ` "" is invalid: patch: Invalid value: "${shown}": ${why}`;
      const cases = [
        [strategic, '[]', 400, `json: cannot unmarshal array ${object}`],
        [mergePatch, '"x"', 400, `error decoding patch: json: cannot unmarshal string ${object}`],
        [mergePatch, 'null', 400, 'Invalid JSON Patch'],
        [strategic, '', 400, 'unexpected end of JSON input'],
        [mergePatch, '{', 400, 'error decoding patch: unexpected end of JSON input'],
        [
          jsonPatch,
          '{}',
          400,
          'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
        ],
        [strategic, '{"data":{"a":5}}', 422, invalid('map[data:map[a:5]]', 'cannot convert int64 to string')],
        [strategic, '{"data":"x"}', 422, invalid('map[data:x]', 'cannot restore map from string')],
        [strategic, '{"immutable":"x"}', 422, invalid('map[immutable:x]', 'unrecognized type: bool')],
      ] as const;
      for (const [headers, raw, code, message] of cases) {
        const { status, json } = await ask('PATCH', path, { raw, headers });
        assert.deepEqual([status, json.message], [code, message]);
      }
      const { message } = await expect(422, 'PATCH', path, { raw: '{"data":5}', headers: mergePatch });
      assert.match(message, /^ "" is invalid: patch: Invalid value: "\{\\"apiVersion\\":\\"v1\\",\\"data\\":5,/);
      assert.match(message, /: json: cannot unmarshal number into Go struct field ConfigMap\.data of type /);
      for (const raw of ['null', '{"kind":"Secret"}'])
        assert.equal((await expect(200, 'PATCH', path, { raw, headers: strategic })).kind, 'ConfigMap');
    },
  },
  {
    name: 'apply: what does not fit its type is told by path',
    async run({ core, ask }) {
      const path = `${core('configmaps', 'a')}?fieldManager=x`;
      const about = 'failed to create typed patch object (/a; /v1, Kind=ConfigMap)';
      const cases = [
        [{ data: 'x' }, 500, `${about}: .data: expected map, got &{x}`],
        [{ data: { a: 1 } }, 500, `${about}: .data.a: expected string, got &value.valueUnstructured{Value:1}`],
        [{ immutable: [1] }, 500, `${about}: .immutable: expected boolean, got &{[1]}`],
        [
          { metadata: { name: 'a', generation: 'x' } },
          500,
          `${about}: .metadata.generation: expected numeric (int or float), got string`,
        ],
        [{ kind: 'Secret' }, 400, 'invalid object type: /v1, Kind=Secret'],
        [{ apiVersion: undefined }, 400, 'invalid object type: /, Kind=ConfigMap'],
      ] as const;
      for (const [change, code, message] of cases) {
        const body = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' }, ...change };
        const { status, json } = await ask('PATCH', path, { body, headers: applyPatch });
        assert.deepEqual([status, json.message], [code, message]);
      }
    },
  },
  {
    name: 'apply: owners, conflicts, force, removal',
    async run({ core, expect }) {
      const apply = (manager: string, data: Record<string, string>, force = false) => ({
        target: `${core('configmaps', 'a')}?fieldManager=${manager}${force ? '&force=true' : ''}`,
        ask: { body: configMap('a', data), headers: applyPatch },
      });
      const go = (status: number, { target, ask }: ReturnType<typeof apply>) => expect(status, 'PATCH', target, ask);
      const made = await go(201, apply('one', { x: '1', y: '1' }));
      assert.deepEqual(
        made.metadata.managedFields.map((m: Json) => [m.manager, m.operation]),
        [['one', 'Apply']],
      );
      const conflict = await go(409, apply('two', { x: '2' }));
      assertStatus(conflict, 'Conflict', /conflict with "one": \.data\.x/);
      assert.equal(conflict.details.causes[0].reason, 'FieldManagerConflict');
      assert.equal((await go(200, apply('two', { x: '2' }, true))).data.x, '2');
      const dropped = await go(200, apply('one', { x: '2' }));
      assert.deepEqual(dropped.data, { x: '2' });
      const again = await go(200, apply('one', { x: '2' }));
      assert.equal(again.metadata.resourceVersion, dropped.metadata.resourceVersion);
      assertStatus(
        await expect(422, 'PATCH', core('configmaps', 'a'), { body: configMap('a'), headers: applyPatch }),
        'Invalid',
        /fieldManager: Required value/,
      );
    },
  },
  {
    name: 'writers own what they sent and its defaults, not what the server added',
    async run({ core, expect, ns }) {
      const owned = (obj: Json) => Object.keys(obj.metadata.managedFields[0].fieldsV1['f:spec'] ?? {}).sort();
      const service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'a' },
        spec: { selector: { a: 'b' }, ports: [{ port: 80 }] },
      };
      const fields = ['f:internalTrafficPolicy', 'f:ports', 'f:selector', 'f:sessionAffinity', 'f:type'];
      assert.deepEqual(owned(await expect(201, 'POST', core('services'), { body: service })), fields);
      assert.deepEqual(owned(await expect(200, 'PUT', core('services', 'a'), { body: service })), fields);
      assert.deepEqual((await expect(200, 'GET', `/api/v1/namespaces/${ns}`)).metadata.managedFields[0].fieldsV1, {
        'f:metadata': { 'f:labels': { '.': {}, 'f:kubernetes.io/metadata.name': {} } },
      });
    },
  },
  {
    name: 'DELETE and its preconditions',
    async run({ core, expect }) {
      const made = await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const wrong = { preconditions: { uid: '00000000-0000-4000-8000-000000000000' } };
      assertStatus(
        await expect(409, 'DELETE', core('configmaps', 'a'), { body: wrong }),
        'Conflict',
        /UID in precondition/,
      );
      await expect(200, 'DELETE', `${core('configmaps', 'a')}?dryRun=All`);
      const gone = await expect(200, 'DELETE', core('configmaps', 'a'), {
        body: { preconditions: { uid: made.metadata.uid } },
      });
      assert.equal(gone.status, 'Success');
      assert.deepEqual(gone.details, { name: 'a', kind: 'configmaps', uid: made.metadata.uid });
      assertStatus(await expect(404, 'DELETE', core('configmaps', 'a')), 'NotFound');
    },
  },
  {
    name: 'DELETE reads its options, in any version and no others',
    async run({ core, ask, expect }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const path = core('configmaps', 'a');
      const refused = async (raw: string) => {
        const { status, json } = await ask('DELETE', path, { raw });
        assert.equal(status, 400);
        return json.message;
      };
      const scheme = 'in scheme "pkg/apis/meta/internalversion/scheme/register.go:27"';
      const pod = '{"kind":"Pod","apiVersion":"v1"}';
      assert.equal(await refused(pod), `no kind "Pod" is registered for version "v1" ${scheme}`);
      assert.equal(await refused('{'), "couldn't get version/kind; json parse error: unexpected end of JSON input");
      assert.equal(
        await refused('{"gracePeriodSeconds":"x"}'),
        'json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64',
      );
      await expect(200, 'DELETE', path, { raw: '{"kind":"DeleteOptions","apiVersion":"apps/v1"}' });
    },
  },
  {
    name: 'finalizers hold a deletion until the last is gone',
    async run({ core, expect }) {
      const body = { ...configMap('a'), metadata: { name: 'a', finalizers: ['example.com/hold'] } };
      await expect(201, 'POST', core('configmaps'), { body });
      const marked = await expect(200, 'DELETE', core('configmaps', 'a'));
      assert.ok(marked.metadata.deletionTimestamp);
      const more = { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } };
      assertStatus(await expect(422, 'PATCH', core('configmaps', 'a'), { body: more, headers: mergePatch }), 'Invalid');
      await expect(200, 'PATCH', core('configmaps', 'a'), {
        body: { metadata: { finalizers: null } },
        headers: mergePatch,
      });
      await expect(404, 'GET', core('configmaps', 'a'));
    },
  },
  {
    name: 'propagation policies become finalizers',
    async run({ core, expect }) {
      for (const [policy, finalizer] of [
        ['Orphan', 'orphan'],
        ['Foreground', 'foregroundDeletion'],
      ]) {
        await expect(201, 'POST', core('configmaps'), { body: configMap(`p-${finalizer?.toLowerCase()}`) });
        const path = core('configmaps', `p-${finalizer?.toLowerCase()}`);
        const got = await expect(200, 'DELETE', `${path}?propagationPolicy=${policy}`).catch(() =>
          expect(202, 'DELETE', `${path}?propagationPolicy=${policy}`),
        );
        assert.deepEqual(got.metadata.finalizers, [finalizer]);
      }
    },
  },
  {
    name: 'pods go gracefully',
    async run({ core, expect }) {
      await expect(201, 'POST', core('pods'), { body: { ...pod('p'), spec: { ...pod('p').spec, nodeName: 'n' } } });
      const marked = await expect(200, 'DELETE', `${core('pods', 'p')}?gracePeriodSeconds=20`);
      assert.equal(marked.metadata.deletionGracePeriodSeconds, 20);
      await expect(200, 'DELETE', `${core('pods', 'p')}?gracePeriodSeconds=0`);
      await expect(404, 'GET', core('pods', 'p'));
      await expect(201, 'POST', core('pods'), { body: pod('q') });
      await expect(200, 'DELETE', core('pods', 'q'));
      await expect(404, 'GET', core('pods', 'q'));
    },
  },
  {
    name: 'deletecollection takes selectors',
    async run({ core, expect }) {
      for (const name of ['a', 'b', 'c'])
        await expect(201, 'POST', core('configmaps'), { body: configMap(name, {}, { keep: String(name === 'b') }) });
      await expect(200, 'DELETE', `${core('configmaps')}?labelSelector=keep%3Dfalse`);
      const left = await expect(200, 'GET', core('configmaps'));
      assert.deepEqual(
        left.items.map((o: Json) => o.metadata.name),
        ['b'],
      );
    },
  },
  {
    name: 'binding assigns a pod once',
    async run({ core, expect }) {
      await expect(201, 'POST', core('pods'), { body: pod('p') });
      const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } };
      await expect(201, 'POST', core('pods', 'p', 'binding'), { body });
      const bound = await expect(200, 'GET', core('pods', 'p'));
      assert.equal(bound.spec.nodeName, 'n1');
      assert.equal(bound.status.conditions.find((c: Json) => c.type === 'PodScheduled').status, 'True');
      assertStatus(
        await expect(409, 'POST', core('pods', 'p', 'binding'), { body }),
        'Conflict',
        /already assigned to node "n1"/,
      );
      // Upstream gives these errors no code of their own.
      const nothing = { ...body, target: { kind: 'Rack' } };
      const { reason, message } = await expect(500, 'POST', core('pods', 'p', 'binding'), { body: nothing });
      assert.equal(reason, undefined);
      const kind = 'target.kind: Unsupported value: "Rack": supported values: "Node", "<empty>"';
      assert.equal(message, `[${kind}, target.name: Required value]`);
    },
  },
  {
    name: 'the older door for bindings names the pod in the body',
    async run({ core, expect }) {
      await expect(201, 'POST', core('pods'), { body: pod('p') });
      const to = (name: string) => ({
        body: { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { kind: 'Node', name: 'n1' } },
      });
      await expect(201, 'POST', core('bindings'), to('p'));
      assert.equal((await expect(200, 'GET', core('pods', 'p'))).spec.nodeName, 'n1');
      assertStatus(await expect(404, 'POST', core('bindings'), to('none')), 'NotFound', /^pods "none" not found$/);
      const aimless = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'p' } };
      const refused = await expect(500, 'POST', core('bindings'), { body: aimless });
      assert.equal(refused.message, 'target.name: Required value');
      await expect(405, 'GET', core('bindings'));
    },
  },
  {
    name: 'an eviction of the older version is taken, too',
    async run({ core, expect }) {
      await expect(201, 'POST', core('pods'), { body: pod('p') });
      const eviction = (version: string) => ({
        body: { apiVersion: `policy/${version}`, kind: 'Eviction', metadata: { name: 'p' } },
      });
      await expect(400, 'POST', core('pods', 'p', 'eviction'), eviction('v2'));
      await expect(201, 'POST', core('pods', 'p', 'eviction'), eviction('v1beta1'));
      await expect(404, 'GET', core('pods', 'p'));
    },
  },
  {
    name: 'an eviction under two budgets is refused, without a reason',
    async run({ ns, core, expect }) {
      const made = await expect(201, 'POST', core('pods'), { body: pod('p', { labels: { app: 'a' } }) });
      const running = { ...made, status: { phase: 'Running' } };
      await expect(200, 'PUT', core('pods', 'p', 'status'), { body: running });
      for (const name of ['one', 'two'])
        await expect(201, 'POST', `/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets`, {
          body: {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: { name },
            spec: { minAvailable: 1, selector: { matchLabels: { app: 'a' } } },
          },
        });
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' } };
      const refused = await expect(500, 'POST', core('pods', 'p', 'eviction'), { body: eviction });
      assert.equal(
        refused.message,
        'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      );
      assert.equal(refused.reason, undefined);
    },
  },
  {
    name: 'a hundred writers lose nothing',
    async run({ core, expect, ask }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const put = (i: number) =>
        expect(200, 'PATCH', core('configmaps', 'a'), { body: { data: { [`k${i}`]: 'v' } }, headers: mergePatch });
      await Promise.all(Array.from({ length: 100 }, (_, i) => put(i)));
      const { json } = await ask('GET', core('configmaps', 'a'));
      assert.equal(Object.keys(json.data).length, 100);
    },
  },
  {
    name: 'the count of a scale has an owner when it is applied',
    async run({ ns, expect }) {
      const path = `/apis/apps/v1/namespaces/${ns}/replicasets`;
      const labels = { app: 'a' };
      const spec = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod('x').spec } };
      await expect(201, 'POST', path, {
        body: { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'r' }, spec },
      });
      const scale = (replicas: number) => ({
        body: { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'r' }, spec: { replicas } },
        headers: applyPatch,
      });
      await expect(422, 'PATCH', `${path}/r/scale`, scale(2));
      const at = (manager: string, more = '') => `${path}/r/scale?fieldManager=${manager}${more}`;
      assert.equal((await expect(200, 'PATCH', at('one', '&force=true'), scale(2))).spec.replicas, 2);
      const refused = await expect(409, 'PATCH', at('two'), scale(3));
      assertStatus(refused, 'Conflict', /conflict with "one".*: \.spec\.replicas$/);
      assert.equal((await expect(200, 'PATCH', at('two', '&force=true'), scale(3))).spec.replicas, 3);
      const { metadata } = await expect(200, 'GET', `${path}/r`);
      const owner = metadata.managedFields.find((entry: Json) => entry.manager === 'two');
      assert.deepEqual(
        [owner.operation, owner.subresource, owner.fieldsV1],
        ['Apply', 'scale', { 'f:spec': { 'f:replicas': {} } }],
      );
    },
  },
  {
    name: 'an owner that stands twice is kept once',
    async run({ core, ask }) {
      const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u' };
      const body = { ...configMap('a'), metadata: { name: 'a', ownerReferences: [owner, owner] } };
      const made = await ask('POST', core('configmaps'), { body });
      assert.deepEqual(made.json.metadata.ownerReferences, [owner]);
      assert.match(
        made.headers['warning'] ?? '',
        /ownerReferences contains duplicate entries; .* duplicate UID\(s\) observed: u"$/,
      );
      const more = [owner, { ...owner, name: 'p' }, owner];
      const patch = { metadata: { ownerReferences: more } };
      const patched = await ask('PATCH', core('configmaps', 'a'), { body: patch, headers: mergePatch });
      assert.deepEqual(patched.json.metadata.ownerReferences, [owner, { ...owner, name: 'p' }]);
      assert.match(patched.headers['warning'] ?? '', /duplicate entries after mutating admission happens; /);
    },
  },
  {
    name: 'all that is wrong with the options is told',
    async run({ core, expect }) {
      const fields = (status: Json) => status.details.causes.map((c: Json) => `${c.field}: ${c.message}`);
      const query = 'fieldManager=a%07&dryRun=Some&fieldValidation=Maybe';
      const written = await expect(422, 'POST', `${core('configmaps')}?${query}`, { body: configMap('a') });
      assert.deepEqual(fields(written), [
        'fieldManager: Invalid value: "a\\a": invalid character U+0007 (at position 1)',
        'dryRun: Unsupported value: ["Some"]: supported values: "All"',
        'fieldValidation: Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"',
      ]);
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const body = { propagationPolicy: 'Some', orphanDependents: true, dryRun: ['Some'] };
      assert.deepEqual(fields(await expect(422, 'DELETE', core('configmaps', 'a'), { body })), [
        'propagationPolicy: Invalid value: "Some": orphanDependents and deletionPropagation cannot be both set',
        'propagationPolicy: Unsupported value: "Some": supported values: "Foreground", "Background", "Orphan", "nil"',
        'dryRun: Unsupported value: ["Some"]: supported values: "All"',
      ]);
    },
  },
];
