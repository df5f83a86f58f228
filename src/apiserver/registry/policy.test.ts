/** Exact complaints about configuration, networking, access and storage kinds. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { strategies } from './index.ts';
import { sampleOf } from './samples.ts';
import { createErrors, updateErrors, withValue } from './testing.ts';

type Case = [what: string, path: string, value: unknown, errors: string[]];

const scopes = new Map(
  (
    JSON.parse(readFileSync(new URL('../../api/catalog/catalog.json', import.meta.url), 'utf8')) as {
      resources: { group: string; plural: string; namespaced: boolean }[];
    }
  ).resources.map(r => [`${r.group}/${r.plural}`, r.namespaced]),
);

const creations: Record<string, Case[]> = {
  '/configmaps': [
    [
      'a key in both maps',
      'binaryData',
      { key: 'AAAA' },
      ['data[key]: Invalid value: "key": duplicate of key present in binaryData'],
    ],
    ['too much data', 'data', { key: 'x'.repeat(1024 * 1024 + 1) }, [': Too long: may not be more than 1048576 bytes']],
  ],
  '/secrets': [
    [
      'a key pair without its key',
      'type',
      'kubernetes.io/tls',
      ['data[tls.crt]: Required value', 'data[tls.key]: Required value'],
    ],
    [
      'a token of nobody',
      'type',
      'kubernetes.io/service-account-token',
      ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
    ],
  ],
  '/nodes': [
    [
      'the same taint twice',
      'spec.taints',
      [
        { key: 'a', effect: 'NoSchedule' },
        { key: 'a', value: 'b', effect: 'NoSchedule' },
      ],
      [
        'metadata.taints[1]: Duplicate value: {"Key":"a","Value":"b","Effect":"NoSchedule","TimeAdded":null}: taints must be unique by key and effect pair',
      ],
    ],
  ],
  '/resourcequotas': [
    [
      'a resource without meaning',
      'spec.hard',
      { storage: '1' },
      ['spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota'],
    ],
    [
      'opposite scopes',
      'spec',
      { hard: { pods: '1' }, scopes: ['BestEffort', 'NotBestEffort'] },
      ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
    ],
  ],
  '/limitranges': [
    [
      'a minimum over the maximum',
      'spec.limits',
      [{ type: 'Pod', min: { cpu: '2' }, max: { cpu: '1' } }],
      ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
    ],
  ],
  '/persistentvolumeclaims': [
    ['no modes', 'spec.accessModes', [], ['spec.accessModes: Required value: at least 1 access mode is required']],
    ['no size', 'spec.resources', {}, ['spec.resources[storage]: Required value']],
  ],
  '/persistentvolumes': [
    ['no source', 'spec.hostPath', undefined, ['spec: Required value: must specify a volume type']],
    [
      'local storage that is everywhere',
      'spec',
      { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], local: { path: '/d' } },
      ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
    ],
  ],
};

const find = (resource: string) => {
  const strategy = strategies.find(s => s.resource === resource);
  assert.ok(strategy, resource);
  return strategy;
};

for (const [resource, cases] of Object.entries(creations)) {
  describe(resource, () => {
    for (const [what, path, value, errors] of cases) {
      test(`${what} is refused`, () => {
        const draft = withValue(sampleOf(resource, scopes.get(resource) ?? false), path, value);
        assert.deepEqual(createErrors(find(resource), draft), errors);
      });
    }
  });
}

/** [kind, field, new value, complaints] */
const updates: [resource: string, path: string, value: unknown, errors: string[]][] = [
  ['/secrets', 'type', 'example.com/other', ['type: Invalid value: "example.com/other": field is immutable']],
  [
    '/resourcequotas',
    'spec.scopes',
    ['BestEffort'],
    [
      'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
      'spec.scopes: Invalid value: ["BestEffort"]: field is immutable',
    ],
  ],
];

describe('what is fixed', () => {
  for (const [resource, path, value, errors] of updates) {
    test(`${path} of ${resource}`, () => {
      const draft = sampleOf(resource, scopes.get(resource) ?? false);
      const found = updateErrors(find(resource), draft, obj => Object.assign(obj, withValue(obj, path, value)));
      assert.deepEqual(
        found.filter(e => !e.startsWith('endpoints')),
        errors,
      );
    });
  }
  test('an immutable config map', () => {
    const draft = withValue(sampleOf('/configmaps', true), 'immutable', true);
    const found = updateErrors(find('/configmaps'), draft, obj => Object.assign(obj, { data: { key: 'new' } }));
    assert.deepEqual(found, ['data: Forbidden: field is immutable when `immutable` is set']);
  });
  test('a claim keeps its class, and grows only when it is bound', () => {
    const draft = sampleOf('/persistentvolumeclaims', true);
    const grow = (obj: object) =>
      Object.assign(obj, withValue(obj, 'spec.resources', { requests: { storage: '2Gi' } }));
    const [first = ''] = updateErrors(find('/persistentvolumeclaims'), draft, grow);
    assert.match(
      first,
      /^spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n/,
    );
    assert.match(first, /spec.resources.requests.storage: "1Gi" → "2Gi"$/);
  });
});
