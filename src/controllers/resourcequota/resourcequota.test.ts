import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer, createWorld } from '../../../test/support/control.ts';
import { silentLogger } from '../../base/log.ts';
import { createInformer } from '../../client/index.ts';
import type { ControllerContext } from '../../controller/contract.ts';
import { resourceQuotaController } from './index.ts';
import { createUsageSource } from './usage.ts';

for (let seed = 0; seed <= 5; seed++) {
  test(`a quota counts what is there and what is gone, seed ${seed}`, async () => {
    const world = await createWorld({ controllers: [resourceQuotaController], nodes: false, seed });
    const { client, clock, faults } = world;
    if (seed > 0)
      Object.assign(faults, { failBefore: 0.1, failAfter: 0.1, breakWatch: 0.1, delayMs: 300, repeat: 0.1 });
    const pod = (name: string) => ({
      metadata: { name },
      spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '300m' } } }] },
    });
    await client.pods('a').create(pod('before'));
    const hard = {
      pods: '10',
      'requests.cpu': '2',
      'count/configmaps': '5',
      'count/deployments.apps': '2',
      services: '3',
    };
    await client.resourcequotas('a').create({ metadata: { name: 'q' }, spec: { hard } });
    await clock.advance(120_000);
    const used = async () => (await client.resourcequotas('a').get('q')).status?.used;
    const base = { 'count/configmaps': '0', 'count/deployments.apps': '0', services: '0' };
    assert.deepEqual(await used(), { ...base, pods: '1', 'requests.cpu': '300m' });
    await client.pods('a').create(pod('after'));
    await client.configmaps('a').create({ metadata: { name: 'm' } });
    // What is made is charged by admission, which this server has not; the regular count finds it.
    await clock.advance(400_000);
    assert.deepEqual(await used(), { ...base, 'count/configmaps': '1', pods: '2', 'requests.cpu': '600m' });
    await client.pods('a').delete('before', { gracePeriodSeconds: 0 });
    await client.configmaps('a').delete('m');
    await client.pods('a').patch('after', 'merge', { status: { phase: 'Succeeded' } }, { subresource: 'status' });
    await clock.advance(120_000);
    assert.deepEqual(await used(), { ...base, pods: '0', 'requests.cpu': '0' });
    await client.resourcequotas('a').patch('q', 'merge', { spec: { hard: { secrets: '7' } } });
    await clock.advance(120_000);
    const { status } = await client.resourcequotas('a').get('q');
    assert.deepEqual([status?.hard?.['secrets'], status?.used?.['secrets']], ['7', '0']);
    await world.stop();
  });
}

test('a cache that is older than the quota gives nothing back: the server is asked', async () => {
  const { client, clock, random, close } = await createServer();
  const following = new AbortController();
  const { signal } = new AbortController();
  const create = (name: string) =>
    client.pods('default').create({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } });
  try {
    await create('one');
    const pods = createInformer(client.pods(), {}, { clock, random, log: silentLogger });
    void pods.run(following.signal);
    await pods.synced();
    following.abort();
    await create('two');
    const { metadata } = await client
      .resourcequotas('default')
      .create({ metadata: { name: 'q' }, spec: { hard: { pods: '9' } } });
    const status = { hard: { pods: '9' }, used: { pods: '2' } };
    const quota = await client
      .resourcequotas('default')
      .patch(metadata.name, 'merge', { status }, { subresource: 'status' });
    const context = { client, clock, signal, informers: { informer: () => pods } } as unknown as ControllerContext;
    const source = createUsageSource(context, { freed() {}, shown() {} });
    assert.equal(pods.store.size, 1);
    assert.deepEqual(await source.usage(quota), { pods: '2' });
    // What is older than the cache is counted from it.
    const old = { ...quota, metadata: { ...quota.metadata, resourceVersion: pods.revision } };
    assert.deepEqual(await source.usage(old), { pods: '1' });
  } finally {
    following.abort();
    await close();
  }
});
