/** Patches of every type, and server-side apply with its conflicts. */
import type { Scenario, Session } from './exchange.ts';
import { objectOf, sampleOf, withValue } from './samples.ts';

const json = 'application/json-patch+json';
const merge = 'application/merge-patch+json';
const strategic = 'application/strategic-merge-patch+json';
const apply = 'application/apply-patch+yaml';

const container = (name: string, extra: object = {}) => ({ name, image: `example.com/${name}:1`, ...extra });
const deployment = (name: string) =>
  withValue(objectOf(sampleOf('deployments'), { name, labels: { app: 'web' } }), 'spec/template/spec', {
    containers: [
      container('one', {
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
        ports: [{ containerPort: 80 }],
      }),
      container('two', { args: ['x', 'y'] }),
    ],
    volumes: [{ name: 'v', emptyDir: {} }],
    tolerations: [{ key: 'k', operator: 'Exists' }],
    hostAliases: [{ ip: '10.1.1.1', hostnames: ['a'] }],
    imagePullSecrets: [{ name: 's' }],
    nodeSelector: { disk: 'fast', zone: 'a' },
  });

function onDeployment(name: string, type: string, patches: readonly unknown[]): Scenario {
  return {
    name,
    async run({ ns, ask, quiet }: Session) {
      const all = `/apis/apps/v1/namespaces/${ns}/deployments`;
      for (const [i, patch] of patches.entries()) {
        await quiet('POST', all, { body: deployment(`d${i}`) });
        const content = typeof patch === 'string' ? { raw: patch } : { body: patch };
        await ask('PATCH', `${all}/d${i}`, { ...content, type });
      }
    },
  };
}
const inPod = (spec: object) => ({ spec: { template: { spec } } });
const one = (extra: object) => inPod({ containers: [{ name: 'one', ...extra }] });

const strategicPatches: readonly unknown[] = [
  one({ image: 'example.com/one:2' }),
  one({
    env: [
      { name: 'A', value: '3' },
      { name: 'C', value: '4' },
    ],
  }),
  one({ env: [{ name: 'A', $patch: 'delete' }] }),
  one({ env: [{ $patch: 'replace' }, { name: 'Z', value: 'z' }] }),
  one({ ports: [{ containerPort: 80, name: 'web' }, { containerPort: 81 }] }),
  one({ command: ['a', 'b'] }),
  one({ resources: { limits: { cpu: '1' } } }),
  one({ env: null }),
  inPod({ containers: [{ name: 'two', $patch: 'delete' }] }),
  inPod({ containers: [{ $patch: 'replace' }, container('three')] }),
  inPod({ containers: [container('three')] }),
  inPod({ $setElementOrder$x: 1 }),
  inPod({
    '$setElementOrder/containers': [{ name: 'two' }, { name: 'one' }],
    containers: [{ name: 'one', image: 'x' }],
  }),
  inPod({ '$setElementOrder/containers': [{ name: 'nobody' }], containers: [{ name: 'one', image: 'x' }] }),
  inPod({ $retainKeys: ['name', 'image'], containers: [{ name: 'one' }] }),
  inPod({ volumes: [{ name: 'v', $retainKeys: ['name', 'configMap'], configMap: { name: 'c' } }] }),
  inPod({ volumes: [{ name: 'v', configMap: { name: 'c' } }] }),
  inPod({ tolerations: [{ key: 'other', operator: 'Exists' }] }),
  inPod({
    hostAliases: [
      { ip: '10.1.1.1', hostnames: ['b'] },
      { ip: '10.1.1.2', hostnames: ['c'] },
    ],
  }),
  inPod({ imagePullSecrets: [{ name: 't' }] }),
  inPod({ nodeSelector: { disk: null, zone: 'b' } }),
  inPod({ nodeSelector: { $patch: 'replace', only: 'this' } }),
  inPod({ nodeSelector: { $patch: 'delete' } }),
  inPod({ nodeSelector: { $patch: 'nonsense' } }),
  inPod({ securityContext: { supplementalGroups: [1, 2] } }),
  { metadata: { labels: { app: null, more: 'yes' } } },
  { metadata: { labels: null } },
  { metadata: { '$deleteFromPrimitiveList/finalizers': ['a.example.com/b'] } },
  { metadata: { finalizers: ['a.example.com/b'] } },
  { metadata: { name: 'other' } },
  { metadata: { resourceVersion: '1' } },
  { metadata: { uid: '00000000-0000-0000-0000-000000000001' } },
  { spec: { selector: { matchLabels: { app: 'other' } } } },
  { spec: { replicas: 'x' } },
  { spec: { replicas: -1 } },
  { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
  { spec: { strategy: { type: 'Recreate' } } },
  { kind: 'Service' },
  { unknown: 'field' },
  inPod({ containers: [{ image: 'no-name' }] }),
  inPod({ containers: 'x' }),
  '[]',
  '"x"',
  '{',
  '{}',
  'null',
];

const mergePatches: readonly unknown[] = [
  { spec: { replicas: 3 } },
  { spec: { replicas: null } },
  { metadata: { labels: { app: null } } },
  { metadata: { labels: { a: { b: 'c' } } } },
  { metadata: null },
  inPod({ containers: [container('only')] }),
  inPod({ containers: [] }),
  { spec: null },
  { status: { replicas: 4 } },
  { unknown: 1 },
  '[]',
  '{',
  'null',
  '7',
];

const jsonPatches: readonly unknown[] = [
  [{ op: 'replace', path: '/spec/replicas', value: 3 }],
  [{ op: 'add', path: '/metadata/labels/new', value: 'yes' }],
  [
    { op: 'add', path: '/metadata/annotations', value: { 'a/b': 'c' } },
    { op: 'remove', path: '/metadata/annotations/a~1b' },
  ],
  [{ op: 'remove', path: '/spec/nothing' }],
  [{ op: 'replace', path: '/spec/nothing', value: 1 }],
  [{ op: 'add', path: '/spec/a/b', value: 1 }],
  [
    { op: 'test', path: '/spec/replicas', value: 1 },
    { op: 'replace', path: '/spec/replicas', value: 2 },
  ],
  [{ op: 'test', path: '/spec/replicas', value: 7 }],
  [{ op: 'test', path: '/spec/nothing', value: null }],
  [{ op: 'copy', from: '/metadata/labels/app', path: '/metadata/labels/copy' }],
  [{ op: 'move', from: '/metadata/labels/app', path: '/metadata/labels/moved' }],
  [{ op: 'move', from: '/metadata/labels/none', path: '/metadata/labels/moved' }],
  [{ op: 'add', path: '/spec/template/spec/containers/-', value: container('three') }],
  [{ op: 'add', path: '/spec/template/spec/containers/0', value: container('zero') }],
  [{ op: 'add', path: '/spec/template/spec/containers/9', value: container('nine') }],
  [{ op: 'remove', path: '/spec/template/spec/containers/1' }],
  [{ op: 'remove', path: '/spec/template/spec/containers/2' }],
  [{ op: 'remove', path: '/spec/template/spec/containers/-1' }],
  [{ op: 'nonsense', path: '/spec/replicas' }],
  [{ path: '/spec/replicas' }],
  [{ op: 'replace', path: 'spec/replicas', value: 1 }],
  [{ op: 'replace', path: '/spec/replicas', value: 'x' }],
  [{ op: 'replace', path: '/metadata/name', value: 'x' }],
  [],
  '{}',
  '{',
  '[1]',
];

const applied = (fields: object, name = 'a') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...fields,
});

const applyScenario: Scenario = {
  name: 'apply: fields, managers and conflicts',
  async run({ ns, ask }) {
    const maps = `/api/v1/namespaces/${ns}/configmaps`;
    const at = (manager: string, body: object, more = '') =>
      ask('PATCH', `${maps}/a?fieldManager=${manager}${more}`, { body, type: apply });
    await at('one', applied({ data: { a: '1', b: '2' } }));
    await at('one', applied({ data: { a: '1', b: '2' } }));
    await at('two', applied({ data: { b: '3', c: '4' } }));
    await at('two', applied({ data: { b: '2', c: '4' } }));
    await at('two', applied({ data: { b: '5', c: '4' } }), '&force=true');
    await at('one', applied({ data: { a: '1' } }));
    await at('one', applied({ data: { a: '1', b: '6' } }));
    await at('two', applied({}));
    await at('one', applied({ metadata: { name: 'a', managedFields: [{ manager: 'x' }] } }));
    await at('one', applied({ metadata: { name: 'a', resourceVersion: '1' } }));
    await at('one', applied({ metadata: { name: 'other' } }));
    await at('one', { ...applied({}), kind: 'Secret' });
    await at('one', { ...applied({}), apiVersion: 'v2' });
    await at('one', { metadata: { name: 'a' } });
    await at('one', applied({ data: { a: 1 } }));
    await at('one', applied({ data: 'x' }));
    await at('', applied({}));
    await ask('PATCH', `${maps}/a?fieldManager=one`, { raw: 'data: [', type: apply });
    await ask('PATCH', `${maps}/a?fieldManager=one`, { raw: '{"kind":"ConfigMap","kind":"x"}', type: apply });
    await ask('PATCH', `${maps}/a?fieldManager=editor`, { body: { data: { a: '9' } }, type: merge });
    await at('one', applied({ data: { a: '1' } }));
    await ask('PATCH', `${maps}/a?fieldManager=one`, {
      body: [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }],
      type: json,
    });
    await ask('GET', `${maps}/a`);
  },
};

const applyWorkloads: Scenario = {
  name: 'apply: lists by key in workloads',
  async run({ ns, ask }) {
    const all = `/apis/apps/v1/namespaces/${ns}/deployments`;
    const by = (manager: string, spec: object, more = '') =>
      ask('PATCH', `${all}/d?fieldManager=${manager}${more}`, {
        body: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec },
        type: apply,
      });
    const selector = { matchLabels: { app: 'web' } };
    const pod = (...containers: object[]) => ({ metadata: { labels: { app: 'web' } }, spec: { containers } });
    await by('one', { selector, template: pod(container('c', { ports: [{ containerPort: 80 }] })) });
    await by('two', {
      replicas: 3,
      template: { spec: { containers: [{ name: 'c', env: [{ name: 'E', value: '1' }] }] } },
    });
    await by('two', { template: { spec: { containers: [{ name: 'c', image: 'example.com/other' }] } } });
    await by('two', { template: { spec: { containers: [{ name: 'side', image: 'example.com/side' }] } } });
    await by('one', { selector, template: pod(container('c', { ports: [{ containerPort: 81 }] })) });
    await by('three', {
      template: { spec: { containers: [{ name: 'c', ports: [{ containerPort: 81, protocol: 'UDP' }] }] } },
    });
    await by('three', {
      template: {
        spec: {
          containers: [
            { name: 'x', image: 'a' },
            { name: 'x', image: 'b' },
          ],
        },
      },
    });
    await by('three', { replicas: 'x' });
    await by('three', { nothing: 'x' });
    await by('four', {
      template: { spec: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k', operator: 'Exists' }] } },
    });
    await ask('PATCH', `${all}/d`, { body: { spec: { replicas: 5 } }, type: merge });
    await by('two', { replicas: 3 });
    await by('two', { replicas: 3 }, '&force=true');
  },
};

export const patches: readonly Scenario[] = [
  onDeployment('strategic merge patches', strategic, strategicPatches),
  onDeployment('merge patches', merge, mergePatches),
  onDeployment('JSON patches', json, jsonPatches),
  applyScenario,
  applyWorkloads,
];
