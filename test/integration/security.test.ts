/** Authentication, authorization and admission as clients meet them, over the whole API server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubeObject } from '../../src/api/object.ts';
import type { Peer, UserInfo } from '../../src/api/transport.ts';
import { admissionPlugins } from '../../src/apiserver/admission/index.ts';
import { createTokenSigner } from '../../src/apiserver/auth/index.ts';
import { type ApiServer, createApiServer } from '../../src/apiserver/index.ts';
import { strategies } from '../../src/apiserver/registry/index.ts';
import { createSecurity } from '../../src/apiserver/security.ts';
import { systemClock } from '../../src/base/clock.ts';
import { messageOf } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { Client, ResourceClient, ResourceName } from '../../src/client/contract.ts';
import { createClient, inProcessTransport } from '../../src/client/index.ts';
import { newKey, publicKeyOf } from '../../src/pki/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';

let server: ApiServer;
const issuer = 'https://kubernetes.default.svc.cluster.local';
const as = (user: string | UserInfo): Client =>
  createClient(inProcessTransport(server.handle, typeof user === 'string' ? { name: user, groups: [] } : user));
const kubelet = { name: 'system:node:n1', groups: ['system:nodes'] };
const admin = () => as({ name: 'admin', groups: ['system:masters'] });

before(async () => {
  const key = newKey();
  const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
  const signer = await createTokenSigner(key, [publicKeyOf(key)]);
  const security = createSecurity({ signer, issuers: [issuer], audiences: [issuer], admission: admissionPlugins });
  server = createApiServer({ ...environment, store: createMemoryStore({ clock: systemClock }), strategies, security });
  await server.start();
  await make('v1/namespaces', '', { metadata: { name: 'ns' }, spec: {} });
  await make('v1/serviceaccounts', 'ns', { metadata: { name: 'default' } });
});
after(() => server.close());

const at = (client: Client, resource: ResourceName, namespace: string): ResourceClient<KubeObject> =>
  client.resource(resource, namespace || undefined) as unknown as ResourceClient<KubeObject>;
const make = (resource: ResourceName, namespace: string, object: object, client = admin()) =>
  at(client, resource, namespace).create(object as KubeObject);
const pod = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});

/** What the API server's own caches know comes a little after the write: asks again until the answer is the expected one. */
async function eventually(ask: () => Promise<unknown>, expected: RegExp | ''): Promise<void> {
  let got = '';
  for (let left = 2000; left > 0; left--) {
    got = await ask().then(
      () => '',
      e => messageOf(e),
    );
    if (expected === '' ? got === '' : expected.test(got)) return;
    await new Promise(resolve => setImmediate(resolve));
  }
  assert.fail(`expected ${expected || 'success'}, got ${got || 'success'}`);
}

async function raw(path: string, headers: Record<string, string> = {}, peer: Peer = {}): Promise<number> {
  const signal = new AbortController().signal;
  const response = await server.handle({ method: 'GET', path, query: new URLSearchParams(), headers, peer, signal });
  return response.status;
}

describe('strangers', () => {
  it('see the health paths and nothing else', async () => {
    assert.deepEqual(await Promise.all(['/livez', '/readyz', '/healthz'].map(p => raw(p))), [200, 200, 200]);
    assert.deepEqual(await Promise.all(['/api', '/version', '/api/v1/pods'].map(p => raw(p))), [401, 401, 401]);
    assert.equal(await raw('/readyz', { authorization: 'Bearer nonsense' }), 401);
  });
  it('become somebody by certificate', async () => {
    const certificate = { commonName: 'jane', organizations: [] };
    assert.deepEqual(
      [await raw('/api', {}, { certificate }), await raw('/api/v1/pods', {}, { certificate })],
      [200, 403],
    );
  });
});

describe('roles', () => {
  const rbac = 'rbac.authorization.k8s.io/v1';
  it('grant what they say where they say it', async () => {
    const list = (user: string, namespace: string) => () => at(as(user), 'v1/pods', namespace).list();
    await eventually(
      list('jane', 'ns'),
      /^pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "ns"$/,
    );
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:aggregate-to-view' };
    await make(`${rbac}/rolebindings`, 'ns', { metadata: { name: 'view' }, roleRef, subjects });
    await eventually(list('jane', 'ns'), '');
    await eventually(list('jane', 'default'), /cannot list/);
    await eventually(list('jane', ''), /at the cluster scope/);
  });
  it('cannot be used to gain more', async () => {
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:aggregate-to-admin' };
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'mallory' }];
    await make(`${rbac}/rolebindings`, 'ns', { metadata: { name: 'admin' }, roleRef, subjects });
    const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }];
    const role = () => make(`${rbac}/roles`, 'ns', { metadata: { name: 'more' }, rules }, as('mallory'));
    await eventually(
      role,
      /^roles\.rbac\.authorization\.k8s\.io "more" is forbidden: user "mallory" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["secrets"\], Verbs:\["get"\]\}$/,
    );
    const cluster = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
    const binding = () =>
      make(`${rbac}/rolebindings`, 'ns', { metadata: { name: 'all' }, roleRef: cluster, subjects }, as('mallory'));
    await eventually(binding, /attempting to grant RBAC permissions not currently held/);
  });
});

describe('tokens', () => {
  it('are issued, accepted and reviewed', async () => {
    await make('v1/serviceaccounts', 'ns', { metadata: { name: 'robot' } });
    const issued = await admin().request<{ status: { token: string } }>(
      'POST',
      '/api/v1/namespaces/ns/serviceaccounts/robot/token',
      {
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } },
      },
    );
    const { token } = issued.status;
    const authorization = `Bearer ${token}`;
    assert.deepEqual(
      [await raw('/api', { authorization }), await raw('/api/v1/secrets', { authorization })],
      [200, 403],
    );
    const review = () =>
      admin().request<{ status: { authenticated?: boolean; user?: { username: string } } }>(
        'POST',
        '/apis/authentication.k8s.io/v1/tokenreviews',
        {
          body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
        },
      );
    assert.equal((await review()).status.user?.username, 'system:serviceaccount:ns:robot');
    assert.equal(await raw('/openid/v1/jwks', { authorization }), 200);
  });
  it('are for the account that is meant', async () => {
    const { metadata } = await make('v1/serviceaccounts', 'ns', { metadata: { name: 'meant' } });
    const ask = (meta: object, spec: object = {}) =>
      admin().request<{ metadata: object }>('POST', '/api/v1/namespaces/ns/serviceaccounts/meant/token', {
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: meta, spec },
      });
    const kind = 'TokenRequest.authentication.k8s.io';
    const refusals: [metadata: object, spec: object, message: string][] = [
      [
        { name: 'other' },
        {},
        `${kind} "meant" is invalid: metadata.name: Invalid value: "other": must match the service account name if specified`,
      ],
      [
        { namespace: 'other' },
        {},
        'the namespace of the provided object does not match the namespace sent on the request',
      ],
      [
        { uid: 'other' },
        {},
        `Operation cannot be fulfilled on ${kind} "meant": the UID in the token request (other) does not match the UID of the service account (${metadata.uid})`,
      ],
      [
        {},
        { expirationSeconds: 599 },
        `${kind} "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes`,
      ],
      [
        {},
        { boundObjectRef: { apiVersion: 'apps/v1', kind: 'Pod', name: 'p' } },
        'cannot bind token to object of type apps/v1, Kind=Pod',
      ],
    ];
    for (const [meta, spec, message] of refusals) await assert.rejects(ask(meta, spec), { message });
    const issued = (await ask({ uid: metadata.uid })).metadata as Record<string, unknown>;
    assert.deepEqual([issued['name'], issued['namespace'], issued['uid']], ['meant', 'ns', metadata.uid]);
  });
});

describe('access reviews', () => {
  it('have no metadata', async () => {
    const review = (metadata: object) =>
      admin().request<{ status: { allowed: boolean } }>(
        'POST',
        '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        {
          body: {
            apiVersion: 'authorization.k8s.io/v1',
            kind: 'SelfSubjectAccessReview',
            metadata,
            spec: { resourceAttributes: { verb: 'get', resource: 'pods' } },
          },
        },
      );
    assert.equal((await review({ creationTimestamp: null })).status.allowed, true);
    await assert.rejects(review({ name: 'a' }), /metadata: Invalid value: \{"name":"a"\}: must be empty$/);
  });
});

describe('admission', () => {
  it('holds pods to the level of their namespace', async () => {
    const labels = { 'pod-security.kubernetes.io/enforce': 'baseline' };
    await make('v1/namespaces', '', { metadata: { name: 'strict', labels }, spec: {} });
    await make('v1/serviceaccounts', 'strict', { metadata: { name: 'default' } });
    const message = 'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)';
    await assert.rejects(make('v1/pods', 'strict', pod('p', { hostPID: true })), { message });
    await make('v1/pods', 'strict', pod('p'));
  });
  it('keeps a namespace within its quota', async () => {
    const quotas = at(admin(), 'v1/resourcequotas', 'ns');
    const quota = await quotas.create({ metadata: { name: 'q' }, spec: { hard: { 'count/secrets': '1' } } } as never);
    await quotas.updateStatus({
      ...quota,
      status: { hard: { 'count/secrets': '1' }, used: { 'count/secrets': '0' } },
    } as never);
    const secret = (name: string) => make('v1/secrets', 'ns', { metadata: { name } });
    await eventually(async () => {
      const { status } = (await quotas.get('q')) as unknown as { status: { used: Record<string, string> } };
      if (status.used['count/secrets'] === '1') return;
      await secret(`s${systemRandom.int(1e9)}`);
      throw new Error('not charged yet');
    }, '');
    await assert.rejects(
      secret('more'),
      /exceeded quota: q, requested: count\/secrets=1, used: count\/secrets=1, limited: count\/secrets=1/,
    );
  });
  it('lets exactly as many in at once as there is room for', async () => {
    const quotas = at(admin(), 'v1/resourcequotas', 'ns');
    const hard = { 'count/configmaps': '20' };
    const quota = await quotas.create({ metadata: { name: 'crowd' }, spec: { hard } } as never);
    await quotas.updateStatus({ ...quota, status: { hard, used: { 'count/configmaps': '0' } } } as never);
    const used = async () => {
      const { status } = (await quotas.get('crowd')) as unknown as { status: { used: Record<string, string> } };
      return Number(status.used['count/configmaps']);
    };
    const map = (name: string) => make('v1/configmaps', 'ns', { metadata: { name } });
    await eventually(async () => {
      if ((await used()) > 0) return;
      await map(`probe${systemRandom.int(1e9)}`);
      throw new Error('not charged yet');
    }, '');
    const room = 20 - (await used());
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => map(`crowd${i}`)));
    assert.equal(outcomes.filter(o => o.status === 'fulfilled').length, room);
    assert.equal(await used(), 20);
  });
  it('protects what must stay', async () => {
    const kill = at(admin(), 'v1/namespaces', '').delete('kube-system');
    await assert.rejects(kill, { message: 'namespaces "kube-system" is forbidden: this namespace may not be deleted' });
  });
});

describe('a kubelet', () => {
  it('keeps to its node and to what its pods need', async () => {
    const me = as(kubelet);
    await make('v1/nodes', '', { metadata: { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1' } }, spec: {} }, me);
    await assert.rejects(
      make('v1/nodes', '', { metadata: { name: 'n2' }, spec: {} }, me),
      /node "n1" is not allowed to modify node "n2"/,
    );
    await make('v1/namespaces', '', { metadata: { name: 'work' }, spec: {} });
    await make('v1/serviceaccounts', 'work', { metadata: { name: 'default' } });
    await make('v1/secrets', 'work', { metadata: { name: 'mine' } });
    const secret = () => at(me, 'v1/secrets', 'work').get('mine');
    await eventually(secret, /no relationship found between node 'n1' and this object/);
    const volumes = [{ name: 'v', secret: { secretName: 'mine' } }];
    await make('v1/pods', 'work', pod('p', { nodeName: 'n1', volumes }));
    await eventually(secret, '');
    const listed = await me.resource('v1/pods').list({ fieldSelector: 'spec.nodeName=n1' });
    assert.deepEqual(
      listed.items.map(p => p.metadata.name),
      ['p'],
    );
    await assert.rejects(me.resource('v1/pods').list(), /can only list\/watch pods with spec.nodeName field selector/);
  });
});

describe('impersonation', () => {
  it('is for those who may, and ends in the rights of the other', async () => {
    const jane = admin().with({ impersonate: { user: 'nobody' } });
    await assert.rejects(jane.resource('v1/secrets', 'ns').list(), /User "nobody" cannot list resource "secrets"/);
    const message =
      'users "bob" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope';
    await assert.rejects(
      as('jane')
        .with({ impersonate: { user: 'bob' } })
        .resource('v1/pods', 'ns')
        .list(),
      { message },
    );
  });
});
