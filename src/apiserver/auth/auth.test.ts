import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from '../../api/object.ts';
import type { ApiRequest, Peer, UserInfo } from '../../api/transport.ts';
import { ApiError, isForbidden, isUnauthorized } from '../../base/errors.ts';
import { seededRandom } from '../../base/random.ts';
import { virtualClock } from '../../base/virtual-clock.ts';
import { fakeCluster } from '../admission/testing/fake-cluster.ts';
import { ensureAuthenticationInfo } from './authentication-info.ts';
import { staticTokenAuthenticator } from './authenticators/basic.ts';
import { sameSecret } from './authenticators/token.ts';
import type { Authorizer } from './contract.ts';
import {
  createAuthentication,
  createAuthorization,
  createToken,
  createTokenSigner,
  impersonate,
  reviewToken,
} from './index.ts';
import { clusterBinding, clusterRole, rule, user } from './rbac/bootstrap/build.ts';
import { reconcileDefaultPolicy } from './rbac/bootstrap/reconcile.ts';
import { reviewLocalSubjectAccess, reviewOwnAccess, reviewOwnRules, reviewSubjectAccess } from './reviews.ts';

const start = Date.UTC(2026, 0, 1);
const audience = 'https://kubernetes.default.svc.cluster.local';

function request(headers: Record<string, string> = {}, peer: Peer = {}, path = '/api/v1/pods'): ApiRequest {
  return { method: 'GET', path, query: new URLSearchParams(), headers, peer, signal: new AbortController().signal };
}

function keys(type: 'ec' | 'rsa' = 'ec') {
  const pair =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    private: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    public: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

const secret = (name: string, type: string, data: Record<string, string>) => ({
  metadata: { name, namespace: 'kube-system' },
  type,
  data: Object.fromEntries(Object.entries(data).map(([k, v]) => [k, btoa(v)])),
});

async function setUp(type: 'ec' | 'rsa' = 'ec') {
  const clock = virtualClock(start);
  const cluster = fakeCluster();
  const pair = keys(type);
  const signer = await createTokenSigner(pair.private, [pair.public]);
  cluster.add('v1/serviceaccounts', { metadata: { name: 'robot', namespace: 'ns', uid: 'sa-1' } });
  cluster.add('v1/pods', {
    metadata: { name: 'p', namespace: 'ns', uid: 'pod-1' },
    spec: { serviceAccountName: 'robot', nodeName: 'n1', containers: [] },
  } as never);
  cluster.add('v1/nodes', { metadata: { name: 'n1', uid: 'node-1' } });
  const authentication = createAuthentication({
    clock,
    client: cluster.client,
    signer,
    issuers: [audience],
    audiences: [audience],
    staticTokens: 'letmein,alice,7,"dev,ops"\n',
    frontProxyNames: ['front-proxy-client'],
  });
  const options = { ...authentication.serviceAccounts, random: seededRandom(1) };
  const account = await cluster.client.resource('v1/serviceaccounts', 'ns').get('robot');
  return { clock, cluster, authentication, options, account, signer };
}

describe('authentication', () => {
  it('takes each kind of credential, in upstream’s order', async () => {
    const { authentication, cluster } = await setUp();
    cluster.add(
      'v1/secrets',
      secret('bootstrap-token-abcdef', 'bootstrap.kubernetes.io/token', {
        'token-id': 'abcdef',
        'token-secret': '0123456789abcdef',
        'usage-bootstrap-authentication': 'true',
        'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
      }),
    );
    const certificate = { commonName: 'bob', organizations: ['dev'] };
    const proxy = { commonName: 'front-proxy-client', organizations: [], authority: 'front-proxy' as const };
    const cases: [string, ApiRequest, string | undefined, string[]][] = [
      ['certificate', request({}, { certificate }), 'bob', ['dev', 'system:authenticated']],
      ['static token', request({ authorization: 'Bearer letmein' }), 'alice', ['dev', 'ops', 'system:authenticated']],
      [
        'scheme in any case',
        request({ authorization: 'bearer letmein' }),
        'alice',
        ['dev', 'ops', 'system:authenticated'],
      ],
      [
        'bootstrap token',
        request({ authorization: 'Bearer abcdef.0123456789abcdef' }),
        'system:bootstrap:abcdef',
        ['system:bootstrappers', 'system:bootstrappers:kubeadm:default-node-token', 'system:authenticated'],
      ],
      ['wrong bootstrap secret', request({ authorization: 'Bearer abcdef.0123456789abcdeX' }), undefined, []],
      [
        'front proxy',
        request({ 'x-remote-user': 'carol', 'x-remote-group': 'g1, g2' }, { certificate: proxy }),
        'carol',
        ['g1', 'g2', 'system:authenticated'],
      ],
      [
        'front proxy with another name',
        request({ 'x-remote-user': 'carol' }, { certificate: { ...proxy, commonName: 'x' } }),
        undefined,
        [],
      ],
      ['proxy headers of a stranger', request({ 'x-remote-user': 'carol' }), undefined, []],
      [
        'proxy headers of a client',
        request({ 'x-remote-user': 'carol' }, { certificate }),
        'bob',
        ['dev', 'system:authenticated'],
      ],
      [
        'bad token beside a certificate',
        request({ authorization: 'Bearer no' }, { certificate }),
        'bob',
        ['dev', 'system:authenticated'],
      ],
      ['nothing', request(), undefined, []],
      ['nothing, health', request({}, {}, '/readyz'), 'system:anonymous', ['system:unauthenticated']],
      ['bad token, health', request({ authorization: 'Bearer no' }, {}, '/readyz'), undefined, []],
      [
        'WebSocket protocol',
        request({
          'sec-websocket-protocol': `base64url.bearer.authorization.k8s.io.${btoa('letmein').replace(/=/g, '')}, v5.channel.k8s.io`,
        }),
        'alice',
        ['dev', 'ops', 'system:authenticated'],
      ],
      [
        'in-process',
        request({}, { user: { name: 'loop', groups: ['system:masters'] } }),
        'loop',
        ['system:masters', 'system:authenticated'],
      ],
    ];
    for (const [title, given, name, groups] of cases) {
      const result = await Promise.try(() => authentication.authenticate(given)).catch(e => {
        assert.ok(isUnauthorized(e), title);
        return undefined;
      });
      assert.deepEqual([result?.name, result?.groups ?? []], [name, groups], title);
    }
  });

  it('passes on UID and extra of a front proxy', async () => {
    const { authentication } = await setUp();
    const certificate = { commonName: 'front-proxy-client', organizations: [], authority: 'front-proxy' as const };
    const headers = { 'x-remote-user': 'c', 'x-remote-uid': '9', 'x-remote-extra-acme.com%2fproject': 'p' };
    const found = await authentication.authenticate(request(headers, { certificate }));
    assert.deepEqual(found, {
      name: 'c',
      uid: '9',
      groups: ['system:authenticated'],
      extra: { 'acme.com/project': ['p'] },
    });
  });

  it('refuses a token file with a line that lacks a user', () => {
    assert.throws(() => staticTokenAuthenticator('a,b,c\nonly'), /line 2/);
  });

  it('compares secrets as strings do', () => {
    for (const [a, b] of [
      ['', ''],
      ['a', 'a'],
      ['a', 'b'],
      ['ab', 'a'],
      ['', 'a'],
      ['aa', 'a'],
    ] as const)
      assert.equal(sameSecret(a, b), a === b);
  });
});

describe('service-account tokens', () => {
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'pod-1' };
  for (const type of ['ec', 'rsa'] as const)
    it(`are issued and accepted with ${type} keys`, async () => {
      const { authentication, options, account } = await setUp(type);
      const made = await createToken(
        account,
        { spec: { audiences: [], boundObjectRef, expirationSeconds: 600 } },
        options,
      );
      assert.equal(made.status?.expirationTimestamp, '2026-01-01T00:10:00Z');
      const found = await authentication.authenticate(request({ authorization: `Bearer ${made.status?.token}` }));
      assert.equal(found.name, 'system:serviceaccount:ns:robot');
      assert.deepEqual(found.groups, ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated']);
      assert.equal(found.uid, 'sa-1');
      const { 'authentication.kubernetes.io/credential-id': id, ...extra } = found.extra ?? {};
      assert.match(id?.[0] ?? '', /^JTI=[0-9a-f-]{36}$/);
      assert.deepEqual(extra, {
        'authentication.kubernetes.io/pod-name': ['p'],
        'authentication.kubernetes.io/pod-uid': ['pod-1'],
        'authentication.kubernetes.io/node-name': ['n1'],
        'authentication.kubernetes.io/node-uid': ['node-1'],
      });
    });

  it('die with time, their pod, their account, and changed keys', async () => {
    const deaths: [string, (s: Awaited<ReturnType<typeof setUp>>) => unknown][] = [
      ['time', s => s.clock.advance(601_000)],
      ['pod', s => s.cluster.remove('v1/pods', 'ns/p')],
      ['account', s => s.cluster.remove('v1/serviceaccounts', 'ns/robot')],
      [
        'another account of the name',
        s => s.cluster.add('v1/serviceaccounts', { metadata: { name: 'robot', namespace: 'ns', uid: 'sa-2' } }),
      ],
    ];
    for (const [title, kill] of deaths) {
      const s = await setUp();
      const made = await createToken(
        s.account,
        { spec: { audiences: [], boundObjectRef, expirationSeconds: 600 } },
        s.options,
      );
      const authorization = `Bearer ${made.status?.token}`;
      await s.authentication.authenticate(request({ authorization }));
      await kill(s);
      await s.clock.advance(10_001);
      await assert.rejects(
        async () => s.authentication.authenticate(request({ authorization })),
        isUnauthorized,
        title,
      );
    }
    const [a, b] = [await setUp(), await setUp()];
    const foreign = await createToken(b.account, { spec: { audiences: [] } }, b.options);
    await assert.rejects(
      async () => a.authentication.authenticate(request({ authorization: `Bearer ${foreign.status?.token}` })),
      isUnauthorized,
    );
  });

  it('are good only for their audiences', async () => {
    const s = await setUp();
    const made = await createToken(s.account, { spec: { audiences: ['vault'] } }, s.options);
    const token = made.status?.token ?? '';
    await assert.rejects(
      async () => s.authentication.authenticate(request({ authorization: `Bearer ${token}` })),
      isUnauthorized,
    );
    const ask = (audiences?: string[]) =>
      reviewToken(
        { metadata: { name: '' }, spec: { token, ...(audiences && { audiences }) } },
        s.authentication.tokens,
        [audience],
      );
    const good = await ask(['vault', 'other']);
    assert.equal(good.status?.authenticated, true);
    assert.deepEqual(good.status?.audiences, ['vault']);
    assert.equal(good.status?.user?.username, 'system:serviceaccount:ns:robot');
    const bad = await ask();
    assert.match(bad.status?.error ?? '', /audiences/);
    assert.notEqual(bad.status?.authenticated, true);
  });

  it('live longer than asked when a kubelet asks for pods of old clients', async () => {
    const s = await setUp();
    const made = await createToken(
      s.account,
      { spec: { audiences: [], boundObjectRef, expirationSeconds: 3607 } },
      s.options,
    );
    assert.equal(made.status?.expirationTimestamp, '2026-01-01T01:00:07Z');
    await s.clock.advance(2 * 3_600_000);
    await s.authentication.authenticate(request({ authorization: `Bearer ${made.status?.token}` }));
  });

  it('of secrets are accepted while the secret holds them', async () => {
    const s = await setUp();
    const token = await s.signer.sign({
      iss: 'kubernetes/serviceaccount',
      sub: 'system:serviceaccount:ns:robot',
      'kubernetes.io/serviceaccount/namespace': 'ns',
      'kubernetes.io/serviceaccount/secret.name': 'robot-token',
      'kubernetes.io/serviceaccount/service-account.name': 'robot',
      'kubernetes.io/serviceaccount/service-account.uid': 'sa-1',
    });
    const headers = { authorization: `Bearer ${token}` };
    await assert.rejects(async () => s.authentication.authenticate(request(headers)), isUnauthorized);
    const held = secret('robot-token', 'kubernetes.io/service-account-token', { token });
    s.cluster.add('v1/secrets', { ...held, metadata: { name: 'robot-token', namespace: 'ns' } });
    assert.equal((await s.authentication.authenticate(request(headers))).name, 'system:serviceaccount:ns:robot');
  });

  it('that are garbage are refused, whatever they claim', async () => {
    const s = await setUp();
    const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = fc.oneof(
      fc.jsonValue(),
      fc.record({
        iss: fc.constantFrom(audience, 'kubernetes/serviceaccount', 'x'),
        aud: fc.jsonValue(),
        'kubernetes.io': fc.jsonValue(),
      }),
    );
    const header = fc.oneof(fc.constantFrom({ alg: 'none' }, { alg: 'HS256' }, { alg: 'ES256' }), fc.jsonValue());
    const token = fc.oneof(
      fc.string(),
      fc
        .tuple(header, claims, fc.constantFrom('', 'AA', 'x'.repeat(86)))
        .map(([h, c, signature]) => `${base64(h)}.${base64(c)}.${signature}`),
    );
    await fc.assert(
      fc.asyncProperty(token, async text => {
        if (text === 'letmein') return;
        const result = await s.authentication.tokens.authenticateToken(text, [audience]).catch(e => {
          assert.ok(e instanceof Error && !(e instanceof TypeError), String(e));
          return undefined;
        });
        assert.equal(result, undefined);
      }),
      { numRuns: 500 },
    );
  });

  it('are refused for bad requests', async () => {
    const s = await setUp();
    s.cluster.add('v1/pods', {
      metadata: { name: 'q', namespace: 'ns' },
      spec: { serviceAccountName: 'other' },
    } as never);
    const cases: [object, number, RegExp][] = [
      [
        { expirationSeconds: 599 },
        422,
        /spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes/,
      ],
      [{ expirationSeconds: 2 ** 32 + 1 }, 422, /may not specify a duration larger than 2\^32 seconds/],
      [{ boundObjectRef: { ...boundObjectRef, name: 'q', uid: '' } }, 400, /different serviceaccount name/],
      [{ boundObjectRef: { ...boundObjectRef, uid: 'x' } }, 409, /the UID in the bound object reference \(x\)/],
      [{ boundObjectRef: { ...boundObjectRef, name: 'none' } }, 404, /pods "none" not found/],
      [
        { boundObjectRef: { apiVersion: 'v1', kind: 'ConfigMap', name: 'c' } },
        400,
        /cannot bind token to object of type/,
      ],
    ];
    for (const [spec, code, message] of cases)
      await assert.rejects(createToken(s.account, { spec: { audiences: [], ...spec } }, s.options), (e: unknown) => {
        assert.ok(e instanceof ApiError && e.code === code, String(e));
        return message.test(e.message);
      });
  });
});

const boss: UserInfo = { name: 'boss', groups: ['system:masters'] };
function rbac() {
  const cluster = fakeCluster();
  const authorization = createAuthorization(cluster.informers);
  return { cluster, ...authorization };
}

describe('impersonation', () => {
  async function attempt(headers: Record<string, string>, rules = [rule('impersonate', 'core', 'users', 'bob')]) {
    const { cluster, authorizer } = rbac();
    cluster.add('rbac.authorization.k8s.io/v1/clusterroles', clusterRole('imp', rules));
    cluster.add('rbac.authorization.k8s.io/v1/clusterrolebindings', clusterBinding('imp', user('jane')));
    return impersonate(request(headers), { name: 'jane', groups: [] }, authorizer);
  }
  it('needs the verb on each thing', async () => {
    assert.equal(await attempt({}), undefined);
    assert.deepEqual(await attempt({ 'impersonate-user': 'bob' }), { name: 'bob', groups: ['system:authenticated'] });
    await assert.rejects(attempt({ 'impersonate-user': 'eve' }), (e: unknown) => {
      assert.ok(isForbidden(e));
      return (
        e.message ===
        'users "eve" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope'
      );
    });
    await assert.rejects(attempt({ 'impersonate-user': 'bob', 'impersonate-group': 'system:masters' }), isForbidden);
    await assert.rejects(attempt({ 'impersonate-user': 'bob', 'impersonate-uid': '1' }), isForbidden);
    await assert.rejects(
      attempt({ 'impersonate-group': 'dev' }),
      (e: unknown) => e instanceof ApiError && e.code === 500,
    );
  });
  it('brings the groups of a service account, and what was asked for', async () => {
    const all = [rule('impersonate', 'core authentication.k8s.io', 'users groups serviceaccounts uids userextras/k')];
    assert.deepEqual(await attempt({ 'impersonate-user': 'system:serviceaccount:ns:r' }, all), {
      name: 'system:serviceaccount:ns:r',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
    });
    assert.deepEqual(
      await attempt(
        { 'impersonate-user': 'bob', 'impersonate-group': 'a, b', 'impersonate-uid': '3', 'impersonate-extra-k': 'v' },
        all,
      ),
      { name: 'bob', groups: ['a', 'b', 'system:authenticated'], uid: '3', extra: { k: ['v'] } },
    );
    assert.deepEqual(await attempt({ 'impersonate-user': 'system:anonymous' }, all), {
      name: 'system:anonymous',
      groups: ['system:unauthenticated'],
    });
  });
});

describe('access reviews', () => {
  it('answer for others and for oneself', async () => {
    const { cluster, authorizer, rbac: source } = rbac();
    await reconcileDefaultPolicy(cluster.client);
    const spec = {
      user: 'system:kube-scheduler',
      resourceAttributes: { verb: 'list', resource: 'pods', namespace: 'ns' },
    };
    const metadata = { name: '' };
    assert.equal((await reviewSubjectAccess({ metadata, spec }, authorizer)).status?.allowed, true);
    const local = { metadata: { ...metadata, namespace: 'ns' }, spec };
    assert.equal((await reviewLocalSubjectAccess(local, 'ns', authorizer)).status?.allowed, true);
    await assert.rejects(reviewLocalSubjectAccess(local, 'other', authorizer), /must match namespace/);
    await assert.rejects(
      reviewLocalSubjectAccess({ metadata, spec }, 'ns', authorizer),
      /must match metadata.namespace/,
    );
    const own = await reviewOwnAccess({ metadata, spec }, { name: 'jane', groups: [] }, authorizer);
    assert.deepEqual(own.status, { allowed: false });
    assert.equal((await reviewOwnAccess({ metadata, spec }, boss, authorizer)).status?.allowed, true);
    await assert.rejects(
      reviewSubjectAccess({ metadata, spec: { user: 'x' } }, authorizer),
      /spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified/,
    );
    await assert.rejects(
      reviewSubjectAccess({ metadata, spec: { nonResourceAttributes: { path: '/', verb: 'get' } } }, authorizer),
      /spec.user: Invalid value: "": at least one of user or group must be specified/,
    );
    const rules = reviewOwnRules({ metadata, spec: { namespace: 'ns' } }, boss, source);
    assert.deepEqual(rules.status?.resourceRules, [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]);
    assert.equal(rules.status?.incomplete, false);
    const node = { name: 'system:node:n', groups: ['system:nodes'] };
    const { status } = reviewOwnRules({ metadata, spec: { namespace: 'ns' } }, node, source);
    assert.equal(status?.incomplete, true);
    assert.equal(status?.evaluationError, 'node authorizer does not support user rule resolution');
  });

  it('report a failing authorizer instead of failing', async () => {
    const broken: Authorizer = { name: 'b', authorize: async () => Promise.reject(new Error('down')) };
    const spec = { user: 'x', nonResourceAttributes: { path: '/x', verb: 'get' } };
    const { status } = await reviewSubjectAccess({ metadata: { name: '' }, spec }, broken);
    assert.deepEqual(status, { allowed: false, evaluationError: 'down' });
  });
});

describe('authentication info for extension servers', () => {
  const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
  it('is written once, and joins what several servers trust', async () => {
    const cluster = fakeCluster();
    const info = { clientCa: pem('a'), frontProxyCa: pem('f'), frontProxyNames: ['front-proxy-client'] };
    await ensureAuthenticationInfo(cluster.client, info);
    await ensureAuthenticationInfo(cluster.client, info);
    assert.equal(cluster.writes.length, 1);
    await ensureAuthenticationInfo(cluster.client, { ...info, clientCa: pem('b'), frontProxyNames: ['other'] });
    const map = cluster.get<KubeObject & { data: Record<string, string> }>(
      'v1/configmaps',
      'kube-system/extension-apiserver-authentication',
    );
    assert.equal(map?.data['client-ca-file'], pem('a') + pem('b'));
    assert.equal(map?.data['requestheader-allowed-names'], '["front-proxy-client","other"]');
    assert.equal(map?.data['requestheader-username-headers'], '["X-Remote-User"]');
  });
});

describe('the default policy in a cluster', () => {
  it('is written once, repaired, and left alone where asked', async () => {
    const cluster = fakeCluster();
    await reconcileDefaultPolicy(cluster.client);
    const first = cluster.writes.length;
    await reconcileDefaultPolicy(cluster.client);
    assert.equal(cluster.writes.length, first);
    const roles = cluster.client.resource('rbac.authorization.k8s.io/v1/clusterroles');
    await roles.update({ ...(await roles.get('system:discovery')), rules: [] });
    const kept = await roles.get('system:node');
    await roles.update({
      ...kept,
      rules: [],
      metadata: { ...kept.metadata, annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
    });
    await reconcileDefaultPolicy(cluster.client);
    assert.equal((await roles.get('system:discovery')).rules?.length, 1);
    assert.equal((await roles.get('system:node')).rules?.length, 0);
  });
});
