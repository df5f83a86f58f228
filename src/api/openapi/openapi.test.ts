import assert from 'node:assert/strict';
import test from 'node:test';
import { builtinResources } from '../catalog/index.ts';
import { Reader } from '../codec/protobuf/wire.ts';
import { structuralSchema } from '../crd/index.ts';
import type { ResourceInfo } from '../schema.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import { contentHash, encodeOpenApiV2, openApiV2, openApiV3, openApiV3Index, openApiV3Paths } from './index.ts';
import type { Json, OpenApiSource } from './source.ts';

const props: JSONSchemaProps = {
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { size: { type: 'integer', nullable: true }, name: { type: 'string' } } },
  },
};
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const widget: ResourceInfo = {
  group: 'stable.example.com',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  singular: 'widget',
  namespaced: true,
  verbs,
  subresources: {
    status: { group: 'stable.example.com', version: 'v1', kind: 'Widget', verbs: ['get', 'patch', 'update'] },
  },
  schema: structuralSchema(props),
};
const source: OpenApiSource = {
  resources: builtinResources(),
  customs: [{ info: widget, listKind: 'WidgetList', props, selectable: ['spec.color'] }],
  docs: { 'io.k8s.api.core.v1.Pod': { '': 'A pod.', spec: 'What it should be.' } },
  gitVersion: 'v1.35.0',
};

function references(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, inner] of Object.entries(value)) {
    if (key === '$ref' && typeof inner === 'string') found.add(inner);
    else references(inner, found);
  }
  return found;
}
const at = (value: unknown, ...path: string[]) => path.reduce((v, key) => (v as Json)[key], value);

test('every reference resolves, in every document', () => {
  const two = openApiV2(source);
  for (const ref of references(two)) assert.ok(at(two, 'definitions', ref.replace('#/definitions/', '')), ref);
  for (const path of openApiV3Paths(source)) {
    const three = openApiV3(path, source);
    for (const ref of references(three))
      assert.ok(at(three, 'components', 'schemas', ref.replace('#/components/schemas/', '')), `${path} ${ref}`);
  }
});

test('operations carry their kind, and patch tells that fields can be validated', () => {
  const patch = at(openApiV2(source), 'paths', '/apis/apps/v1/namespaces/{namespace}/deployments/{name}', 'patch');
  assert.deepEqual(at(patch, 'x-kubernetes-group-version-kind'), { group: 'apps', kind: 'Deployment', version: 'v1' });
  const names = (at(patch, 'parameters') as { name: string }[]).map(p => p.name);
  assert.ok(['fieldValidation', 'dryRun', 'fieldManager', 'force', 'body'].every(n => names.includes(n)));
  const ids = Object.values(at(openApiV2(source), 'paths') as Json).flatMap(p =>
    Object.values(p as Json).flatMap(o => (at(o, 'operationId') as string | undefined) ?? []),
  );
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.includes('deleteCoreV1CollectionNamespacedPod'));
});

test('definitions: kinds are marked, texts stand where they belong', () => {
  const two = at(openApiV2(source), 'definitions');
  assert.deepEqual(at(two, 'io.k8s.api.core.v1.PodList', 'x-kubernetes-group-version-kind'), [
    { group: '', kind: 'PodList', version: 'v1' },
  ]);
  assert.equal(at(two, 'io.k8s.api.core.v1.Pod', 'description'), 'A pod.');
  const three = at(openApiV3('api/v1', source), 'components', 'schemas');
  assert.deepEqual(at(three, 'io.k8s.api.core.v1.Pod', 'properties', 'spec'), {
    allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.PodSpec' }],
    description: 'What it should be.',
    default: {},
  });
  assert.deepEqual(at(three, 'io.k8s.api.core.v1.PodSpec', 'properties', 'containers', 'x-kubernetes-list-map-keys'), [
    'name',
  ]);
});

test('definitions: values that are known, in both versions, and what absence means, in version 3', () => {
  const two = at(openApiV2(source), 'definitions');
  const three = at(openApiV3('api/v1', source), 'components', 'schemas');
  const core = 'io.k8s.api.core.v1';
  const policies = ['Always', 'Never', 'OnFailure'];
  assert.deepEqual(at(two, `${core}.PodSpec`, 'properties', 'restartPolicy', 'enum'), policies);
  const modes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
  const claim = `${core}.PersistentVolumeClaimSpec`;
  assert.deepEqual(at(three, claim, 'properties', 'accessModes', 'items'), {
    type: 'string',
    enum: modes,
    default: '',
  });
  const protocol = { type: 'string', enum: ['SCTP', 'TCP', 'UDP'] };
  assert.deepEqual(at(two, `${core}.ContainerPort`, 'properties', 'protocol'), protocol);
  assert.deepEqual(at(three, `${core}.ContainerPort`, 'properties', 'protocol'), { ...protocol, default: 'TCP' });
  assert.deepEqual(at(three, `${core}.ContainerPort`, 'properties', 'containerPort', 'default'), 0);
  // What is a pointer in Go, or reads itself, has none.
  assert.equal(at(three, `${core}.PodSpec`, 'properties', 'affinity', 'allOf'), undefined);
  const quantities = at(three, `${core}.ResourceRequirements`, 'properties', 'limits', 'additionalProperties');
  assert.deepEqual(Object.keys(quantities as Json), ['$ref']);
  const containers = at(three, `${core}.PodSpec`, 'properties', 'containers', 'items');
  assert.deepEqual(containers, { allOf: [{ $ref: `#/components/schemas/${core}.Container` }], default: {} });
  const reference = ['properties', 'claimRef', 'x-kubernetes-map-type'];
  assert.equal(at(two, `${core}.PersistentVolumeSpec`, ...reference), 'granular');
  assert.ok(at(two, `${core}.SeccompProfile`, 'x-kubernetes-unions'));
});

test('custom resources have their own schema; version 2 leaves out what it cannot say', () => {
  const three = openApiV3('apis/stable.example.com/v1', source);
  const name = 'com.example.stable.v1.Widget';
  assert.equal(at(three, 'components', 'schemas', name, 'properties', 'spec', 'properties', 'size', 'nullable'), true);
  const selectable = [{ fieldPath: 'spec.color' }];
  for (const schema of [name, `${name}List`])
    assert.deepEqual(at(three, 'components', 'schemas', schema, 'x-kubernetes-selectable-fields'), selectable);
  const two = at(openApiV2(source), 'definitions', name, 'properties');
  assert.deepEqual(at(two, 'spec', 'properties', 'size'), {});
  assert.deepEqual(at(two, 'metadata'), { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' });
  assert.equal(openApiV3('apis/nope/v1', source), undefined);
});

/** The documents with this schema for Widget. */
function described(schema: JSONSchemaProps): { two: unknown; three: unknown } {
  const own = { ...source, customs: [{ info: widget, listKind: 'WidgetList', props: schema }] };
  const name = 'com.example.stable.v1.Widget';
  return {
    two: at(openApiV2(own), 'definitions', name),
    three: at(openApiV3('apis/stable.example.com/v1', own), 'components', 'schemas', name),
  };
}

test('custom resources that may hold anything: version 2 says nothing more, version 3 what every object has', () => {
  const anything = { type: 'object', properties: { spec: { type: 'object' } } };
  const { two, three } = described({ ...anything, 'x-kubernetes-preserve-unknown-fields': true });
  assert.deepEqual(Object.keys(two as Json).sort(), ['type', 'x-kubernetes-group-version-kind']);
  assert.deepEqual(Object.keys(at(three, 'properties') as Json).sort(), ['apiVersion', 'kind', 'metadata', 'spec']);
});

test('objects embedded in custom resources are described as objects', () => {
  const template = { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } };
  const any = { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true };
  const { two, three } = described({ type: 'object', properties: { template, any } });
  for (const document of [two, three]) {
    const inner = at(document, 'properties', 'template');
    assert.deepEqual(at(inner, 'required'), ['kind', 'apiVersion']);
    assert.deepEqual(Object.keys(at(inner, 'properties') as Json).sort(), ['apiVersion', 'kind', 'metadata', 'spec']);
  }
  assert.equal(at(two, 'properties', 'any', 'properties'), undefined);
  assert.ok(at(three, 'properties', 'any', 'properties', 'metadata'));
});

test('version 2 does not require what may be null', () => {
  const properties = { a: { type: 'string', nullable: true }, b: { type: 'string' } };
  const { two, three } = described({ type: 'object', required: ['a', 'b'], properties });
  assert.deepEqual(at(two, 'required'), ['b']);
  assert.deepEqual(at(three, 'required'), ['a', 'b']);
});

test('paths: options of connections are parameters, proxies take every method, what all operations take is the path’s', () => {
  const paths = at(openApiV2(source), 'paths') as Json;
  const names = (value: unknown) => (value as { name: string }[]).map(p => p.name);
  const pod = '/api/v1/namespaces/{namespace}/pods/{name}';
  const exec = 'command container name namespace stderr stdin stdout tty';
  assert.deepEqual(names(at(paths, `${pod}/exec`, 'parameters')), exec.split(' '));
  assert.ok(names(at(paths, `${pod}/log`, 'parameters')).includes('insecureSkipTLSVerifyBackend'));
  assert.deepEqual(names(at(paths, `${pod}/proxy/{path}`, 'parameters')), ['name', 'namespace', 'path', 'path']);
  const methods = ['delete', 'get', 'head', 'options', 'parameters', 'patch', 'post', 'put'];
  assert.deepEqual(Object.keys(paths[`${pod}/proxy`] as Json).sort(), methods);
  assert.equal(at(paths, `${pod}/exec`, 'get', 'responses', '200', 'schema', 'type'), 'string');
  const eviction = ['dryRun', 'fieldManager', 'fieldValidation', 'name', 'namespace', 'pretty'];
  assert.deepEqual(names(at(paths, `${pod}/eviction`, 'parameters')), eviction);
  assert.deepEqual(names(at(paths, `${pod}/eviction`, 'post', 'parameters')), ['body']);
  assert.equal(at(paths, `${pod}/eviction`, 'post', 'description'), 'create eviction of a Pod');
  assert.equal(at(paths, '/api/v1/watch/pods', 'get', 'operationId'), 'watchCoreV1PodListForAllNamespaces');
  const schemas = '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas';
  assert.deepEqual(at(paths, schemas, 'get', 'tags'), ['flowcontrolApiserver_v1']);
  assert.deepEqual(Object.keys(at(paths, schemas, 'post', 'responses') as Json), ['200', '201', '202', '401']);
});

test('paths: deletions answer with the object where the server gives it back', () => {
  const path = '/api/v1/namespaces/{namespace}/secrets/{name}';
  const answer = (from: OpenApiSource) =>
    at(openApiV2(from), 'paths', path, 'delete', 'responses', '202', 'schema', '$ref');
  assert.equal(answer(source), '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Status');
  assert.equal(answer({ ...source, returnsDeleted: new Set(['/secrets']) }), '#/definitions/io.k8s.api.core.v1.Secret');
});

test('paths: custom resources take fewer formats and have no watches of old', () => {
  const paths = at(openApiV2(source), 'paths') as Json;
  const collection = '/apis/stable.example.com/v1/namespaces/{namespace}/widgets';
  assert.equal(paths['/apis/stable.example.com/v1/watch/widgets'], undefined);
  const post = at(paths, collection, 'post');
  assert.deepEqual(at(post, 'consumes'), ['application/json', 'application/yaml']);
  assert.equal(at(paths, collection, 'get', 'description'), 'list objects of kind Widget');
  assert.deepEqual(Object.keys(at(paths, `${collection}/{name}`, 'patch', 'responses') as Json), ['200', '401']);
});

test('discovery, the version and OpenID have paths, and documents of their own', () => {
  const paths = at(openApiV2(source), 'paths') as Json;
  assert.equal(at(paths, '/apis/apps/v1/', 'get', 'operationId'), 'getAppsV1APIResources');
  assert.equal(paths['/apis/stable.example.com/v1/'], undefined);
  for (const path of ['api', 'apis', 'apis/apps', 'version', 'openid/v1/jwks'])
    assert.deepEqual(Object.keys(at(openApiV3(path, source), 'paths') as Json), [`/${path}/`]);
  assert.deepEqual(at(openApiV3('apis/stable.example.com/v1', source), 'info'), {
    title: 'Kubernetes CRD Swagger',
    version: 'v0.1.0',
  });
});

test('the index names every group version with its hash', () => {
  const index = openApiV3Index(source, path => contentHash(new TextEncoder().encode(path)));
  const url = at(index, 'paths', 'apis/apps/v1', 'serverRelativeURL');
  assert.match(String(url), /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{32}$/);
  assert.notEqual(contentHash(new Uint8Array([1])), contentHash(new Uint8Array([2])));
});

/** Field numbers and contents of one message. */
function fields(bytes: Uint8Array): [number, Uint8Array][] {
  const out: [number, Uint8Array][] = [];
  for (const r = new Reader(bytes); !r.done; ) {
    const tag = r.tag();
    assert.equal(tag & 7, 2);
    out.push([tag >> 3, r.bytes()]);
  }
  return out;
}

test('the protobuf document has all paths and definitions, in order', () => {
  const two = openApiV2(source);
  const text = new TextDecoder();
  const top = new Map(fields(encodeOpenApiV2(two)));
  const names = (bytes: Uint8Array | undefined) =>
    fields(bytes ?? new Uint8Array()).map(([, entry]) => text.decode(new Map(fields(entry)).get(1)));
  assert.equal(text.decode(top.get(1)), '2.0');
  assert.deepEqual(names(top.get(8)), Object.keys(two['paths'] as Json));
  assert.deepEqual(names(top.get(9)), Object.keys(two['definitions'] as Json));
});
