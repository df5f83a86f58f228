/** What holds for every kind, shown on its sample. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { strategies } from './index.ts';
import { sampleOf, samples } from './samples.ts';
import { context, created, texts } from './testing.ts';

const catalog = JSON.parse(readFileSync(new URL('../../api/catalog/catalog.json', import.meta.url), 'utf8')) as {
  resources: { group: string; plural: string; namespaced: boolean }[];
};
const scopes = new Map(catalog.resources.map(r => [`${r.group}/${r.plural}`, r.namespaced]));

test('every kind has a sample', () => {
  assert.deepEqual(Object.keys(samples).sort(), strategies.map(s => s.resource).sort());
});

for (const strategy of strategies) {
  const { resource } = strategy;
  const draft = sampleOf(resource, scopes.get(resource) ?? false);
  describe(resource, () => {
    test('its sample is valid once it is defaulted', () => {
      assert.deepEqual(texts(strategy.validate?.(created(strategy, draft), context)), []);
    });
    test('defaulting twice is defaulting once', () => {
      const once = structuredClone(draft) as Parameters<NonNullable<typeof strategy.default>>[0];
      strategy.default?.(once);
      const twice = structuredClone(once);
      strategy.default?.(twice);
      assert.deepEqual(twice, once);
    });
    test('an update that changes nothing is valid and changes nothing', () => {
      const old = created(strategy, draft);
      const obj = structuredClone(old);
      strategy.prepareForUpdate?.(obj, old, context);
      assert.deepEqual(texts(strategy.validateUpdate?.(obj, old, context)), []);
      assert.deepEqual(obj, old);
    });
    test('a scope mistake is refused', () => {
      const obj = created(strategy, draft);
      if (obj.metadata.namespace) delete obj.metadata.namespace;
      else obj.metadata.namespace = 'default';
      assert.equal(texts(strategy.validate?.(obj, context)).filter(t => t.startsWith('metadata.namespace')).length, 1);
    });
    test('every column gives a value for the sample and for an object with metadata only', () => {
      for (const column of strategy.columns ?? []) {
        assert.notEqual(column.cell(created(strategy, draft), 0), undefined, column.name);
      }
    });
  });
}
