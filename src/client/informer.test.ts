import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryApi } from '../../test/support/memory-api.ts';
import { silentLogger } from '../base/log.ts';
import { seededRandom } from '../base/random.ts';
import { virtualClock } from '../base/virtual-clock.ts';
import { createClient, createInformerFactory, inProcessTransport } from './index.ts';

function setUp(seed = 1) {
  const clock = virtualClock();
  const random = seededRandom(seed);
  const api = memoryApi(clock, random);
  const client = createClient(inProcessTransport(api.handler, { name: 'test', groups: [] }));
  const stop = new AbortController();
  const factory = createInformerFactory(client, { clock, random, log: silentLogger, freeze: true });
  return { clock, api, client, factory, stop };
}
const configMap = (name: string, data: Record<string, string> = {}) => ({ metadata: { name, namespace: 'a' }, data });

test('an informer lists, follows changes and keeps its indexes', async () => {
  const { clock, client, factory, stop } = setUp();
  await client.configmaps('a').create(configMap('one'));
  const informer = factory.informer('v1/configmaps');
  informer.addIndex('colour', c => (c.data?.['colour'] ? [c.data['colour']] : []));
  const seen: string[] = [];
  informer.addHandler({
    onAdd: (o, initial) => seen.push(`add ${o.metadata.name} ${initial}`),
    onUpdate: (o, old) => seen.push(`update ${o.metadata.name} ${old.data?.['colour']}>${o.data?.['colour']}`),
    onDelete: o => seen.push(`delete ${o.metadata.name}`),
  });
  factory.start(stop.signal);
  await clock.settle();
  await factory.synced();
  await client.configmaps('a').create(configMap('two', { colour: 'red' }));
  await clock.settle();
  assert.deepEqual(
    informer.store.byIndex('colour', 'red').map(o => o.metadata.name),
    ['two'],
  );
  await client.configmaps('a').patch('two', 'merge', { data: { colour: 'blue' } });
  await client.configmaps('a').delete('one');
  await clock.settle();
  assert.deepEqual(seen, ['add one true', 'add two false', 'update two red>blue', 'delete one']);
  assert.equal(informer.store.byIndex('colour', 'red').length, 0);
  assert.equal(informer.store.byIndex('namespace', 'a').length, 1);
  assert.throws(() => {
    const two = informer.store.get('a/two');
    if (two?.data) two.data['colour'] = 'changed';
  }, TypeError);
  stop.abort();
});

test('an informer lists again after 410 and reports what it missed', async () => {
  const { clock, api, client, factory, stop } = setUp();
  await client.configmaps('a').create(configMap('kept'));
  await client.configmaps('a').create(configMap('gone'));
  const informer = factory.informer('v1/configmaps');
  const seen: string[] = [];
  informer.addHandler({
    onUpdate: o => seen.push(`update ${o.metadata.name}`),
    onDelete: o => seen.push(`delete ${o.metadata.name}`),
  });
  factory.start(stop.signal);
  await clock.advance(5_000);
  api.faults.down = true;
  await client
    .configmaps('a')
    .get('kept')
    .then(
      () => assert.fail('is down'),
      () => undefined,
    );
  api.faults.down = false;
  // The watch sees `down` only when something wakes it, so the changes come after it broke.
  api.faults.breakWatch = 1;
  await client.configmaps('a').patch('kept', 'merge', { data: { x: 'y' } });
  await client.configmaps('a').delete('gone');
  await clock.settle();
  api.faults.breakWatch = 0;
  api.compact();
  await clock.advance(60_000);
  assert.deepEqual(seen, ['update kept', 'delete gone']);
  assert.equal(informer.store.size, 1);
  stop.abort();
});

test('an informer survives an outage of five minutes', async () => {
  const { clock, api, client, factory, stop } = setUp();
  const informer = factory.informer('v1/configmaps');
  factory.start(stop.signal);
  await clock.advance(10_000);
  api.faults.down = true;
  await clock.advance(300_000);
  api.faults.down = false;
  await client.configmaps('a').create(configMap('after'));
  await clock.advance(70_000);
  assert.equal(informer.store.size, 1);
  stop.abort();
});

for (let seed = 1; seed <= 20; seed++) {
  test(`under faults the cache ends up equal to the server, seed ${seed}`, async () => {
    const { clock, api, client, factory, stop } = setUp(seed);
    const random = seededRandom(seed * 7);
    const informer = factory.informer('v1/configmaps', { namespace: 'a' });
    factory.start(stop.signal);
    Object.assign(api.faults, { breakWatch: 0.2, delayMs: 50, repeat: 0.2 });
    for (let i = 0; i < 60; i++) {
      const name = `c${random.int(8)}`;
      const maps = client.configmaps('a');
      const action = random.int(3);
      const call =
        action === 0
          ? maps.create(configMap(name))
          : action === 1
            ? maps.patch(name, 'merge', { data: { i: String(i) } })
            : maps.delete(name);
      await Promise.resolve(call).catch(() => undefined);
      if (random.int(15) === 0) api.compact();
      await clock.advance(random.int(200));
    }
    Object.assign(api.faults, { breakWatch: 0, delayMs: 0, repeat: 0 });
    await clock.advance(200_000);
    const strip = (o: { metadata: { name: string; resourceVersion?: string } }) =>
      `${o.metadata.name}@${o.metadata.resourceVersion}`;
    assert.deepEqual(informer.store.list().map(strip).sort(), api.objects('v1/configmaps').map(strip).sort());
    stop.abort();
  });
}
