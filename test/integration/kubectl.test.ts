/** The real, unmodified kubectl against the API server over TLS. Skipped where there is no kubectl. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { admissionPlugins } from '../../src/apiserver/admission/index.ts';
import { createTokenSigner } from '../../src/apiserver/auth/index.ts';
import { gzipBody } from '../../src/apiserver/http/gzip.ts';
import { type HttpServer, listen } from '../../src/apiserver/http/server.ts';
import { type ApiServer, createApiServer } from '../../src/apiserver/index.ts';
import { strategies } from '../../src/apiserver/registry/index.ts';
import { createSecurity } from '../../src/apiserver/security.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import { ensureClusterPki, kubeconfig } from '../../src/pki/index.ts';
import { createMemoryStore, type MemoryStore } from '../../src/store/memory/index.ts';

function hasKubectl(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "example.com/c:1"}]}
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
        properties:
          spec:
            type: object
            properties: {color: {type: string, description: The colour it has}}
`;
const widget = 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {color: red}\n';

describe('kubectl', { skip: !hasKubectl() }, () => {
  let folder: string;
  let store: MemoryStore;
  let server: ApiServer;
  let http: HttpServer;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kubectl-test-'));
    const pki = ensureClusterPki(join(folder, 'pki'), { clock: systemClock, addresses: ['127.0.0.1'] });
    const signer = await createTokenSigner(pki.serviceAccount.key, [pki.serviceAccount.publicKey]);
    const issuer = 'https://kubernetes.default.svc.cluster.local';
    store = createMemoryStore({ clock: systemClock });
    server = createApiServer({
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
      metrics: createMetrics(),
      store,
      strategies,
      gzip: gzipBody,
      security: createSecurity({ signer, issuers: [issuer], audiences: [issuer], admission: admissionPlugins }),
    });
    const tls = { cert: pki.apiserver.certificate, key: pki.apiserver.key, clientCa: pki.ca.certificate };
    http = await listen({ handle: server.handle, tls, host: '127.0.0.1', port: 0 });
    await server.start();
    const config = kubeconfig({
      server: `https://127.0.0.1:${http.port}`,
      authority: pki.ca.certificate,
      user: 'admin',
      credentials: pki.clients.admin,
    });
    writeFileSync(join(folder, 'config'), config);
    await ok(['create', 'serviceaccount', 'default']);
  });
  after(async () => {
    await http?.close();
    await server?.close();
    await store?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function kubectl(args: readonly string[], input = '', more: Record<string, string> = {}): Promise<Output> {
    const env = { ...process.env, KUBECONFIG: join(folder, 'config'), HOME: folder, ...more };
    return new Promise(resolve => {
      const child = execFile('kubectl', args, { env, timeout: 30_000 }, (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, out, err });
      });
      child.stdin?.end(input);
    });
  }
  async function ok(args: readonly string[], input = ''): Promise<string> {
    const { code, out, err } = await kubectl(args, input);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${err}`);
    return out;
  }

  it('tells versions and resources', async () => {
    assert.match(await ok(['version']), /Server Version: v1\.35\.0/);
    const resources = await ok(['api-resources']);
    for (const line of [/^pods +po +v1 +true +Pod/m, /^deployments +deploy +apps\/v1 +true +Deployment/m])
      assert.match(resources, line);
    assert.match(await ok(['api-versions']), /^autoscaling\/v2$/m);
  });
  it('applies, diffs, changes and shows in every form', async () => {
    assert.match(await ok(['apply', '-f', '-'], deployment), /deployment\.apps\/web created/);
    assert.match(await ok(['apply', '-f', '-'], deployment), /deployment\.apps\/web unchanged/);
    const changed = deployment.replace('replicas: 2', 'replicas: 4');
    const diff = await kubectl(['diff', '-f', '-'], changed);
    assert.equal(diff.code, 1, diff.err);
    assert.match(diff.out, /^\+ {2}replicas: 4$/m);
    assert.match(await ok(['apply', '-f', '-'], changed), /configured/);
    assert.match(await ok(['get', 'deploy', 'web']), /web +0\/4 +0 +0/);
    assert.match(await ok(['get', 'deploy', 'web', '-o', 'wide']), /example\.com\/c:1 +app=web/);
    assert.equal(await ok(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}']), '4');
    assert.match(await ok(['get', 'deploy', '-o', 'name']), /deployment\.apps\/web/);
    assert.match(await ok(['get', 'deploy', 'web', '-o', 'yaml']), /^kind: Deployment$/m);
    assert.match(await ok(['get', 'deploy', 'web', '-o', 'custom-columns=N:.metadata.name']), /^N\nweb\n$/);
    assert.match(await ok(['describe', 'deploy', 'web']), /^Replicas: +4 desired/m);
    assert.match(await ok(['scale', 'deploy', 'web', '--replicas=1']), /scaled/);
    assert.match(await ok(['label', 'deploy', 'web', 'tier=front']), /labeled/);
    assert.match(await ok(['annotate', 'deploy', 'web', 'note=x']), /annotated/);
    assert.match(await ok(['set', 'image', 'deploy/web', 'c=example.com/c:2']), /image updated/);
    for (const [type, patch] of [
      ['strategic', '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"example.com/c:3"}]}}}}'],
      ['merge', '{"spec":{"replicas":2}}'],
      ['json', '[{"op":"replace","path":"/spec/replicas","value":3}]'],
    ])
      assert.match(await ok(['patch', 'deploy', 'web', '--type', type ?? '', '-p', patch ?? '']), /patched/);
    assert.equal(await ok(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}']), '3');
    assert.match(await ok(['get', 'deploy', '-l', 'tier=front', '-A']), /^default +web/m);
    assert.match(await ok(['rollout', 'restart', 'deploy', 'web']), /restarted/);
  });
  it('edits, waits and replaces', async () => {
    await ok(['create', 'configmap', 'edited', '--from-literal=colour=red']);
    const { code, out, err } = await kubectl(['edit', 'cm', 'edited'], '', { KUBE_EDITOR: 'sed -i s/red/blue/' });
    assert.equal(code, 0, err);
    assert.match(out, /configmap\/edited edited/);
    assert.equal(await ok(['get', 'cm', 'edited', '-o', 'jsonpath={.data.colour}']), 'blue');
    await ok(['wait', '--for=jsonpath={.data.colour}=blue', 'cm/edited', '--timeout=10s']);
    const yaml = await ok(['get', 'cm', 'edited', '-o', 'yaml']);
    assert.match(await ok(['replace', '-f', '-'], yaml.replace('blue', 'green')), /replaced/);
    const stale = await kubectl(['replace', '-f', '-'], yaml.replace('blue', 'black'));
    assert.match(stale.err, /the object has been modified/);
    const deleted = ok(['wait', '--for=delete', 'cm/edited', '--timeout=20s']);
    await ok(['delete', 'cm', 'edited']);
    await deleted;
  });
  it('applies on the server, and is told of conflicts', async () => {
    const map = (value: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {k: "${value}"}\n`;
    await ok(['apply', '--server-side', '--field-manager=one', '-f', '-'], map('1'));
    const { code, err } = await kubectl(['apply', '--server-side', '--field-manager=two', '-f', '-'], map('2'));
    assert.equal(code, 1);
    assert.match(err, /conflict with "one": \.data\.k/);
    await ok(['apply', '--server-side', '--field-manager=two', '--force-conflicts', '-f', '-'], map('2'));
    assert.equal(await ok(['get', 'cm', 'shared', '-o', 'jsonpath={.data.k}']), '2');
  });
  it('validates on the client and explains', async () => {
    const { code, err } = await kubectl(
      ['apply', '-f', '-'],
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndatum: {}\n',
    );
    assert.equal(code, 1);
    assert.match(err, /unknown field "datum"/);
    assert.match(await ok(['explain', 'deployment.spec.replicas']), /FIELD: replicas <integer>/);
  });
  it('asks what it may', async () => {
    assert.equal((await ok(['auth', 'can-i', 'create', 'pods'])).trim(), 'yes');
    const { out } = await kubectl(['auth', 'can-i', 'create', 'pods', '--as', 'stranger']);
    assert.equal(out.trim(), 'no');
    assert.match(await ok(['auth', 'whoami']), /system:masters/);
    assert.match(await ok(['create', 'token', 'default']), /^ey[\w-]+\.[\w-]+\.[\w-]+$/m);
  });
  it('uses custom resources', async () => {
    await ok(['apply', '-f', '-'], definition);
    await ok(['wait', '--for=condition=established', 'crd/widgets.example.com', '--timeout=20s']);
    assert.match(await ok(['apply', '-f', '-'], widget), /widget\.example\.com\/w created/);
    assert.match(await ok(['get', 'wd']), /^NAME +COLOR\nw +red\n$/);
    assert.match(await ok(['explain', 'widget.spec']), /The colour it has/);
    await ok(['delete', 'crd', 'widgets.example.com', '--timeout=20s']);
  });
  it('deletes with each cascade', async () => {
    for (const cascade of ['background', 'orphan', 'foreground']) {
      await ok(['create', 'configmap', `cm-${cascade}`]);
      assert.match(await ok(['delete', 'cm', `cm-${cascade}`, `--cascade=${cascade}`, '--wait=false']), /deleted/);
    }
    assert.equal((await kubectl(['get', 'cm', 'cm-background'])).code, 1);
    const left = await ok([
      'get',
      'cm',
      'cm-orphan',
      'cm-foreground',
      '-o',
      'jsonpath={.items[*].metadata.finalizers[*]}',
    ]);
    assert.equal(left, 'orphan foregroundDeletion');
  });
});
