import assert from 'node:assert/strict';
import test from 'node:test';
import type { ListSchema } from '../schema.ts';
import { builtinResources, kindOfResource, resourceOf, schemaOf, schemaOfKind, typeNames } from './index.ts';

test('every type resolves all its fields', () => {
  for (const name of typeNames()) for (const field of schemaOf(name).fields.values()) assert.ok(field.schema.kind);
});

test('every resource has a schema with kind, apiVersion and metadata first, and a list', () => {
  for (const info of builtinResources()) {
    const names = [...info.schema.fields.keys()];
    assert.deepEqual(names.slice(0, 2), ['kind', 'apiVersion'], info.kind);
    const list = schemaOfKind({ group: info.group, version: info.version, kind: `${info.kind}List` });
    const items = list?.fields.get('items')?.schema as ListSchema | undefined;
    assert.equal(items?.items, info.schema);
  }
});

test('kinds of subresources resolve', () => {
  for (const info of builtinResources())
    for (const [sub, { group, version, kind }] of Object.entries(info.subresources))
      assert.ok(schemaOfKind({ group, version, kind }), `${info.plural}/${sub}`);
});

test('facts: order, numbers, merge keys, zero values', () => {
  const container = schemaOf('core.v1.Container');
  assert.deepEqual([...container.fields.keys()].slice(0, 3), ['name', 'image', 'command']);
  const env = container.fields.get('env')?.schema as ListSchema;
  assert.deepEqual([env.listType, env.mapKeys, env.patchMergeKey], ['map', ['name'], 'name']);
  const spec = schemaOf('core.v1.PodSpec');
  assert.equal(spec.fields.get('hostNetwork')?.omitZero, true);
  assert.equal(spec.fields.get('automountServiceAccountToken')?.omitZero, false);
  assert.deepEqual(schemaOf('core.v1.Volume').fields.get('emptyDir')?.protobufPath, [2]);
  assert.equal(schemaOf('core.v1.LocalObjectReference').mapType, 'atomic');
});

test('lookups', () => {
  assert.equal(resourceOf({ group: 'apps', version: 'v1', resource: 'deployments' })?.kind, 'Deployment');
  assert.equal(kindOfResource({ group: '', version: 'v1', resource: 'pods' }, 'eviction')?.kind, 'Eviction');
  assert.equal(schemaOfKind({ group: 'nope', version: 'v1', kind: 'Pod' }), undefined);
  assert.ok(schemaOfKind({ group: 'apps', version: 'v1', kind: 'DeleteOptions' }));
});
