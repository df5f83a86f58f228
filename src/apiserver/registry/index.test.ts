import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { strategies } from './index.ts';
import type { Strategy } from './strategy.ts';

const catalog = JSON.parse(readFileSync(new URL('../../api/catalog/catalog.json', import.meta.url), 'utf8')) as {
  resources: { group: string; plural: string; verbs: string[] }[];
};

test('every stored kind of the catalog has a strategy, and no other', () => {
  const stored = catalog.resources.filter(r => r.verbs.includes('get')).map(r => `${r.group}/${r.plural}`);
  assert.deepEqual(strategies.map(s => s.resource).sort(), [...new Set(stored)].sort());
});

/** Of upstream's strategies, by AllowCreateOnUpdate and AllowUnconditionalUpdate. */
test('a PUT makes objects of few kinds, and overwrites blindly those of most', () => {
  const listed = (has: (strategy: Strategy) => boolean | undefined) =>
    strategies
      .filter(has)
      .map(({ resource }) => resource)
      .sort();
  assert.deepEqual(
    listed(strategy => strategy.allowCreateOnUpdate),
    [
      '/endpoints',
      '/events',
      '/limitranges',
      '/services',
      'coordination.k8s.io/leases',
      'events.k8s.io/events',
      'node.k8s.io/runtimeclasses',
      'rbac.authorization.k8s.io/clusterrolebindings',
      'rbac.authorization.k8s.io/clusterroles',
      'rbac.authorization.k8s.io/rolebindings',
      'rbac.authorization.k8s.io/roles',
    ],
  );
  const guarded = listed(strategy => strategy.allowUnconditionalUpdate === false);
  assert.deepEqual(
    guarded.filter(resource => !resource.startsWith('admissionregistration.k8s.io/')),
    [
      'apiextensions.k8s.io/customresourcedefinitions',
      'apiregistration.k8s.io/apiservices',
      'coordination.k8s.io/leases',
      'node.k8s.io/runtimeclasses',
      'policy/poddisruptionbudgets',
      'storage.k8s.io/csidrivers',
      'storage.k8s.io/csinodes',
      'storage.k8s.io/csistoragecapacities',
      'storage.k8s.io/volumeattachments',
    ],
  );
});
