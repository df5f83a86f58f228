import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transport } from '../api/transport.ts';
import { inProcessTransport } from '../client/index.ts';
import { createCluster, virtualClock } from '../testing/index.ts';
import { createAccountClients } from './accounts.ts';

async function setUp() {
  const clock = virtualClock();
  const starting = createCluster({ clock, nodes: 0, controllers: [], scheduler: false });
  await clock.advance(1_000);
  const cluster = await starting;
  const tokens: string[] = [];
  const inner = inProcessTransport(cluster.server.handle);
  const transport: Transport = {
    request(request) {
      tokens.push(request.headers['authorization'] ?? '');
      return inner.request(request);
    },
    close: () => inner.close(),
  };
  const clientFor = createAccountClients({ client: cluster.client, transport, clock, userAgent: 'manager' });
  return { clock, cluster, tokens, clientFor };
}

test('an account is made when it is needed, and has the rights of its name', async () => {
  const { clock, cluster, tokens, clientFor } = await setUp();
  const accounts = async () =>
    (await cluster.client.serviceaccounts('kube-system').list()).items.map(a => a.metadata.name);
  const client = clientFor('ttl-controller');
  assert.deepEqual(await accounts(), []);
  const reviews = await Promise.all(
    [1, 2].map(() =>
      client.request<{ status: { userInfo: { username: string } } }>(
        'POST',
        '/apis/authentication.k8s.io/v1/selfsubjectreviews',
        { body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' } },
      ),
    ),
  );
  const name = 'system:serviceaccount:kube-system:ttl-controller';
  assert.deepEqual(
    reviews.map(r => r.status.userInfo.username),
    [name, name],
  );
  assert.deepEqual(await accounts(), ['ttl-controller']);
  assert.equal(new Set(tokens).size, 1);
  await client.nodes().list();
  await assert.rejects(
    client.secrets('kube-system').list(),
    new RegExp(`User "${name}" cannot list resource "secrets"`),
  );
  const closing = cluster.close();
  await clock.advance(10_000);
  await closing;
});

test('a token is replaced before its hour is over, and when the account was made anew', async () => {
  const { clock, cluster, tokens, clientFor } = await setUp();
  const client = clientFor('ttl-controller');
  const look = async () => {
    await client.nodes().list();
    return new Set(tokens).size;
  };
  assert.equal(await look(), 1);
  await clock.advance(45 * 60_000);
  assert.equal(await look(), 1);
  await clock.advance(4 * 60_000);
  assert.equal(await look(), 2);
  await cluster.client.serviceaccounts('kube-system').delete('ttl-controller');
  await clock.advance(60_000);
  assert.equal(await look(), 3);
  const closing = cluster.close();
  await clock.advance(10_000);
  await closing;
});
