import assert from 'node:assert/strict';
import { assertStatus, type Case, configMap, type Json, type Kit } from './harness.ts';

const applyPatch = { 'content-type': 'application/apply-patch+yaml' };
const mergePatch = { 'content-type': 'application/merge-patch+json' };
const jsonPatch = { 'content-type': 'application/json-patch+json' };

const named = (name: string, metadata: object, data: object = {}) => ({
  ...configMap(name),
  metadata: { name, ...metadata },
  data,
});
const managers = (obj: Json): string[] => (obj.metadata.managedFields ?? []).map((m: Json) => m.manager);

function applier(kit: Kit) {
  return (status: number, name: string, body: unknown, query = '') =>
    kit.expect(status, 'PATCH', `${kit.core('configmaps', name)}?fieldManager=one${query}`, {
      ...(typeof body === 'string' ? { raw: body } : { body }),
      headers: applyPatch,
    });
}

export const applyCases: readonly Case[] = [
  {
    name: 'what is not there is made of the configuration alone',
    async run(kit) {
      const apply = applier(kit);
      const nameless = { ...configMap('a'), metadata: { generateName: 'a-' } };
      assertStatus(
        await apply(400, 'a', nameless),
        'BadRequest',
        /^the name of the object \(a based on URL\) was undeterminable: name must be provided$/,
      );
      assertStatus(
        await apply(409, 'a', named('a', { uid: 'x' })),
        'Conflict',
        /^Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object specified uid x, and no existing object was found$/,
      );
      await apply(201, 'a', named('a', { resourceVersion: '1' }));
      await apply(409, 'a', named('a', { resourceVersion: '1' }, { k: 'v' }));
      await apply(200, 'a', { ...configMap('a'), metadata: {} });
    },
  },
  {
    name: 'a configuration has the type of the object',
    async run(kit) {
      const apply = applier(kit);
      const about = `(/a; /v1, Kind=ConfigMap)`;
      const complain = async (body: object, text: string) =>
        assert.equal((await apply(500, 'a', body)).message, `failed to create typed patch object ${text}`);
      await complain(
        named('a', {}, { k: 1 }),
        `${about}: .data.k: expected string, got &value.valueUnstructured{Value:1}`,
      );
      await complain({ ...configMap('a'), data: [] }, `${about}: .data: expected map, got &{[]}`);
      await complain({ ...configMap('a'), immutable: 'x' }, `${about}: .immutable: expected boolean, got &{x}`);
      await complain({ ...configMap('a'), other: 1 }, `${about}: .other: field not declared in schema`);
      const { kind: _, ...kindless } = configMap('a');
      assert.equal((await apply(400, 'a', kindless)).message, 'invalid object type: /v1, Kind=');
      const deployment = (replicas: unknown, ports: unknown) => ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: { replicas, template: { spec: { containers: [{ name: 'c', ports }] } } },
      });
      const path = `/apis/apps/v1/namespaces/${kit.ns}/deployments/d?fieldManager=one`;
      const wrong = await kit.expect(500, 'PATCH', path, { body: deployment('x', [null]), headers: applyPatch });
      assert.equal(
        wrong.message,
        'failed to create typed patch object (/d; apps/v1, Kind=Deployment): errors:\n  .spec.replicas: expected numeric (int or float), got string\n  .spec.template.spec.containers[name="c"].ports: element 0: associative list with keys may not have a null element',
      );
      assertStatus(
        await apply(400, 'a', '[]'),
        'BadRequest',
        /^error decoding YAML: .* cannot unmarshal array into Go value/,
      );
      assertStatus(await apply(400, 'a', named('a', { managedFields: [] })), 'BadRequest', /managedFields must be nil/);
    },
  },
  {
    name: 'members that stand twice in a configuration or an operation',
    async run(kit) {
      const apply = applier(kit);
      const twice = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: "1"\n  k: "2"\n';
      assert.equal(
        (await apply(400, 'a', twice, '&fieldValidation=Strict')).message,
        'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "k" already set in map',
      );
      const path = kit.core('configmaps', 'a');
      const warned = await kit.ask('PATCH', `${path}?fieldManager=one`, { raw: twice, headers: applyPatch });
      assert.equal(warned.status, 201);
      assert.equal(warned.headers['warning'], '299 - "line 6: key \\"k\\" already set in map"');
      const operation = await kit.expect(422, 'PATCH', `${path}?fieldValidation=Strict`, {
        raw: '[{"op":"add","op":"add","path":"/other","value":1}]',
        headers: jsonPatch,
      });
      assertStatus(
        operation,
        'Invalid',
        /strict decoding error: json patch duplicate field "\[0\]\.op", unknown field "other"$/,
      );
    },
  },
  {
    name: 'managers are forgotten at request, and checked',
    async run(kit) {
      const apply = applier(kit);
      const path = kit.core('configmaps', 'a');
      for (const nobody of [[{}], []]) {
        assert.ok(
          managers(await apply(200 + (nobody.length ? 1 : 0), 'a', named('a', {}, { k: 'v' }))).includes('one'),
        );
        const body = { metadata: { managedFields: nobody } };
        const forgotten = await kit.expect(200, 'PATCH', path, { body, headers: mergePatch });
        assert.equal(forgotten.metadata.managedFields, undefined);
      }
      const entry = {
        manager: 'x'.repeat(129),
        operation: 'Update',
        apiVersion: 'v1',
        fieldsType: 'FieldsV1',
        fieldsV1: {},
      };
      const long = await kit.expect(422, 'PATCH', path, {
        body: { metadata: { managedFields: [entry] } },
        headers: mergePatch,
      });
      assert.equal(long.details.causes[0].field, 'metadata.managedFields[0].manager');
      const wrong = { ...entry, manager: 'x', operation: 'Other' };
      await kit.expect(200, 'PATCH', path, { body: { metadata: { managedFields: [wrong] } }, headers: mergePatch });
    },
  },
  {
    name: 'nobody owns what a write of the status cannot set',
    async run({ ns, expect }) {
      const path = `/apis/apps/v1/namespaces/${ns}/deployments`;
      const labels = { app: 'a' };
      const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'example.com/c:1' }] } };
      const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' } };
      await expect(201, 'POST', path, { body: { ...object, spec: { selector: { matchLabels: labels }, template } } });
      const body = { ...object, metadata: { name: 'd', labels }, spec: { replicas: 9 }, status: { replicas: 2 } };
      const { metadata } = await expect(200, 'PATCH', `${path}/d/status?fieldManager=one`, {
        body,
        headers: applyPatch,
      });
      assert.deepEqual(metadata.managedFields.find((m: Json) => m.manager === 'one').fieldsV1, {
        'f:status': { 'f:replicas': {} },
      });
    },
  },
  {
    name: "kubectl's own annotation follows its applies",
    async run({ core, expect }) {
      const key = 'kubectl.kubernetes.io/last-applied-configuration';
      const body = named('a', { annotations: { [key]: '{}' } }, { k: '<1>' });
      await expect(201, 'POST', `${core('configmaps')}?fieldManager=kubectl-client-side-apply`, { body });
      const applied = configMap('a', { k: '<2>' });
      const path = `${core('configmaps', 'a')}?fieldManager=kubectl&force=true`;
      const { metadata } = await expect(200, 'PATCH', path, { body: applied, headers: applyPatch });
      assert.match(
        metadata.annotations[key],
        /^\{"apiVersion":"v1","data":\{"k":"\\u003c2\\u003e"\},"kind":"ConfigMap","metadata":\{/,
      );
    },
  },
];
