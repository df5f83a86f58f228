import assert from 'node:assert/strict';
import { assertStatus, type Case, type Json, type Kit } from './harness.ts';

export const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const mergePatch = { 'content-type': 'application/merge-patch+json' };

function definition(plural: string): Json {
  const kind = plural.charAt(0).toUpperCase() + plural.slice(1, -1);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural, kind, shortNames: [plural.slice(0, 4)] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
          selectableFields: [{ jsonPath: '.spec.color' }],
          additionalPrinterColumns: [
            { name: 'Color', type: 'string', jsonPath: '.spec.color' },
            { name: 'When', type: 'date', jsonPath: '.spec.when', priority: 2, description: 'When it was.' },
          ],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  required: ['color'],
                  properties: {
                    color: { type: 'string', enum: ['red', 'blue'] },
                    size: { type: 'integer', default: 3, minimum: 1 },
                    when: { type: 'string' },
                  },
                },
                status: { type: 'object', properties: { size: { type: 'integer' } } },
              },
            },
          },
        },
        {
          name: 'v1beta1',
          served: true,
          storage: false,
          deprecated: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  };
}

/** Waits for a definition's condition by watching it. */
export async function established(kit: Kit, name: string): Promise<void> {
  const ready = (crd: Json) =>
    crd.status?.conditions?.some((c: Json) => c.type === 'Established' && c.status === 'True');
  const query = `watch=1&fieldSelector=metadata.name%3D${name}`;
  await kit.watch(`${crds}?${query}`, events => ready(events.at(-1)?.object));
}

async function install(kit: Kit, plural: string): Promise<string> {
  await kit.expect(201, 'POST', crds, { body: definition(plural) });
  await established(kit, `${plural}.example.com`);
  return `/apis/example.com/v1/namespaces/${kit.ns}/${plural}`;
}
const object = (kind: string, name: string, spec: object) => ({
  apiVersion: 'example.com/v1',
  kind,
  metadata: { name },
  spec,
});

export const customCases: readonly Case[] = [
  {
    name: 'prunes, defaults, validates',
    async run(kit) {
      const path = await install(kit, 'gadgets');
      const made = await kit.expect(201, 'POST', path, { body: object('Gadget', 'a', { color: 'red', extra: 1 }) });
      assert.deepEqual(made.spec, { color: 'red', size: 3 });
      assert.equal(made.metadata.generation, 1);
      const bad = await kit.expect(422, 'POST', path, { body: object('Gadget', 'b', { color: 'green', size: 0 }) });
      assertStatus(bad, 'Invalid', /spec\.color: Unsupported value: "green"/);
      await kit.expect(200, 'DELETE', `${crds}/gadgets.example.com`);
    },
  },
  {
    name: 'a definition ends after its objects',
    async run(kit) {
      const plural = 'enders';
      const one = `${crds}/${plural}.example.com`;
      const made = await kit.expect(201, 'POST', crds, { body: definition(plural) });
      assert.equal(made.metadata.finalizers, undefined);
      assert.deepEqual(made.status.acceptedNames, { plural: '', kind: '' });
      await established(kit, `${plural}.example.com`);
      const path = `/apis/example.com/v1/namespaces/${kit.ns}/${plural}`;
      const body = object('Ender', 'a', { color: 'red' });
      await kit.expect(201, 'POST', path, {
        body: { ...body, metadata: { ...body.metadata, finalizers: ['example.com/hold'] } },
      });
      const orphaning = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Orphan' };
      const { metadata, status } = await kit.expect(200, 'DELETE', one, { body: orphaning });
      assert.ok(metadata.deletionTimestamp);
      assert.equal(metadata.generation, 1);
      assert.equal(metadata.deletionGracePeriodSeconds, undefined);
      assert.deepEqual(metadata.finalizers, ['customresourcecleanup.apiextensions.k8s.io']);
      const { type, reason } = status.conditions.at(-1);
      assert.deepEqual([type, reason], ['Terminating', 'InstanceDeletionPending']);
      assertStatus(await kit.expect(403, 'POST', path, { body: object('Ender', 'b', {}) }), 'Forbidden');
      await kit.watch(
        `${crds}?watch=1&fieldSelector=metadata.name%3D${plural}.example.com&resourceVersion=${metadata.resourceVersion}`,
        events => events.at(-1)?.type === 'DELETED',
        () => kit.expect(200, 'PATCH', `${path}/a`, { body: { metadata: { finalizers: null } }, headers: mergePatch }),
      );
      assert.equal((await kit.ask('GET', path)).text, '404 page not found\n');
    },
  },
  {
    name: 'status, scale, columns, fields and versions',
    async run(kit) {
      const path = await install(kit, 'widgets');
      await kit.expect(201, 'POST', path, { body: object('Widget', 'a', { color: 'red' }) });
      const written = await kit.expect(200, 'PATCH', `${path}/a/status`, {
        body: { spec: { color: 'blue' }, status: { size: 2 } },
        headers: mergePatch,
      });
      assert.deepEqual([written.spec.color, written.status.size, written.metadata.generation], ['red', 2, 1]);
      const scaled = await kit.expect(200, 'PATCH', `${path}/a/scale`, {
        body: { spec: { replicas: 9 } },
        headers: mergePatch,
      });
      assert.deepEqual([scaled.spec.replicas, scaled.status.replicas], [9, 2]);
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const scale = await kit.expect(200, 'GET', `${path}/a/scale`, { headers: { accept } });
      assert.deepEqual(scale.rows[0].cells.slice(0, 3), ['a', 9, 2]);
      const table = await kit.expect(200, 'GET', path, { headers: { accept } });
      const [, color, when] = table.columnDefinitions;
      const text = 'Custom resource definition column (in JSONPath format): .spec.color';
      assert.deepEqual([color.name, color.priority, color.description], ['Color', 0, text]);
      assert.deepEqual([when.name, when.priority, when.description], ['When', 2, 'When it was.']);
      assert.deepEqual(table.rows[0].cells, ['a', 'red', null]);
      const body = { spec: { when: 'soon' } };
      await kit.expect(200, 'PATCH', `${path}/a`, { body, headers: mergePatch });
      const later = await kit.expect(200, 'GET', `${path}/a`, { headers: { accept } });
      assert.deepEqual(later.rows[0].cells, ['a', 'red', '<invalid>']);
      assert.equal((await kit.expect(200, 'GET', `${path}?fieldSelector=spec.color%3Dblue`)).items.length, 0);
      const red = await kit.expect(200, 'GET', `${path}?fieldSelector=spec.color%3Dred`);
      assert.equal(red.items.length, 1);
      assert.equal(red.metadata.continue, '');
      const beta = await kit.ask('GET', `${path.replace('/v1/', '/v1beta1/')}/a`);
      assert.equal(beta.json.apiVersion, 'example.com/v1beta1');
      assert.equal(
        beta.headers['warning'],
        '299 - "example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget"',
      );
      const { message } = await kit.expect(404, 'GET', `${path}/a/nothing`);
      assert.equal(message, 'widgets.example.com "a" not found');
      assert.equal((await kit.ask('GET', `${path}s/a`)).text, '404 page not found\n');
      for (const version of ['v1', 'v1beta1']) {
        const { resources } = await kit.expect(200, 'GET', `/apis/example.com/${version}`);
        const { storageVersionHash } = resources.find((r: Json) => r.name === 'widgets');
        assert.equal(storageVersionHash, 'gIwvi5rymmg=');
      }
      const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
      assertStatus(
        await kit.expect(415, 'PATCH', `${path}/a`, { body: {}, headers: strategic }),
        'UnsupportedMediaType',
      );
      await kit.expect(200, 'DELETE', `${crds}/widgets.example.com`);
    },
  },
  {
    name: 'metadata in protobuf, whole objects not',
    async run(kit) {
      const path = await install(kit, 'metas');
      await kit.expect(201, 'POST', path, { body: object('Meta', 'a', { color: 'red' }) });
      const protobuf = 'application/vnd.kubernetes.protobuf';
      const as = (kind: string) => ({ headers: { accept: `${protobuf};as=${kind};v=v1;g=meta.k8s.io` } });
      for (const [target, kind] of [
        [path, 'PartialObjectMetadataList'],
        [`${path}/a`, 'PartialObjectMetadata'],
      ] as const) {
        const got = await kit.ask('GET', target, as(kind));
        assert.equal(got.status, 200);
        assert.equal(got.headers['content-type'], protobuf);
        assert.ok(Buffer.from(got.bytes).includes(kind));
      }
      assert.equal((await kit.ask('GET', path, { headers: { accept: protobuf } })).status, 406);
    },
  },
  {
    name: 'discovery, fewer verbs while the definition goes',
    async run(kit) {
      const path = await install(kit, 'leavers');
      const body = object('Leaver', 'held', { color: 'red' });
      await kit.expect(201, 'POST', path, {
        body: { ...body, metadata: { name: 'held', finalizers: ['example.com/h'] } },
      });
      const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
      const discovered = async () => {
        const { items } = await kit.expect(200, 'GET', '/apis', { headers: { accept } });
        const versions = items.find((g: Json) => g.metadata.name === 'example.com').versions;
        const { resources } = versions.find((v: Json) => v.version === 'v1');
        return resources.find((r: Json) => r.resource === 'leavers');
      };
      const own = { group: 'example.com', version: 'v1', kind: 'Leaver' };
      const before = await discovered();
      assert.deepEqual(before.responseKind, own);
      assert.deepEqual(
        before.subresources.map((s: Json) => s.responseKind),
        [own, { group: 'autoscaling', version: 'v1', kind: 'Scale' }],
      );
      assert.deepEqual(before.verbs.slice(4), ['patch', 'create', 'update', 'watch']);
      const going = `${crds}?watch=1&fieldSelector=metadata.name%3Dleavers.example.com`;
      const terminating = (crd: Json) => crd.status?.conditions?.some((c: Json) => c.type === 'Terminating');
      await kit.watch(
        going,
        events => terminating(events.at(-1)?.object),
        () => kit.expect(200, 'DELETE', `${crds}/leavers.example.com`),
      );
      assert.deepEqual((await discovered()).verbs, ['delete', 'deletecollection', 'get', 'list', 'watch']);
      const free = { metadata: { finalizers: null } };
      await kit.expect(200, 'PATCH', `${path}/held`, { body: free, headers: mergePatch });
    },
  },
  {
    name: 'a definition takes its objects with it',
    async run(kit) {
      const path = await install(kit, 'doodads');
      await kit.expect(201, 'POST', path, { body: object('Doodad', 'a', { color: 'red' }) });
      const list = await kit.expect(200, 'GET', crds);
      const gone = kit.watch(
        `${crds}?watch=1&fieldSelector=metadata.name%3Ddoodads.example.com&resourceVersion=${list.metadata.resourceVersion}`,
        3,
      );
      await kit.expect(200, 'DELETE', `${crds}/doodads.example.com`);
      assert.equal((await gone).at(-1).type, 'DELETED');
      await kit.expect(404, 'GET', `${crds}/doodads.example.com`);
    },
  },
  {
    name: 'bad definitions are refused',
    async run(kit) {
      const wrongName = { ...definition('gizmos'), metadata: { name: 'other.example.com' } };
      assertStatus(await kit.expect(422, 'POST', crds, { body: wrongName }), 'Invalid', /must be spec\.names\.plural/);
      const noSchema = definition('gizmos');
      delete noSchema.spec.versions[0].schema;
      assertStatus(
        await kit.expect(422, 'POST', crds, { body: noSchema }),
        'Invalid',
        /spec\.versions\[0\]\.schema\.openAPIV3Schema: Required value$/,
      );
      const twoStored = definition('gizmos');
      twoStored.spec.versions[1].storage = true;
      assertStatus(
        await kit.expect(422, 'POST', crds, { body: twoStored }),
        'Invalid',
        /exactly one version marked as storage version/,
      );
    },
  },
];
