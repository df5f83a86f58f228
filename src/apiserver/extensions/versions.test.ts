/** Custom resources in several versions: what is stored, what is read, and who owns which field of which version. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomResourceDefinition } from '../../api/types/apiextensions-v1.ts';
import { createCluster } from '../../testing/index.ts';

const version = (name: string, storage: boolean, fields: string[]) => ({
  name,
  served: true,
  storage,
  selectableFields: [{ jsonPath: '.spec.a' }],
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: { type: 'object', properties: Object.fromEntries(fields.map(field => [field, { type: 'string' }])) },
      },
    },
  },
});
const definition = (versions: object[]): CustomResourceDefinition =>
  ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: { group: 'example.com', scope: 'Namespaced', names: { plural: 'widgets', kind: 'Widget' }, versions },
  }) as CustomResourceDefinition;

const widgets = (name: string) => ({
  group: 'example.com',
  version: name,
  plural: 'widgets',
  kind: 'Widget',
  namespaced: true,
});

test('versions have fields of their own, and managers of versions that are gone own nothing', async () => {
  const cluster = await createCluster({ nodes: 0, scheduler: false, controllers: [] });
  try {
    const { client } = cluster;
    const crds = client.customresourcedefinitions();
    await crds.create(definition([version('v1', false, ['a']), version('v2', true, ['a', 'b'])]));
    const at = (name: string) => client.resource(widgets(name), 'default');
    const body = (name: string, spec: object) => ({
      apiVersion: `example.com/${name}`,
      kind: 'Widget',
      metadata: { name: 'w', namespace: 'default' },
      spec,
    });
    await at('v2').apply(body('v2', { b: '2' }), { fieldManager: 'second' });
    await at('v1').apply(body('v1', { a: '1' }), { fieldManager: 'first' });
    const managers = async (name: string) =>
      ((await at(name).get('w')).metadata.managedFields ?? []).map(m => `${m.manager} ${m.apiVersion}`).sort();
    // A write through v1 loses what v1 does not know, as pruning on read has it.
    assert.deepEqual(((await at('v2').get('w')) as { spec?: object }).spec, { a: '1' });
    assert.deepEqual(await managers('v2'), ['first example.com/v1', 'second example.com/v2']);

    const crd = await crds.get('widgets.example.com');
    assert.deepEqual(crd.status?.storedVersions, ['v2']);
    await crds.update({ ...crd, spec: { ...crd.spec, versions: crd.spec.versions.filter(v => v.name === 'v2') } });
    const now = await at('v2').get('w');
    await at('v2').update({ ...now, spec: { a: '1', b: '3' } } as typeof now, { fieldManager: 'third' });
    assert.deepEqual(await managers('v2'), ['third example.com/v2']);
  } finally {
    await cluster.close();
  }
});
