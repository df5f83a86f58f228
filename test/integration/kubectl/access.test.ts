/** Who may what: can-i, whoami, impersonation, tokens, reconcile, certificates. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { samples } from '../../../src/apiserver/registry/samples.ts';
import { type KubectlServer, startKubectlCluster, whyNoKubectl } from '../../support/kubectl-server.ts';

describe('kubectl, and who may what', { skip: whyNoKubectl(31), concurrency: 3 }, () => {
  let server: KubectlServer;
  const ok: KubectlServer['ok'] = (...args) => server.ok(...args);
  const refused: KubectlServer['refused'] = (...args) => server.refused(...args);
  const canI = async (...args: string[]) => (await server.kubectl(['auth', 'can-i', ...args])).out.trim();
  /** kubectl with a token, and with no other credentials. */
  async function as(token: string) {
    const config = JSON.parse(await ok('config', 'view', '--raw', '-o', 'json'));
    for (const entry of config.users) entry.user = { token };
    const path = join(server.folder, `${randomUUID()}.json`);
    writeFileSync(path, JSON.stringify(config));
    return (...args: string[]) => server.kubectl(args, '', { KUBECONFIG: path });
  }
  before(async () => {
    server = await startKubectlCluster({ nodes: 0 });
    await ok('create', 'role', 'reader', '--verb=get,list', '--resource=pods,pods/log');
    await ok('create', 'rolebinding', 'readers', '--role=reader', '--user=jane', '--serviceaccount=default:robot');
    await ok('create', 'serviceaccount', 'robot');
  });
  after(() => server?.close());

  it('auth can-i', async () => {
    assert.equal(await canI('*', '*'), 'yes');
    assert.equal(await canI('list', 'pods', '--as=jane'), 'yes');
    assert.equal(await canI('list', 'pods', '--as=jane', '-n', 'kube-system'), 'no');
    assert.equal(await canI('get', 'pods', '--subresource=log', '--as=jane'), 'yes');
    assert.equal(await canI('get', '/version', '--as=jane', '--as-group=system:authenticated'), 'yes');
    assert.equal(await canI('delete', 'pods', '--as=x', '--as-group=system:masters'), 'yes');
    assert.match(
      await canI('--list', '--as=system:serviceaccount:default:robot'),
      /^pods +\[\] +\[\] +\[get list\]\n[\s\S]*^ +\[\/healthz\] +\[\] +\[get\]$/m,
    );
  });
  it('auth whoami', async () => {
    const me = await ok('auth', 'whoami');
    assert.match(me, /^Username +kubernetes-admin$/m);
    assert.match(me, /^Groups +\[system:masters system:authenticated\]$/m);
    assert.match(me, /^Extra: authentication\.kubernetes\.io\/credential-id +\[X509SHA256=[\da-f]{64}\]$/m);
    const other = JSON.parse(await ok('auth', 'whoami', '--as=u', '--as-group=g', '--as-uid=7', '-o', 'json'));
    assert.deepEqual(other.status.userInfo, { username: 'u', uid: '7', groups: ['g', 'system:authenticated'] });
  });
  it('as another: what is forbidden says so', async () => {
    assert.match((await server.kubectl(['get', 'pods', '--as=jane'])).err, /No resources found/);
    const cannot = (what: string, where: string) => `User "jane" cannot ${what} in API group "" ${where}`;
    for (const [args, message] of [
      ['get pods -A', `pods is forbidden: ${cannot('list resource "pods"', 'at the cluster scope')}`],
      ['get nodes n', `nodes "n" is forbidden: ${cannot('get resource "nodes"', 'at the cluster scope')}`],
      ['delete pod p', `pods "p" is forbidden: ${cannot('delete resource "pods"', 'in the namespace "default"')}`],
      ['get --raw /metrics', 'forbidden: User "jane" cannot get path "/metrics"'],
    ] as const)
      assert.equal(await refused(...args.split(' '), '--as=jane'), `Error from server (Forbidden): ${message}`);
  });
  it('with the token of a service account', async () => {
    const robot = await as((await ok('create', 'token', 'robot')).trim());
    const me = JSON.parse((await robot('auth', 'whoami', '-o', 'json')).out).status.userInfo;
    assert.equal(me.username, 'system:serviceaccount:default:robot');
    assert.ok(me.groups.includes('system:serviceaccounts:default'));
    assert.equal((await robot('get', 'pods')).code, 0);
    assert.match(
      (await robot('get', 'secrets')).err,
      /\(Forbidden\): secrets is forbidden: User "system:serviceaccount:/,
    );
    assert.match((await robot('get', 'pods', '--as=jane')).err, /users "jane" is forbidden: .* cannot impersonate/);
    const nobody = await as('nonsense');
    assert.equal((await nobody('get', 'pods')).err, 'error: You must be logged in to the server (Unauthorized)\n');
  });
  it('a token ends with what it is bound to', async () => {
    await ok('create', 'secret', 'generic', 'held');
    const bound = (...flags: string[]) => ['create', 'token', 'robot', '--bound-object-kind=Secret', ...flags];
    const holder = await as((await ok(...bound('--bound-object-name=held', '--duration=20m'))).trim());
    await ok('delete', 'secret', 'held');
    assert.match((await holder('get', 'pods')).err, /\(Unauthorized\)/);
    assert.match(await refused(...bound('--bound-object-name=held')), /secrets "held" not found/);
    assert.match(
      await refused('create', 'token', 'robot', '--duration=1s'),
      /spec\.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes/,
    );
    assert.match(await refused('create', 'token', 'none'), /serviceaccounts "none" not found/);
  });
  it('nobody gives what he has not', async () => {
    await ok('wait', '--for=jsonpath={.rules[0].verbs}', 'clusterrole/admin', '--timeout=20s');
    await ok('create', 'serviceaccount', 'chief');
    await ok('create', 'rolebinding', 'chief', '--clusterrole=admin', '--serviceaccount=default:chief');
    const chief = '--as=system:serviceaccount:default:chief';
    assert.match(
      await refused('create', 'role', 'nodes', '--verb=get', '--resource=nodes', chief),
      /is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["nodes"\], Verbs:\["get"\]\}$/,
    );
    await ok('create', 'role', 'pods', '--verb=get', '--resource=pods', chief);
    assert.match(
      await refused('create', 'rolebinding', 'root', '--clusterrole=cluster-admin', '--user=x', chief),
      /not currently held:\n\{APIGroups:\["\*"\], Resources:\["\*"\], Verbs:\["\*"\]\}\n\{NonResourceURLs:\["\*"\], Verbs:\["\*"\]\}$/,
    );
  });
  it('auth reconcile', async () => {
    const role = (...verbs: string[]) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'reconciled', namespace: 'default' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs }],
    });
    const reconcile = async (manifest: object, ...flags: string[]) => {
      const { out, err } = await server.kubectl(['auth', 'reconcile', '-f', '-', ...flags], JSON.stringify(manifest));
      return out + err;
    };
    assert.match(
      await reconcile(role('get')),
      /reconciliation required create\n\tmissing rules added:\n\t\t\{Verbs:\[get\]/,
    );
    assert.match(
      await reconcile(role('get', 'list')),
      /reconciliation required update\n\tmissing rules added:\n\t\t\{Verbs:\[list\]/,
    );
    assert.match(
      await reconcile(role('get'), '--remove-extra-permissions'),
      /extra rules removed:\n\t\t\{Verbs:\[list\]/,
    );
    assert.equal(await reconcile(role('get')), 'role.rbac.authorization.k8s.io/reconciled reconciled\n');
  });
  it('certificate approve and deny', async () => {
    const request = (name: string) => ({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name },
      ...samples['certificates.k8s.io/certificatesigningrequests'],
    });
    for (const name of ['good', 'bad']) await server.given(request(name), 'create', '-f', '-');
    assert.match(await ok('get', 'csr', 'good'), /kubernetes-admin +<none> +Pending$/m);
    assert.match(await ok('describe', 'csr', 'good'), /^ +Common Name: +system:node:a$/m);
    assert.match(await ok('certificate', 'approve', 'good'), /good approved$/m);
    assert.match(await ok('certificate', 'deny', 'bad'), /bad denied$/m);
    assert.match(await refused('certificate', 'approve', 'bad'), /"bad" is already Denied/);
    const conditions = await ok('get', 'csr', '-o', 'jsonpath={.items[*].status.conditions[*].type}');
    assert.equal(conditions, 'Denied Approved');
    assert.match(
      await refused('certificate', 'approve', 'none'),
      /certificatesigningrequests\.certificates\.k8s\.io "none" not found/,
    );
  });
});
