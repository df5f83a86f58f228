/** What every administrator does, with whatever kubectl there is: Debian's of 1.20 knows all of this. The other files ask for more. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type KubectlServer, startKubectlCluster, whyNoKubectl } from '../../support/kubectl-server.ts';

const deployment = (name: string, replicas = 2, image = 'example.com/c:1') => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: c, image: "${image}"}]}
`;
const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Color, type: string, jsonPath: .spec.color}]
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {color: {type: string, description: The colour it has}}}}
`;

describe('any kubectl', { skip: whyNoKubectl(), concurrency: 3 }, () => {
  let cluster: KubectlServer;
  const ok: KubectlServer['ok'] = (...args) => cluster.ok(...args);
  const apply = (manifest: string, ...flags: string[]) => cluster.given(manifest, 'apply', ...flags, '-f', '-');
  before(async () => {
    cluster = await startKubectlCluster({ nodes: 2 });
  });
  after(() => cluster?.close());

  it('api-resources, api-versions, explain', async () => {
    assert.match(await ok('api-resources'), /^deployments +deploy +apps\/v1 +true +Deployment/m);
    assert.match(await ok('api-versions'), /^autoscaling\/v2$/m);
    assert.match(await ok('explain', 'deployment.spec.replicas'), /FIELD: +replicas <integer>/);
  });
  it('apply, diff, get in every form, describe, label, patch of each type, edit, scale', async () => {
    assert.equal(await apply(deployment('web')), 'deployment.apps/web created\n');
    assert.equal(await apply(deployment('web')), 'deployment.apps/web unchanged\n');
    const diff = await cluster.kubectl(['diff', '-f', '-'], deployment('web', 3));
    assert.equal(diff.code, 1, diff.err);
    assert.match(diff.out, /^-\s+replicas: 2$\n^\+\s+replicas: 3$/m);
    assert.equal(await apply(deployment('web', 3)), 'deployment.apps/web configured\n');
    await ok('rollout', 'status', 'deployment/web', '--timeout=60s');
    for (const [form, pattern] of [
      ['wide', / 3\/3 +3 +3 .* c +example\.com\/c:1 +app=web$/m],
      ['yaml', /^kind: Deployment$/m],
      ['json', /"kind": "Deployment"/],
      ['name', /^deployment\.apps\/web$/m],
      ['jsonpath={.spec.replicas}', /^3$/],
      ['go-template={{.metadata.name}}', /^web$/],
      ['custom-columns=N:.metadata.name', /^N\nweb\n$/],
    ] as const)
      assert.match(await ok('get', 'deployment', 'web', '-o', form), pattern);
    assert.match(await ok('describe', 'deployment', 'web'), /^Replicas: +3 desired \| 3 updated \| 3 total/m);
    await ok('label', 'deployment', 'web', 'tier=front');
    assert.match(await ok('get', 'deployment', '-l', 'tier=front', '--show-labels'), /app=web,tier=front/);
    for (const [type, patch] of [
      ['strategic', '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"example.com/c:2"}]}}}}'],
      ['merge', '{"spec":{"replicas":1}}'],
      ['json', '[{"op":"test","path":"/spec/replicas","value":1},{"op":"replace","path":"/spec/replicas","value":2}]'],
    ] as const)
      assert.match(await ok('patch', 'deployment', 'web', '--type', type, '-p', patch), /patched/);
    const edited = await cluster.kubectl(['edit', 'deployment', 'web'], '', {
      KUBE_EDITOR: 'sed -i s/tier:.front/tier:\\ back/',
    });
    assert.match(edited.out, /edited/, edited.err);
    await ok('scale', 'deployment', 'web', '--replicas=1');
    const values = '{.metadata.labels.tier} {.spec.replicas} {.spec.template.spec.containers[0].image}';
    assert.equal(await ok('get', 'deployment', 'web', '-o', `jsonpath=${values}`), 'back 1 example.com/c:2');
  });
  it('rollout, wait, delete with each cascade', async () => {
    const left = (kind: string, app: string) => ok('get', kind, '-l', `app=${app}`, '-o', 'name');
    for (const cascade of ['background', 'foreground', 'orphan']) {
      await apply(deployment(cascade, 1));
      await ok('wait', '--for=condition=Available', `deployment/${cascade}`, '--timeout=60s');
      if (cascade === 'background') {
        await ok('set', 'image', `deployment/${cascade}`, 'c=example.com/c:2');
        await ok('rollout', 'status', `deployment/${cascade}`, '--timeout=60s');
        assert.match(await ok('rollout', 'history', `deployment/${cascade}`), /^2 /m);
        await ok('rollout', 'undo', `deployment/${cascade}`);
      }
      await ok('delete', 'deployment', cascade, `--cascade=${cascade}`);
      if (cascade === 'orphan') assert.match(await left('replicasets', cascade), /^replicaset\.apps\/orphan-/);
      if (cascade === 'foreground') assert.equal(await left('replicasets,pods', cascade), '');
    }
  });
  it('apply --server-side, with conflicts', async () => {
    await apply(deployment('shared'), '--server-side');
    const other = ['apply', '--server-side', '--field-manager=other', '-f', '-'];
    const refused = await cluster.kubectl(other, deployment('shared', 5));
    assert.match(refused.err, /Apply failed with 1 conflict: conflict with "kubectl": \.spec\.replicas/);
    assert.equal((await cluster.kubectl([...other, '--force-conflicts'], deployment('shared', 5))).code, 0);
    assert.equal(await ok('get', 'deployment', 'shared', '-o', 'jsonpath={.spec.replicas}'), '5');
  });
  it('custom resources', async () => {
    await apply(definition);
    await ok('wait', '--for=condition=established', 'crd/widgets.example.com', '--timeout=60s');
    await apply('apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {color: red}\n');
    assert.match(await ok('get', 'wd'), /^NAME +COLOR\nw +red\n$/);
    assert.match(await ok('describe', 'widget', 'w'), /Color: +red/);
    await ok('delete', 'crd', 'widgets.example.com', '--timeout=60s');
  });
  it('auth can-i, unknown fields, what is not there', async () => {
    assert.equal((await ok('auth', 'can-i', 'create', 'pods')).trim(), 'yes');
    assert.equal((await cluster.kubectl(['auth', 'can-i', 'create', 'pods', '--as=jane'])).out.trim(), 'no');
    const wrong = await cluster.kubectl(['apply', '-f', '-'], deployment('wrong').replace('replicas', 'replicaz'));
    assert.match(wrong.err, /unknown field "(spec\.)?replicaz"/);
    assert.match(await cluster.refused('get', 'pods', 'none'), /\(NotFound\): pods "none" not found$/);
  });
  it('cordon, drain, uncordon', async () => {
    await apply(deployment('drained', 3));
    await ok('rollout', 'status', 'deployment/drained', '--timeout=60s');
    await ok('drain', 'node-0', '--ignore-daemonsets', '--force', '--timeout=60s');
    await ok('rollout', 'status', 'deployment/drained', '--timeout=60s');
    const nodes = await ok('get', 'pods', '-l', 'app=drained', '-o', 'jsonpath={.items[*].spec.nodeName}');
    assert.deepEqual(new Set(nodes.split(' ')), new Set(['node-1']));
    assert.match(await ok('uncordon', 'node-0'), /uncordoned/);
  });
});
