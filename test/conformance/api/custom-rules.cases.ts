import assert from 'node:assert/strict';
import { crds, established } from './custom.cases.ts';
import { assertStatus, type Case, type Json, type Kit } from './harness.ts';

const mergePatch = { 'content-type': 'application/merge-patch+json' };
const keepUnknown = { 'x-kubernetes-preserve-unknown-fields': true };
const open = { type: 'object', ...keepUnknown };

interface Installed {
  readonly path: string;
  object(name: string, rest?: object, metadata?: object): Json;
  remove(): Promise<void>;
}

/** Defines a kind with one version, or the versions given. */
async function install(kit: Kit, plural: string, version: object | readonly object[]): Promise<Installed> {
  const kind = plural.charAt(0).toUpperCase() + plural.slice(1, -1);
  const name = `${plural}.rules.example.com`;
  const versions = Array.isArray(version) ? version : [{ name: 'v1', served: true, storage: true, ...version }];
  const body = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: { group: 'rules.example.com', scope: 'Namespaced', names: { plural, kind }, versions },
  };
  await kit.expect(201, 'POST', crds, { body });
  await established(kit, name);
  return {
    path: `/apis/rules.example.com/v1/namespaces/${kit.ns}/${plural}`,
    object: (objectName, rest = {}, metadata = {}) => ({
      apiVersion: 'rules.example.com/v1',
      kind,
      metadata: { name: objectName, ...metadata },
      ...rest,
    }),
    async remove() {
      await kit.expect(200, 'DELETE', `${crds}/${name}`);
    },
  };
}
const withSchema = (schema: object) => ({ schema: { openAPIV3Schema: { type: 'object', ...schema } } });

export const customRulesCases: readonly Case[] = [
  {
    name: 'objects inside of an object are whole objects',
    async run(kit) {
      const inner = { type: 'object', 'x-kubernetes-embedded-resource': true, ...keepUnknown };
      const { path, object, remove } = await install(kit, 'holders', withSchema({ properties: { inner } }));
      const create = (status: number, value: object) =>
        kit.expect(status, 'POST', path, { body: object('a', { inner: value }) });
      const missing = await create(422, {});
      assert.deepEqual(
        missing.details.causes.map((c: Json) => `${c.field}: ${c.message}`),
        ['inner.apiVersion: Required value', 'inner.kind: Required value'],
      );
      const wrong = await create(422, { apiVersion: 'a/b/c', kind: 'Pod.x', metadata: { name: '..' } });
      assert.deepEqual(
        wrong.details.causes.map((c: Json) => c.field),
        ['inner.apiVersion', 'inner.kind', 'inner.metadata.name'],
      );
      assertStatus(
        await create(400, { apiVersion: 1, kind: 'Pod' }),
        'BadRequest',
        /cannot be handled as a Holder: inner\.apiVersion: Invalid value: 1: must be a string$/,
      );
      assertStatus(
        await create(400, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 5 } }),
        'BadRequest',
        /inner\.metadata: Invalid value: \{"name":5\}: json: cannot unmarshal number into Go struct field ObjectMeta\.name of type string$/,
      );
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { labels: { a: 'b' } }, other: { x: 1 } };
      assert.deepEqual((await create(201, pod)).inner, pod);
      await remove();
    },
  },
  {
    name: 'unknown fields are named in order: metadata, the rest, metadata within',
    async run(kit) {
      const inner = { type: 'object', 'x-kubernetes-embedded-resource': true, ...keepUnknown };
      const { path, object, remove } = await install(kit, 'orders', withSchema({ properties: { inner } }));
      const body = object('a', {
        z: 1,
        inner: { apiVersion: 'v1', kind: 'Pod', metadata: { q: 1 } },
        b: 1,
      });
      body.metadata.x = 1;
      const got = await kit.expect(400, 'POST', `${path}?fieldValidation=Strict`, { body });
      const names = [...got.message.matchAll(/unknown field "([^"]*)"/g)].map(match => match[1]);
      assert.deepEqual(names, ['metadata.x', 'b', 'z', 'inner.metadata.q']);
      await remove();
    },
  },
  {
    name: 'a body names its kind and version',
    async run(kit) {
      const { path, object, remove } = await install(kit, 'kinds', withSchema(keepUnknown));
      const other = await kit.expect(422, 'POST', path, { body: { ...object('a'), kind: 'Other' } });
      assert.equal(other.message, 'Other.rules.example.com "a" is invalid: kind: Invalid value: "Other": must be Kind');
      const none = await kit.expect(400, 'POST', path, { body: { metadata: { name: 'a' } } });
      assertStatus(none, 'BadRequest', /cannot be handled as a Kind: Object 'Kind' is missing in '\{"metadata":/);
      const version = await kit.expect(400, 'POST', path, { body: { ...object('a'), apiVersion: '' } });
      assertStatus(version, 'BadRequest', /the API version in the data \(\) does not match the expected API version/);
      assertStatus(
        await kit.expect(404, 'GET', `${path}/a/nothing`),
        'NotFound',
        /^kinds\.rules\.example\.com "a" not found$/,
      );
      await remove();
    },
  },
  {
    name: 'a status is written without regard to the rest',
    async run(kit) {
      const status = { type: 'object', properties: { size: { type: 'integer' } } };
      const spec = { type: 'object', properties: { a: { type: 'string' } } };
      const version = { subresources: { status: {} }, ...withSchema({ properties: { spec, status } }) };
      const { path, object, remove } = await install(kit, 'parts', version);
      await kit.expect(201, 'POST', path, { body: object('a') });
      const crd = await kit.expect(200, 'GET', `${crds}/parts.rules.example.com`);
      crd.spec.versions[0].schema.openAPIV3Schema.required = ['spec'];
      await kit.expect(200, 'PUT', `${crds}/parts.rules.example.com`, { body: crd });
      const write = (code: number, size: unknown) =>
        kit.expect(code, 'PATCH', `${path}/a/status`, { body: { status: { size } }, headers: mergePatch });
      assert.equal((await write(200, 1)).status.size, 1);
      assert.equal(
        (await write(422, 'x')).details.causes[0].message,
        'Invalid value: "string": size in body must be of type integer: "string"',
      );
      await remove();
    },
  },
  {
    name: 'what a scale stands for is checked, and must be there',
    async run(kit) {
      const scale = {
        specReplicasPath: '.spec.size',
        statusReplicasPath: '.status.size',
        labelSelectorPath: '.status.at',
      };
      const version = { subresources: { status: {}, scale }, ...withSchema(keepUnknown) };
      const { path, object, remove } = await install(kit, 'scales', version);
      const negative = await kit.expect(422, 'POST', path, { body: object('a', { spec: { size: -1 } }) });
      assert.deepEqual(negative.details.causes, [
        {
          reason: 'FieldValueInvalid',
          field: '.spec.size',
          message: 'Invalid value: -1: should be a non-negative integer',
        },
      ]);
      const text = await kit.expect(422, 'POST', path, { body: object('a', { spec: { size: 'x' } }) });
      assert.match(text.message, /\.spec\.size accessor error: x is of the type string, expected int64$/);
      await kit.expect(201, 'POST', path, { body: object('a', { spec: {} }) });
      assertStatus(
        await kit.expect(500, 'GET', `${path}/a/scale`),
        'InternalError',
        /the spec replicas field "\.spec\.size" does not exist$/,
      );
      const patch = (code: number, body: object) =>
        kit.expect(code, 'PATCH', `${path}/a/scale`, { body, headers: mergePatch });
      assertStatus(await patch(400, {}), 'BadRequest', /^the spec replicas field "\.spec\.size" cannot be empty$/);
      assert.match(
        (await patch(422, { spec: { replicas: -1 } })).message,
        /^Scale\.rules\.example\.com "a" is invalid/,
      );
      assert.equal((await patch(200, { spec: { replicas: 2 } })).spec.replicas, 2);
      const bad = { status: { size: -1, at: { a: 1 } } };
      const status = await kit.expect(422, 'PATCH', `${path}/a/status`, { body: bad, headers: mergePatch });
      assert.deepEqual(
        status.details.causes.map((c: Json) => c.field),
        ['.status.size', '.status.at'],
      );
      await remove();
    },
  },
  {
    name: 'columns say where they are from; one that cannot be read ends them',
    async run(kit) {
      const column = (name: string, type: string, jsonPath: string, rest = {}) => ({ name, type, jsonPath, ...rest });
      const additionalPrinterColumns = [
        column('Text', 'string', '.spec.text', { priority: 2 }),
        column('Whole', 'integer', '.spec.whole', { description: 'a count' }),
        column('When', 'date', '.spec.when'),
        column('Bad', 'string', '.spec['),
        column('Late', 'string', '.spec.late'),
      ];
      const { path, object, remove } = await install(kit, 'tables', {
        ...withSchema(keepUnknown),
        additionalPrinterColumns,
      });
      const spec = { text: { b: [1, '<'], a: null }, whole: 2.7, when: 'soon', late: 'x' };
      await kit.expect(201, 'POST', path, { body: object('a', { spec }) });
      await kit.expect(201, 'POST', path, { body: object('b', { spec: { text: null } }) });
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const table = await kit.expect(200, 'GET', path, { headers: { accept } });
      assert.deepEqual(
        table.columnDefinitions.slice(1).map((c: Json) => [c.name, c.priority, c.description]),
        [
          ['Text', 2, 'Custom resource definition column (in JSONPath format): .spec.text'],
          ['Whole', 0, 'a count'],
          ['When', 0, 'Custom resource definition column (in JSONPath format): .spec.when'],
        ],
      );
      assert.deepEqual(
        table.rows.map((row: Json) => row.cells),
        [
          ['a', '{"a":null,"b":[1,"\\u003c"]}', 2, '<invalid>'],
          ['b', '<no value>', null, null],
        ],
      );
      await remove();
    },
  },
  {
    name: 'warnings: deprecated versions at every request, finalizers that others may use',
    async run(kit) {
      const schema = { openAPIV3Schema: open };
      const version = (name: string, rest: object) => ({ name, served: true, storage: false, schema, ...rest });
      const { path, object, remove } = await install(kit, 'olds', [
        version('v1', { storage: true, deprecated: true }),
        version('v2beta1', {}),
        version('v2', {}),
        version('v3', { served: false }),
        version('v4', { deprecated: true, deprecationWarning: 'too new' }),
      ]);
      const list = await kit.ask('GET', path);
      assert.equal(
        list.headers['warning'],
        '299 - "rules.example.com/v1 Old is deprecated; use rules.example.com/v2 Old"',
      );
      assert.equal((await kit.ask('GET', path.replace('/v1/', '/v4/'))).headers['warning'], '299 - "too new"');
      const v2 = {
        ...object('a', {}, { finalizers: ['x/y', 'plain', 'a.b', 'orphan'] }),
        apiVersion: 'rules.example.com/v2',
      };
      const made = await kit.ask('POST', path.replace('/v1/', '/v2/'), { body: v2 });
      assert.match(
        made.headers['warning'] ?? '',
        /^299 - "metadata\.finalizers: \\"a\.b\\": prefer a domain-qualified finalizer name including a path \(\/\) to .*", 299 - "metadata\.finalizers: \\"plain\\": prefer a domain-qualified finalizer name to [^,]*"$/,
      );
      await kit.expect(200, 'PATCH', `${path}/a`, { body: { metadata: { finalizers: null } }, headers: mergePatch });
      await remove();
    },
  },
  {
    name: 'a definition gets its finalizer when it is deleted, and goes when its objects are gone',
    async run(kit) {
      const { path, object } = await install(kit, 'lasts', withSchema(keepUnknown));
      const name = 'lasts.rules.example.com';
      await kit.expect(201, 'POST', path, { body: object('a', {}, { finalizers: ['example.com/hold'] }) });
      const before = await kit.expect(200, 'GET', `${crds}/${name}`);
      assert.equal(before.metadata.finalizers, undefined);
      const marked = await kit.expect(200, 'DELETE', `${crds}/${name}`);
      assert.deepEqual(marked.metadata.finalizers, ['customresourcecleanup.apiextensions.k8s.io']);
      assert.deepEqual([marked.metadata.generation, marked.metadata.deletionGracePeriodSeconds], [1, undefined]);
      const terminating = (crd: Json) => crd.status.conditions.find((c: Json) => c.type === 'Terminating');
      assert.deepEqual([terminating(marked).status, terminating(marked).reason], ['True', 'InstanceDeletionPending']);
      assertStatus(
        await kit.expect(403, 'POST', path, { body: object('b') }),
        'Forbidden',
        /^lasts\.rules\.example\.com "b" is forbidden: create not allowed while custom resource definition is terminating$/,
      );
      const from = `${crds}?watch=1&fieldSelector=metadata.name%3D${name}&resourceVersion=${marked.metadata.resourceVersion}`;
      const events = await kit.watch(
        from,
        all => all.at(-1)?.type === 'DELETED',
        () => kit.expect(200, 'PATCH', `${path}/a`, { body: { metadata: { finalizers: null } }, headers: mergePatch }),
      );
      const { status, reason } = terminating(events.at(-1)?.object);
      assert.deepEqual([status, reason], ['True', 'InstanceDeletionInProgress']);
    },
  },
  {
    name: 'watches end when the definition changes, and when it goes',
    async run(kit) {
      const { path, object, remove } = await install(kit, 'views', withSchema(keepUnknown));
      await kit.expect(201, 'POST', path, { body: object('a') });
      const types = async (act: () => Promise<unknown>) => {
        const seen: string[] = [];
        const events = await kit.watch(
          `${path}?watch=1`,
          all => {
            seen.push(all.at(-1)?.type);
            return false;
          },
          act,
        );
        assert.equal(seen.length, events.length);
        return seen;
      };
      const change = { spec: { names: { categories: ['all'] } } };
      const changed = () =>
        kit.expect(200, 'PATCH', `${crds}/views.rules.example.com`, { body: change, headers: mergePatch });
      assert.deepEqual(await types(changed), ['ADDED']);
      assert.deepEqual(await types(remove), ['ADDED', 'DELETED']);
    },
  },
  {
    name: 'versions share what the stored one knows, and its defaults',
    async run(kit) {
      const version = (name: string, storage: boolean, fields: object, selected: string) => ({
        name,
        served: true,
        storage,
        selectableFields: [{ jsonPath: `.spec.${selected}` }],
        ...withSchema({ properties: { spec: { type: 'object', properties: fields } } }),
      });
      const text = { type: 'string' };
      const [a, b, c] = [{ ...text, default: 'a1' }, { ...text, default: 'b2' }, text];
      const { path, object, remove } = await install(kit, 'pairs', [
        version('v1', true, { a, c }, 'a'),
        version('v2', false, { b, c }, 'c'),
      ]);
      const second = path.replace('/v1/', '/v2/');
      const v2 = { ...object('x', { spec: { b: 'lost', c: 'kept' } }), apiVersion: 'rules.example.com/v2' };
      assert.deepEqual((await kit.expect(201, 'POST', second, { body: v2 })).spec, { c: 'kept' });
      assert.deepEqual((await kit.expect(200, 'GET', `${path}/x`)).spec, { a: 'a1', c: 'kept' });
      const names = async (at: string, selector: string) =>
        (await kit.expect(200, 'GET', `${at}?fieldSelector=${encodeURIComponent(selector)}`)).items.length;
      assert.deepEqual([await names(path, 'spec.a=a1'), await names(second, 'spec.c=kept')], [1, 1]);
      await kit.expect(400, 'GET', `${second}?fieldSelector=spec.a%3Da1`);
      await remove();
    },
  },
  {
    name: 'a deletion that waits writes what the definition says now',
    async run(kit) {
      const spec = { type: 'object', properties: { a: { type: 'string' } } };
      const { path, object, remove } = await install(kit, 'stales', withSchema({ properties: { spec, old: spec } }));
      const body = object('x', { spec: {}, old: { a: 'gone' } }, { finalizers: ['example.com/hold'] });
      await kit.expect(201, 'POST', path, { body });
      const crd = await kit.expect(200, 'GET', `${crds}/stales.rules.example.com`);
      const now = { ...spec, properties: { a: { type: 'string', default: 'new' } } };
      crd.spec.versions[0].schema.openAPIV3Schema.properties = { spec: now };
      await kit.expect(200, 'PUT', `${crds}/stales.rules.example.com`, { body: crd });
      await kit.expect(200, 'DELETE', `${path}/x`);
      const waiting = await kit.expect(200, 'GET', `${path}/x`);
      assert.deepEqual([waiting.spec, waiting.old], [{ a: 'new' }, undefined]);
      await kit.expect(200, 'PATCH', `${path}/x`, { body: { metadata: { finalizers: null } }, headers: mergePatch });
      await remove();
    },
  },
];
