/** Status, scale, binding, eviction, tokens; custom resources; discovery. */
import type { Scenario } from './exchange.ts';
import { collection, objectOf, sampleOf, samples, widgets, withValue } from './samples.ts';

const json = 'application/json-patch+json';
const merge = 'application/merge-patch+json';
const strategic = 'application/strategic-merge-patch+json';
const apply = 'application/apply-patch+yaml';
const withStatus: readonly [plural: string, status: object][] = [
  ['pods', { phase: 'Running', podIP: '10.1.2.3', conditions: [{ type: 'Ready', status: 'True' }] }],
  ['services', { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } }],
  ['deployments', { replicas: 1, updatedReplicas: 1, readyReplicas: 2 }],
  ['replicasets', { replicas: 3, fullyLabeledReplicas: 2 }],
  ['statefulsets', { replicas: 1, currentRevision: 'x' }],
  ['daemonsets', { currentNumberScheduled: 1, numberMisscheduled: -1, desiredNumberScheduled: 1, numberReady: 0 }],
  ['jobs', { active: 1, succeeded: 2 }],
  ['resourcequotas', { hard: { pods: '1' }, used: { pods: 'x' } }],
  ['persistentvolumeclaims', { phase: 'Bound', capacity: { storage: '2Gi' } }],
  ['nodes', { capacity: { cpu: '4' }, conditions: [{ type: 'Ready', status: 'True' }] }],
  ['ingresses', { loadBalancer: { ingress: [{ ip: 'x' }] } }],
  ['horizontalpodautoscalers', { currentReplicas: 1, desiredReplicas: 2 }],
  ['replicationcontrollers', { replicas: 1 }],
];

const statuses: readonly Scenario[] = withStatus.map(([plural, status]) => ({
  name: `status of ${plural}`,
  async run({ ns, ask, quiet }) {
    const sample = sampleOf(plural);
    const all = collection(sample, ns);
    const name = sample.namespaced ? 'sample' : `status-${ns}`;
    const { body: made } = await quiet('POST', all, { body: objectOf(sample, { name }) });
    const one = `${all}/${name}`;
    await ask('GET', `${one}/status`);
    await ask('PUT', `${one}/status`, {
      body: { ...made, metadata: { ...made.metadata, labels: { a: 'b' } }, status },
    });
    await ask('PATCH', `${one}/status`, { body: { status }, type: merge });
    await ask('PATCH', one, { body: { status: { conditions: [] } }, type: merge });
    await ask('PATCH', `${one}/status`, { body: { spec: { replicas: 9 } }, type: strategic });
    await ask('PATCH', `${one}/status`, {
      body: [{ op: 'add', path: '/status/observedGeneration', value: 1 }],
      type: json,
    });
    await ask('DELETE', `${one}/status`);
    await ask('POST', `${one}/status`, { body: made });
    await quiet('DELETE', `${one}?gracePeriodSeconds=0`);
  },
}));

const scales: readonly Scenario[] = ['deployments', 'replicasets', 'statefulsets', 'replicationcontrollers'].map(
  plural => ({
    name: `scale of ${plural}`,
    async run({ ns, ask, quiet }) {
      const all = collection(sampleOf(plural), ns);
      await quiet('POST', all, { body: objectOf(sampleOf(plural)) });
      const scale = `${all}/sample/scale`;
      const got = await ask('GET', scale);
      await ask('PUT', scale, { body: withValue(got, 'spec/replicas', 3) });
      await ask('PUT', scale, { body: withValue(got, 'spec/replicas', 4) });
      await ask('PUT', scale, {
        body: {
          kind: 'Scale',
          apiVersion: 'autoscaling/v1',
          metadata: { name: 'sample', namespace: ns },
          spec: { replicas: 5 },
        },
      });
      await ask('PUT', scale, {
        body: withValue(withValue(got, 'spec/replicas', -1), 'metadata/resourceVersion', undefined),
      });
      await ask('PUT', scale, { body: withValue(got, 'metadata/name', 'other') });
      await ask('PUT', scale, { body: objectOf(sampleOf(plural)) });
      await ask('PATCH', scale, { body: { spec: { replicas: 6 } }, type: merge });
      await ask('PATCH', scale, { body: [{ op: 'replace', path: '/spec/replicas', value: 7 }], type: json });
      await ask('PATCH', scale, { body: { spec: { replicas: 8 } }, type: strategic });
      await ask('GET', `${all}/none/scale`);
      await ask('PATCH', `${all}/none/scale`, { body: { spec: { replicas: 6 } }, type: merge });
      await ask('DELETE', scale);
      await ask('GET', `${all}/sample`);
    },
  }),
);

const pods: Scenario = {
  name: 'binding and eviction',
  async run({ ns, ask, quiet }) {
    const all = `/api/v1/namespaces/${ns}/pods`;
    const pod = (name: string, node?: string) =>
      withValue(objectOf(sampleOf('pods'), { name, labels: { app: name } }), 'spec/nodeName', node);
    await quiet('POST', all, { body: pod('a') });
    const binding = (name: string, target: object) => ({
      kind: 'Binding',
      apiVersion: 'v1',
      metadata: { name },
      target,
    });
    await ask('POST', `${all}/a/binding`, { body: binding('a', {}) });
    await ask('POST', `${all}/a/binding`, { body: binding('a', { kind: 'Pod', name: 'n' }) });
    await ask('POST', `${all}/a/binding`, { body: binding('b', { kind: 'Node', name: 'n' }) });
    await ask('POST', `${all}/a/binding`, { body: binding('a', { kind: 'Node', name: 'n' }) });
    await ask('POST', `${all}/a/binding`, { body: binding('a', { kind: 'Node', name: 'm' }) });
    await ask('POST', `${all}/none/binding`, { body: binding('none', { kind: 'Node', name: 'n' }) });
    await ask('GET', `${all}/a/binding`);
    await ask('GET', `${all}/a`);
    await ask('GET', `${all}/a/log`);
    await ask('GET', `${all}/a/ephemeralcontainers`);
    await ask('PUT', `${all}/a`, { body: pod('a', 'other') });
    await ask('PATCH', `${all}/a`, {
      body: { spec: { containers: [{ name: 'main', image: 'nginx:2' }] } },
      type: strategic,
    });
    await ask('PATCH', `${all}/a`, { body: { spec: { activeDeadlineSeconds: 5 } }, type: strategic });
    await ask('PATCH', `${all}/a`, { body: { spec: { activeDeadlineSeconds: 6 } }, type: strategic });
    await ask('PATCH', `${all}/a`, { body: { spec: { restartPolicy: 'Never' } }, type: strategic });
    await ask('PATCH', `${all}/a`, {
      body: { spec: { tolerations: [{ key: 'x', operator: 'Exists' }] } },
      type: merge,
    });
  },
};

const tokens: Scenario = {
  name: 'tokens of service accounts, and reviews',
  async run({ ns, ask }) {
    const request = (spec: object) => ({ kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', spec });
    const token = `/api/v1/namespaces/${ns}/serviceaccounts/default/token`;
    await ask('POST', token, { body: request({ audiences: ['a'], expirationSeconds: 60 }) });
    await ask('POST', token, { body: request({ audiences: ['a'], expirationSeconds: 4294967297 }) });
    await ask('POST', token, {
      body: request({ audiences: ['a'], boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'none' } }),
    });
    await ask('POST', token, {
      body: request({ audiences: ['a'], boundObjectRef: { kind: 'Node', apiVersion: 'v2', name: 'none' } }),
    });
    await ask('POST', `/api/v1/namespaces/${ns}/serviceaccounts/none/token`, { body: request({ audiences: ['a'] }) });
    const review = (kind: string, group: string, spec: object) =>
      ask('POST', `/apis/${group}/v1/${kind.toLowerCase()}s`, { body: { kind, apiVersion: `${group}/v1`, spec } });
    await review('TokenReview', 'authentication.k8s.io', { token: 'nonsense' });
    await review('TokenReview', 'authentication.k8s.io', {});
    const access = (spec: object) => review('SubjectAccessReview', 'authorization.k8s.io', spec);
    const attributes = { verb: 'get', resource: 'pods', namespace: ns };
    await access({ user: 'jane', resourceAttributes: attributes });
    await access({ user: 'x', groups: ['system:masters'], resourceAttributes: attributes });
    await access({ user: 'jane', nonResourceAttributes: { path: '/healthz', verb: 'get' } });
    await access({ resourceAttributes: attributes });
    await access({ user: 'jane' });
    await access({ user: 'jane', resourceAttributes: attributes, nonResourceAttributes: { path: '/', verb: 'get' } });
    await review('SelfSubjectAccessReview', 'authorization.k8s.io', { resourceAttributes: attributes });
    await review('SelfSubjectAccessReview', 'authorization.k8s.io', {});
    await review('SelfSubjectRulesReview', 'authorization.k8s.io', { namespace: ns });
    await review('SelfSubjectRulesReview', 'authorization.k8s.io', {});
    await ask('POST', `/apis/authorization.k8s.io/v1/namespaces/${ns}/localsubjectaccessreviews`, {
      body: {
        kind: 'LocalSubjectAccessReview',
        apiVersion: 'authorization.k8s.io/v1',
        metadata: { namespace: ns },
        spec: { user: 'jane', resourceAttributes: attributes },
      },
    });
    await ask('POST', `/apis/authorization.k8s.io/v1/namespaces/${ns}/localsubjectaccessreviews`, {
      body: {
        kind: 'LocalSubjectAccessReview',
        apiVersion: 'authorization.k8s.io/v1',
        metadata: { namespace: ns },
        spec: { user: 'jane', resourceAttributes: { ...attributes, namespace: 'other' } },
      },
    });
  },
};

const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 10 },
        color: { type: 'string', enum: ['red', 'blue'], default: 'red' },
        name: { type: 'string', pattern: '^[a-z]+$', minLength: 2, maxLength: 5 },
        tags: { type: 'array', items: { type: 'string' }, maxItems: 2, 'x-kubernetes-list-type': 'set' },
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, count: { type: 'integer' } },
          },
        },
        any: { 'x-kubernetes-preserve-unknown-fields': true },
        port: { 'x-kubernetes-int-or-string': true },
        when: { type: 'string', format: 'date-time' },
        ratio: { type: 'number', multipleOf: 0.5 },
        extra: { type: 'object', additionalProperties: { type: 'integer' } },
        gone: { type: 'string', nullable: true },
      },
    },
    status: {
      type: 'object',
      properties: { phase: { type: 'string' }, replicas: { type: 'integer' }, selector: { type: 'string' } },
    },
  },
};
const gadgets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.compare.example.com' },
  spec: {
    group: 'compare.example.com',
    scope: 'Namespaced',
    names: { plural: 'gadgets', kind: 'Gadget', shortNames: ['gd'], categories: ['all'] },
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } },
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.size',
            statusReplicasPath: '.status.replicas',
            labelSelectorPath: '.status.selector',
          },
        },
        additionalPrinterColumns: [
          { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
          { name: 'Color', type: 'string', jsonPath: '.spec.color', description: 'what it looks like', priority: 1 },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          { name: 'Tags', type: 'string', jsonPath: '.spec.tags[*]' },
        ],
      },
    ],
  },
};

const custom: Scenario = {
  name: 'custom resources',
  async run({ ns, ask, quiet, watch }) {
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await quiet('POST', definitions, { body: gadgets });
    const all = `/apis/compare.example.com/v1/namespaces/${ns}/gadgets`;
    for (let tries = 0; tries < 100; tries++) {
      const { status } = await quiet('GET', all);
      if (status === 200) break;
      await new Promise(done => setTimeout(done, 100));
    }
    const gadget = (spec: unknown, name = 'g') => ({
      apiVersion: 'compare.example.com/v1',
      kind: 'Gadget',
      metadata: { name },
      spec,
    });
    const specs: readonly unknown[] = [
      ...[
        {},
        { size: 0 },
        { size: 11 },
        { size: 'x' },
        { size: 1.5 },
        { size: 1, color: 'green' },
        { size: 1, name: 'A' },
      ],
      ...[
        { size: 1, name: 'toolong' },
        { size: 1, tags: ['a', 'a'] },
        { size: 1, tags: ['a', 'b', 'c'] },
        { size: 1, tags: 'x' },
      ],
      ...[
        { size: 1, parts: [{ name: 'a' }, { name: 'a' }] },
        { size: 1, parts: [{}] },
        { size: 1, port: true },
        { size: 1, port: '80' },
      ],
      ...[
        { size: 1, when: 'now' },
        { size: 1, when: '2021-01-01T00:00:00Z' },
        { size: 1, ratio: 0.3 },
        { size: 1, ratio: 1.5 },
      ],
      ...[
        { size: 1, extra: { a: 'x' } },
        { size: 1, extra: { a: 1 } },
        { size: 1, gone: null },
        { size: 1, color: null },
      ],
      ...[{ size: 1, unknown: { a: 1 }, any: { kept: [1, null] } }, null, 'text', [], { size: null }],
    ];
    for (const spec of specs) await ask('POST', `${all}?dryRun=All`, { body: gadget(spec) });
    await ask('POST', all, { body: gadget({ size: 2, tags: ['a', 'b'], any: { x: 1 } }) });
    const one = `${all}/g`;
    await ask('GET', one);
    await ask('GET', one, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    await ask('GET', all, { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' });
    await ask('GET', all);
    await ask('GET', `${all}?fieldSelector=metadata.name%3Dg`);
    await ask('GET', `${all}?fieldSelector=spec.size%3D2`);
    await ask('PATCH', one, { body: { spec: { size: 3 } }, type: strategic });
    await ask('PATCH', one, { body: { spec: { size: 3 } }, type: merge });
    await ask('PATCH', one, { body: { spec: { size: 30 } }, type: merge });
    await ask('PATCH', one, { body: [{ op: 'add', path: '/spec/parts', value: [{ name: 'p' }] }], type: json });
    await ask('PATCH', `${one}?fieldManager=m`, { body: gadget({ parts: [{ name: 'q', count: 2 }] }), type: apply });
    await ask('PATCH', `${one}?fieldManager=m`, { body: gadget({ size: 4 }), type: apply });
    await ask('PATCH', `${one}/status`, {
      body: { status: { phase: 'Fine', replicas: 2, selector: 'a=b' }, spec: { size: 9 } },
      type: merge,
    });
    await ask('GET', `${one}/scale`);
    await ask('PATCH', `${one}/scale`, { body: { spec: { replicas: 5 } }, type: merge });
    await ask('PATCH', `${one}/scale`, { body: { spec: { replicas: 50 } }, type: merge });
    await ask('GET', one);
    await ask('PUT', one, { body: gadget({ size: 6 }) });
    await ask('POST', all, { body: { ...gadget({ size: 1 }, 'h'), apiVersion: 'compare.example.com/v2' } });
    await ask('POST', all, { body: { ...gadget({ size: 1 }, 'h'), kind: 'Other' } });
    await ask('POST', all, { body: gadget({ size: 1 }, 'Bad_Name') });
    await watch(`${all}?watch=1&fieldSelector=metadata.name%3Dg`, 1);
    await ask('GET', '/apis/compare.example.com');
    await ask('GET', '/apis/compare.example.com/v1');
    await ask('DELETE', one);
    await ask('DELETE', all);
    await quiet('DELETE', `${definitions}/gadgets.compare.example.com`);
  },
};

const crd = (path: string, value: unknown) =>
  withValue({ ...gadgets, metadata: { name: 'gadgets.compare.example.com' } }, path, value);
const version = gadgets.spec.versions[0];
const badDefinitions: Scenario = {
  name: 'definitions that are refused',
  async run({ ask }) {
    const post = (body: unknown) =>
      ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All', { body });
    await post(crd('metadata/name', 'other.compare.example.com'));
    await post(crd('spec/group', 'Bad Group'));
    await post(crd('spec/group', 'single'));
    await post(crd('spec/scope', 'Universe'));
    await post(crd('spec/names/plural', 'Gadgets'));
    await post(crd('spec/names/kind', 'bad kind'));
    await post(crd('spec/names/shortNames', ['Bad']));
    await post(crd('spec/names/listKind', 'Gadget'));
    await post(crd('spec/versions', []));
    await post(crd('spec/versions/0/name', 'Bad'));
    await post(crd('spec/versions/0/storage', false));
    await post(crd('spec/versions', [version, version]));
    await post(crd('spec/versions/0/schema', undefined));
    await post(crd('spec/preserveUnknownFields', true));
    await post(crd('spec/conversion', { strategy: 'Webhook' }));
    await post(crd('spec/conversion', { strategy: 'x' }));
    await post(crd('spec/versions/0/additionalPrinterColumns', [{ name: '', type: 'x', jsonPath: 'bad' }]));
    await post(crd('spec/versions/0/subresources/scale', { specReplicasPath: 'x', statusReplicasPath: '' }));
    for (const bad of [
      { type: 'string' },
      { properties: {} },
      { type: 'object', properties: { a: {} } },
      { type: 'object', properties: { a: { type: 'nonsense' } } },
      { type: 'object', properties: { a: { type: 'array' } } },
      { type: 'object', properties: { a: { type: 'string', default: 1 } } },
      { type: 'object', properties: { a: { type: 'string', pattern: '(' } } },
      { type: 'object', properties: { a: { $ref: '#/x' } } },
      { type: 'object', properties: { a: { type: 'array', items: { type: 'string' }, uniqueItems: true } } },
      {
        type: 'object',
        properties: { a: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' } },
      },
      {
        type: 'object',
        properties: { a: { type: 'object', properties: {}, additionalProperties: { type: 'string' } } },
      },
      { type: 'object', properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } },
      { type: 'object', required: ['x'], anyOf: [{ properties: { y: { type: 'string' } } }] },
      { type: 'object', 'x-kubernetes-int-or-string': true },
      { type: 'object', properties: { a: { type: 'object', 'x-kubernetes-embedded-resource': true } } },
      { type: 'object', nullable: true },
    ])
      await post(crd('spec/versions/0/schema', { openAPIV3Schema: bad }));
    await post({ ...objectOf(sampleOf('customresourcedefinitions')), spec: { ...widgets, group: 'apps.k8s.io' } });
  },
};

const discovery: Scenario = {
  name: 'discovery',
  async run({ ask }) {
    for (const path of ['/api', '/healthz', '/livez', '/readyz', '/healthz/ping', '/healthz/nothing'])
      await ask('GET', path);
    for (const group of new Set(samples.map(({ apiVersion }) => apiVersion)))
      await ask('GET', group.includes('/') ? `/apis/${group}` : `/api/${group}`);
    await ask('GET', '/apis/authentication.k8s.io/v1');
    await ask('GET', '/apis/authorization.k8s.io/v1');
  },
};

export const subresources: readonly Scenario[] = [
  ...statuses,
  ...scales,
  pods,
  tokens,
  custom,
  badDefinitions,
  discovery,
];
