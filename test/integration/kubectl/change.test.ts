/** Changing what is there: edit, patch of each type, replace, label, annotate, set, scale, taint. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type KubectlServer, startKubectlServer, whyNoKubectl } from '../../support/kubectl-server.ts';

const modified = /the object has been modified; please apply your changes to the latest version and try again$/;

describe('kubectl, changing', { skip: whyNoKubectl(31), concurrency: 3 }, () => {
  let server: KubectlServer;
  const ok: KubectlServer['ok'] = (...args) => server.ok(...args);
  const refused: KubectlServer['refused'] = (...args) => server.refused(...args);
  const field = (object: string, path: string) => ok('get', object, '-o', `jsonpath={${path}}`);
  async function deployment(name: string): Promise<string> {
    await ok('create', 'deployment', name, '--image=example.com/c:1');
    return `deployment/${name}`;
  }
  before(async () => {
    server = await startKubectlServer();
    await ok('create', 'serviceaccount', 'default');
  });
  after(() => server?.close());

  it('patch of each type', async () => {
    const name = await deployment('patched');
    const patch = (type: string, value: unknown, ...more: string[]) =>
      ['patch', name, `--type=${type}`, '-p', JSON.stringify(value), ...more] as const;
    const containers = (container: object) => ({ spec: { template: { spec: { containers: [container] } } } });
    await ok(...patch('strategic', containers({ name: 'c', env: [{ name: 'A', value: 'b' }] })));
    assert.equal(await field(name, '.spec.template.spec.containers[0].env[0].value'), 'b');
    await ok(...patch('merge', { spec: { replicas: 2 } }));
    assert.match(await ok(...patch('merge', { spec: { replicas: 2 } })), /patched \(no change\)/);
    await ok(
      ...patch('json', [
        { op: 'test', path: '/spec/replicas', value: 2 },
        { op: 'replace', path: '/spec/replicas', value: 3 },
      ]),
    );
    assert.equal(
      await ok(...patch('merge', { spec: { replicas: 4 } }, '--subresource=scale')),
      'scale.autoscaling/patched patched\n',
    );
    await ok(...patch('merge', { status: { replicas: 7 }, spec: { replicas: 9 } }, '--subresource=status'));
    assert.equal(await field(name, '.spec.replicas} {.status.replicas'), '4 7');
    assert.equal(
      await ok(...patch('merge', { spec: { replicas: 5 } }, '--dry-run=server', '-o', 'jsonpath={.spec.replicas}')),
      '5',
    );
    for (const [args, message] of [
      [
        patch('json', [{ op: 'test', path: '/spec/replicas', value: 9 }]),
        /^The request is invalid: the server rejected our request due to an error in our request$/,
      ],
      [
        patch('merge', { spec: { replicas: 'x' } }),
        /^The request is invalid: patch: Invalid value: "\{.*\}": json: cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32$/,
      ],
      [
        patch('strategic', { spec: { replicas: 'x' } }),
        /^The request is invalid: patch: Invalid value: "map\[spec:map\[replicas:x\]\]": /,
      ],
      [
        patch('merge', { spec: { selector: { matchLabels: { a: 'b' } } } }),
        /^The Deployment "patched" is invalid: [\s\S]*spec\.selector: Invalid value: \{.*\}: field is immutable$/,
      ],
      [patch('merge', { metadata: { resourceVersion: '1' } }), modified],
      [patch('merge', {}, '--subresource=none'), /could not find the requested resource/],
    ] as const)
      assert.match(await refused(...args), message);
    assert.match(
      (await server.kubectl(patch('merge', { spec: { none: 1 } }))).err,
      /^Warning: unknown field "spec\.none"/,
    );
  });
  it('edit, also of a subresource, and edits that cannot be', async () => {
    const edit = (script: string, ...args: string[]) =>
      server.kubectl(['edit', ...args], '', { KUBE_EDITOR: `sed -i ${script}` });
    await ok('create', 'configmap', 'edited', '--from-literal=colour=red');
    assert.match((await edit('s/red/blue/', 'cm', 'edited')).out, /configmap\/edited edited/);
    assert.equal(await field('cm/edited', '.data.colour'), 'blue');
    assert.match((await edit('s/nothing/else/', 'cm', 'edited')).err, /Edit cancelled, no changes made/);
    assert.match(
      (await edit('s/name:.edited/name:\\ other/', 'cm', 'edited')).err,
      /At least one of apiVersion, kind and name was changed/,
    );
    const name = await deployment('redone');
    const wrong = await edit('s/replicas:.*/replicas:\\ x/', name);
    assert.match(wrong.err, /^error: deployments\.apps "redone" is invalid$/m);
    await ok('patch', name, '--subresource=status', '--type=merge', '-p', '{"status":{"observedGeneration":1}}');
    await edit('s/observedGeneration:.*/observedGeneration:\\ 5/', name, '--subresource=status');
    assert.equal(await field(name, '.status.observedGeneration'), '5');
  });
  it('replace, stale and by force', async () => {
    await ok('create', 'configmap', 'replaced', '--from-literal=v=1');
    const yaml = (await ok('get', 'cm', 'replaced', '-o', 'yaml')).replace('v: "1"', 'v: "2"');
    assert.equal(await server.given(yaml, 'replace', '-f', '-'), 'configmap/replaced replaced\n');
    const stale = await server.kubectl(['replace', '-f', '-'], yaml);
    assert.match(stale.err.trim(), modified);
    const uid = await field('cm/replaced', '.metadata.uid');
    await server.given(yaml, 'replace', '--force', '-f', '-');
    assert.notEqual(await field('cm/replaced', '.metadata.uid'), uid);
    const missing = await server.kubectl(['replace', '-f', '-'], yaml.replaceAll('replaced', 'missing'));
    assert.match(missing.err, /\(NotFound\): error when replacing "STDIN": configmaps "missing" not found/);
    const name = await deployment('scaled-by-replace');
    const scale = JSON.parse(await ok('get', name, '--subresource=scale', '-o', 'json'));
    scale.spec.replicas = 6;
    await server.given(
      scale,
      'replace',
      '--raw=/apis/apps/v1/namespaces/default/deployments/scaled-by-replace/scale',
      '-f',
      '-',
    );
    assert.equal(await field(name, '.spec.replicas'), '6');
  });
  it('label and annotate', async () => {
    await ok('create', 'configmap', 'marked');
    await ok('label', 'cm', 'marked', 'a=b', 'c=d');
    assert.equal(
      await refused('label', 'cm', 'marked', 'a=x'),
      "error: 'a' already has a value (b), and --overwrite is false",
    );
    await ok('label', 'cm', 'marked', 'a=x', 'c-', '--overwrite');
    assert.equal(await ok('label', 'cm', 'marked', '--list'), 'a=x\n');
    assert.equal(
      await ok('label', 'cm', 'marked', 'z=1', '--dry-run=server'),
      'configmap/marked labeled (server dry run)\n',
    );
    assert.match(await refused('label', 'cm', 'marked', 'z=1', '--resource-version=1'), modified);
    assert.match(
      await refused('label', 'cm', 'marked', 'bad key=x'),
      /^The ConfigMap "marked" is invalid: metadata\.labels: Invalid value: "bad key": name part must consist of/,
    );
    assert.match(await refused('label', 'cm', 'missing', 'a=b'), /configmaps "missing" not found/);
    await ok('annotate', 'cm', 'marked', 'note=x');
    await ok('annotate', 'cm', 'marked', 'note=y', '--overwrite');
    assert.equal(await ok('annotate', 'cm', 'marked', '--list'), 'note=y\n');
    await ok('annotate', 'cm', 'marked', 'note-');
    assert.equal(await field('cm/marked', '.metadata.annotations'), '');
  });
  it('set', async () => {
    const name = await deployment('set');
    await ok('create', 'configmap', 'values', '--from-literal=key=value');
    for (const args of [
      ['image', name, 'c=example.com/c:2'],
      ['env', name, 'A=b'],
      ['env', name, '--from=configmap/values'],
      ['resources', name, '--limits=cpu=1,memory=64Mi', '--requests=cpu=500m'],
      ['serviceaccount', name, 'robot'],
    ])
      assert.match(await ok('set', ...args), /updated/);
    assert.equal(
      await ok('set', 'env', name, '--list'),
      '# Deployment set, container c\nA=b\n# KEY from configmap values, key key\n',
    );
    assert.match(
      await refused('set', 'resources', name, '--limits=cpu=1', '--requests=cpu=2'),
      /containers\[0\]\.resources\.requests: Invalid value: "2": must be less than or equal to cpu limit of 1$/,
    );
    await ok('create', 'service', 'clusterip', 'set', '--tcp=80');
    assert.equal(await ok('set', 'selector', 'service/set', 'x=y'), 'service/set selector updated\n');
    await ok('create', 'rolebinding', 'set', '--clusterrole=view', '--user=one');
    await ok('set', 'subject', 'rolebinding/set', '--user=two', '--group=three');
    assert.equal(await field('rolebinding/set', '.subjects[*].name'), 'one two three');
  });
  it('scale, under conditions', async () => {
    const name = await deployment('scaled');
    assert.equal(await ok('scale', name, '--replicas=5', '--current-replicas=1'), 'deployment.apps/scaled scaled\n');
    assert.equal(
      await refused('scale', name, '--replicas=2', '--current-replicas=1'),
      'error: Expected replicas to be 1, was 5',
    );
    assert.match(
      await refused('scale', name, '--replicas=2', '--resource-version=1'),
      /Expected resource version to be 1, was \d+/,
    );
    await ok('create', 'configmap', 'unscaled');
    assert.match(await refused('scale', 'cm/unscaled', '--replicas=2'), /could not find the requested resource/);
    await ok('autoscale', name, '--min=2', '--max=5', '--cpu-percent=80');
    assert.match(await ok('get', 'hpa', 'scaled'), /Deployment\/scaled +cpu: <unknown>\/80% +2 +5 +0 /);
  });
  it('cordon and taint', async () => {
    await server.given({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } }, 'create', '-f', '-');
    await ok('cordon', 'n');
    assert.match(await ok('get', 'node', 'n'), /^n +Unknown,SchedulingDisabled /m);
    await ok('uncordon', 'n');
    assert.equal(await ok('taint', 'node', 'n', 'k=v:NoSchedule'), 'node/n tainted\n');
    assert.match(
      await refused('taint', 'node', 'n', 'k=w:NoSchedule'),
      /already has k taint\(s\) with same effect\(s\)/,
    );
    await ok('taint', 'node', 'n', 'k=w:NoSchedule', '--overwrite');
    assert.equal(await field('node/n', '.spec.taints[?(@.key=="k")].value'), 'w');
    assert.equal(await ok('taint', 'node', 'n', 'k-'), 'node/n untainted\n');
  });
});
