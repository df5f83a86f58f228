/** Declared objects: apply on the client and on the server, diff, prune, kustomize, validation. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type KubectlServer, startKubectlServer, whyNoKubectl } from '../../support/kubectl-server.ts';

const map = (name: string, value: string, labels = '') => `apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}${labels && `, labels: {${labels}}`}}
data: {k: "${value}"}
`;
const deployment = (name: string, image: string, replicas: number) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
      - {name: c, image: "${image}", env: [{name: A, value: "1"}, {name: B, value: "2"}]}
`;

describe('kubectl apply', { skip: whyNoKubectl(31), concurrency: 3 }, () => {
  let server: KubectlServer;
  const ok: KubectlServer['ok'] = (...args) => server.ok(...args);
  const apply = (manifest: string, ...flags: string[]) => server.given(manifest, 'apply', ...flags, '-f', '-');
  const refused = async (manifest: string, ...args: string[]) => {
    const { code, err } = await server.kubectl([...args, '-f', '-'], manifest);
    assert.notEqual(code, 0, `kubectl ${args.join(' ')} was not refused`);
    return err;
  };
  const field = (object: string, path: string) => ok('get', object, '-o', `jsonpath={${path}}`);
  before(async () => {
    server = await startKubectlServer();
  });
  after(() => server?.close());

  it('on the client: created, unchanged, configured, shown before', async () => {
    const first = deployment('web', 'example.com/c:1', 2);
    assert.equal(await apply(first, '--dry-run=server'), 'deployment.apps/web created (server dry run)\n');
    assert.equal(await apply(first), 'deployment.apps/web created\n');
    assert.equal(await apply(first), 'deployment.apps/web unchanged\n');
    const second = deployment('web', 'example.com/c:2', 4).replace(', {name: B, value: "2"}', '');
    const diff = await server.kubectl(['diff', '-f', '-'], second);
    assert.equal(diff.code, 1, diff.err);
    for (const line of ['-  replicas: 2', '+  replicas: 4', '-        - name: B', '+        image: example.com/c:2'])
      assert.ok(diff.out.split('\n').includes(line), `${line}\n${diff.out}`);
    // What somebody else set stays.
    await ok('label', 'deployment', 'web', 'other=one');
    assert.equal(await apply(second), 'deployment.apps/web configured\n');
    assert.equal(await field('deployment/web', '.spec.template.spec.containers[0].env[*].name'), 'A');
    assert.equal(await field('deployment/web', '.metadata.labels.other'), 'one');
    assert.equal((await server.kubectl(['diff', '-f', '-'], second)).code, 0);
    assert.match(await ok('apply', 'view-last-applied', 'deployment/web'), /image: example\.com\/c:2/);
  });
  it('a folder, what left it, and kustomizations', async () => {
    const inner = join(server.folder, 'set', 'inner');
    mkdirSync(inner, { recursive: true });
    writeFileSync(join(inner, '..', 'a.yaml'), map('set-a', '1', 'set: one'));
    writeFileSync(join(inner, 'b.yaml'), map('set-b', '1', 'set: one'));
    const prune = ['--prune', '-l', 'set=one', '--prune-allowlist=core/v1/ConfigMap'];
    assert.equal(await ok('apply', '-R', '-f', 'set', ...prune), 'configmap/set-a created\nconfigmap/set-b created\n');
    rmSync(join(inner, 'b.yaml'));
    assert.equal(await ok('apply', '-R', '-f', 'set', ...prune), 'configmap/set-a unchanged\nconfigmap/set-b pruned\n');
    const folder = join(server.folder, 'custom');
    mkdirSync(folder);
    writeFileSync(join(folder, 'map.yaml'), map('map', '1'));
    writeFileSync(
      join(folder, 'kustomization.yaml'),
      'namePrefix: my-\nresources: [map.yaml]\nconfigMapGenerator: [{name: made, literals: [a=b]}]\n',
    );
    assert.match(await ok('apply', '-k', 'custom'), /^configmap\/my-made-\w+ created\nconfigmap\/my-map created\n$/);
    assert.equal(await ok('diff', '-k', 'custom'), '');
    assert.match(await ok('delete', '-k', 'custom'), /"my-map" deleted/);
  });
  it('on the server: owners, conflicts, force', async () => {
    const one = deployment('shared', 'example.com/c:1', 1);
    const two = deployment('shared', 'example.com/c:2', 3);
    assert.equal(await apply(one, '--server-side'), 'deployment.apps/shared serverside-applied\n');
    assert.match(
      await refused(two, 'apply', '--server-side', '--field-manager=two'),
      /^error: Apply failed with 2 conflicts: conflicts with "kubectl":\n- \.spec\.replicas\n- \.spec\.template\.spec\.containers\[name="c"\]\.image\n/,
    );
    await ok('scale', 'deployment', 'shared', '--replicas=2');
    assert.match(
      await refused(one, 'apply', '--server-side'),
      /^error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas\n/,
    );
    await apply(two, '--server-side', '--field-manager=two', '--force-conflicts');
    assert.equal(await field('deployment/shared', '.spec.replicas'), '3');
    const managers = await ok(
      'get',
      'deployment/shared',
      '--show-managed-fields',
      '-o',
      'jsonpath={.metadata.managedFields[*].manager}',
    );
    assert.deepEqual(managers.split(' ').sort(), ['kubectl', 'two']);
    assert.match(
      await refused(one, 'apply', '--server-side', '--field-manager='),
      /fieldManager: Required value: is required for apply patch/,
    );
    const revised = (value: string) => map('none', value).replace('metadata: {', 'metadata: {resourceVersion: "1", ');
    assert.equal(await apply(revised('1'), '--server-side'), 'configmap/none serverside-applied\n');
    assert.match(await refused(revised('2'), 'apply', '--server-side'), /the object has been modified/);
  });
  it('on the server, over what the client applied', async () => {
    const manifest = map('moved', '1');
    await apply(manifest);
    assert.equal(
      (await server.kubectl(['diff', '--server-side', '-f', '-'], manifest)).code,
      1,
      'the annotation has no empty annotations',
    );
    await apply(map('moved', '2'), '--server-side');
    const text = await ok(
      'get',
      'cm',
      'moved',
      '-o',
      'jsonpath={.metadata.annotations.kubectl\\.kubernetes\\.io/last-applied-configuration}',
    );
    assert.equal(
      text,
      '{"apiVersion":"v1","data":{"k":"2"},"kind":"ConfigMap","metadata":{"name":"moved","namespace":"default"}}\n',
    );
    assert.equal((await server.kubectl(['diff', '--server-side', '-f', '-'], map('moved', '2'))).code, 0);
    assert.equal(await apply(map('moved', '3')), 'configmap/moved configured\n');
  });
  it('unknown fields, wrong types, missing kinds', async () => {
    const unknown = map('wrong', '1').replace('\ndata:', '\ndatum: {}\ndata:');
    const strict =
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "datum"';
    assert.ok((await refused(unknown, 'apply')).includes(strict));
    assert.ok((await refused(unknown, 'create', '--validate=strict', '--dry-run=server')).includes(strict));
    const warned = await server.kubectl(['apply', '--validate=warn', '-f', '-'], unknown);
    assert.deepEqual([warned.err, warned.out], ['Warning: unknown field "datum"\n', 'configmap/wrong created\n']);
    assert.deepEqual((await server.kubectl(['apply', '--validate=ignore', '-f', '-'], unknown)).err, '');
    for (const [manifest, message] of [
      [map('wrong', '1').replace('"1"', '1'), /": cannot convert int64 to string\n$/],
      ['apiVersion: v1\nkind: None\nmetadata: {name: x}\n', /no matches for kind "None" in version "v1"/],
      [
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}\n',
        /^The Deployment "x" is invalid: \n\* spec\.selector: Required value\n\* /,
      ],
      [map('lost', '1').replace('lost', 'lost, namespace: nowhere'), /namespaces "nowhere" not found/],
      [map('gen', '1').replace('name: gen', 'generateName: gen-'), /cannot use generate name with apply/],
    ] as const)
      assert.match(await refused(manifest, 'apply'), message);
    assert.match(
      await refused(unknown, 'apply', '--server-side'),
      /^Error from server: failed to create typed patch object \(default\/wrong; \/v1, Kind=ConfigMap\): \.datum: field not declared in schema\n$/,
    );
  });
});
