import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { rfc3339 } from '../../base/clock.ts';
import { tokenCleaner } from '../token-cleaner/index.ts';
import { bootstrapSigner, detachedSignature } from './index.ts';

test('a signature is a detached JWS', () => {
  const [header = '', content, signature] = detachedSignature('some text', 'abcdef', 'abcdef.0123456789abcdef').split(
    '.',
  );
  assert.deepEqual(JSON.parse(atob(header)), { alg: 'HS256', kid: 'abcdef' });
  assert.equal(content, '');
  const signed = `${header}.${Buffer.from('some text').toString('base64url')}`;
  assert.equal(signature, createHmac('sha256', 'abcdef.0123456789abcdef').update(signed).digest('base64url'));
});

test('cluster-info is signed by the tokens there are, which go when they expire', async () => {
  const enabled = ['*', 'bootstrap-signer-controller', 'token-cleaner-controller'];
  const world = await createWorld({
    controllers: [bootstrapSigner, tokenCleaner].map(c => ({ ...c, disabledByDefault: false })),
    enabled,
    nodes: false,
  });
  const { client, clock } = world;
  for (const name of ['kube-public', 'kube-system'])
    await client
      .namespaces()
      .create({ metadata: { name }, spec: {} })
      .catch(() => undefined);
  await client
    .configmaps('kube-public')
    .create({ metadata: { name: 'cluster-info' }, data: { kubeconfig: 'some text' } });
  const token = (id: string, more: Record<string, string>) =>
    client.secrets('kube-system').create({
      metadata: { name: `bootstrap-token-${id}` },
      type: 'bootstrap.kubernetes.io/token',
      stringData: { 'token-id': id, 'token-secret': '0123456789abcdef', ...more },
    });
  const expiration = rfc3339(clock.now() + 60_000);
  await token('abcdef', { 'usage-bootstrap-signing': 'true', expiration });
  await token('fedcba', {});
  await clock.advance(1_000);
  const data = async () => (await client.configmaps('kube-public').get('cluster-info')).data;
  assert.deepEqual(await data(), {
    kubeconfig: 'some text',
    'jws-kubeconfig-abcdef': detachedSignature('some text', 'abcdef', 'abcdef.0123456789abcdef'),
  });
  await clock.advance(61_000);
  assert.deepEqual(await data(), { kubeconfig: 'some text' });
  const left = (await client.secrets('kube-system').list()).items.map(s => s.metadata.name);
  assert.deepEqual(left, ['bootstrap-token-fedcba']);
  await world.stop();
});
