import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { rootCaPublisher, serviceAccountController } from './index.ts';
import { tokenController } from './tokens.ts';

const ca = '-----BEGIN CERTIFICATE-----\n';
const sign = async () => 'signed';
const controllers = [serviceAccountController, rootCaPublisher(ca), tokenController({ ca, sign })];

test('every namespace has its default account and the CA, also after someone removes or changes them', async () => {
  const world = await createWorld({ controllers });
  const { client, clock } = world;
  await clock.advance(2_000);
  for (const namespace of ['default', 'kube-system', 'a']) {
    assert.equal((await client.serviceaccounts(namespace).get('default')).metadata.name, 'default');
    assert.deepEqual((await client.configmaps(namespace).get('kube-root-ca.crt')).data, { 'ca.crt': ca });
  }
  await client.serviceaccounts('a').delete('default');
  await client.configmaps('a').patch('kube-root-ca.crt', 'merge', { data: { 'ca.crt': 'forged', more: 'x' } });
  await client.configmaps('default').delete('kube-root-ca.crt');
  await clock.advance(2_000);
  assert.ok(await client.serviceaccounts('a').get('default'));
  for (const namespace of ['a', 'default'])
    assert.deepEqual((await client.configmaps(namespace).get('kube-root-ca.crt')).data, { 'ca.crt': ca });
  await world.stop();
});

test('token secrets are filled, and go with their account', async () => {
  const world = await createWorld({ controllers });
  const { client, clock } = world;
  await clock.advance(2_000);
  const annotations = { 'kubernetes.io/service-account.name': 'robot' };
  await client.serviceaccounts('a').create({ metadata: { name: 'robot' } });
  await clock.advance(1_000);
  await client
    .secrets('a')
    .create({ metadata: { name: 'token', annotations }, type: 'kubernetes.io/service-account-token' });
  await clock.advance(2_000);
  const { data } = await client.secrets('a').get('token');
  assert.deepEqual(
    Object.entries(data ?? {})
      .map(([k, v]) => [k, atob(v)])
      .sort(),
    [
      ['ca.crt', ca],
      ['namespace', 'a'],
      ['token', 'signed'],
    ],
  );
  await client.serviceaccounts('a').delete('robot');
  await clock.advance(2_000);
  assert.equal((await client.secrets('a').list()).items.length, 0);
  await world.stop();
});
