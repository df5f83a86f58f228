import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer } from '../../test/support/control.ts';
import { silentLogger } from '../base/log.ts';
import { seededRandom } from '../base/random.ts';
import { createInformerFactory } from './index.ts';

async function setUp(seed = 1) {
  const server = await createServer(seed);
  const { clock, random, shaky } = server;
  const stop = new AbortController();
  const factory = createInformerFactory(shaky, { clock, random, log: silentLogger, freeze: true });
  const end = async () => {
    stop.abort(new Error('the test is over'));
    await server.close();
  };
  return { ...server, factory, stop, end };
}
const configMap = (name: string, data: Record<string, string> = {}) => ({
  metadata: { name, namespace: 'default' },
  data,
});

test('an informer lists, follows changes and keeps its indexes', async () => {
  const { clock, client, factory, stop, end } = await setUp();
  const maps = client.configmaps('default');
  await maps.create(configMap('one'));
  const informer = factory.informer('v1/configmaps');
  informer.addIndex('colour', c => (c.data?.['colour'] ? [c.data['colour']] : []));
  const seen: string[] = [];
  informer.addHandler({
    onAdd: (o, initial) => seen.push(`add ${o.kind} ${o.metadata.name} ${initial}`),
    onUpdate: (o, old) => seen.push(`update ${o.metadata.name} ${old.data?.['colour']}>${o.data?.['colour']}`),
    onDelete: o => seen.push(`delete ${o.metadata.name}`),
  });
  factory.start(stop.signal);
  await clock.settle();
  await factory.synced();
  await maps.create(configMap('two', { colour: 'red' }));
  await clock.settle();
  assert.deepEqual(
    informer.store.byIndex('colour', 'red').map(o => o.metadata.name),
    ['two'],
  );
  await maps.patch('two', 'merge', { data: { colour: 'blue' } });
  await maps.delete('one');
  await clock.settle();
  assert.deepEqual(seen, ['add ConfigMap one true', 'add ConfigMap two false', 'update two red>blue', 'delete one']);
  assert.equal(informer.store.byIndex('colour', 'red').length, 0);
  assert.equal(informer.store.byIndex('namespace', 'default').length, 1);
  assert.throws(() => {
    const two = informer.store.get('default/two');
    if (two?.data) two.data['colour'] = 'changed';
  }, TypeError);
  await end();
});

test('an informer lists again after 410 and reports what it missed', async () => {
  const { clock, faults, client, factory, stop, end } = await setUp();
  const maps = client.configmaps('default');
  for (const name of ['kept', 'gone', 'last']) await maps.create(configMap(name));
  const informer = factory.informer('v1/configmaps');
  const seen: string[] = [];
  informer.addHandler({
    onUpdate: o => seen.push(`update ${o.metadata.name}`),
    onDelete: o => seen.push(`delete ${o.metadata.name}`),
  });
  factory.start(stop.signal);
  await clock.advance(5_000);
  Object.assign(faults, { breakWatch: 1, expire: 1 });
  await maps.patch('kept', 'merge', { data: { x: 'y' } });
  await maps.delete('gone');
  await clock.settle();
  faults.breakWatch = 0;
  await clock.advance(60_000);
  assert.deepEqual(seen.sort(), ['delete gone', 'update kept']);
  faults.expire = 0;
  await clock.advance(120_000);
  await maps.delete('last');
  await clock.settle();
  assert.equal(informer.store.size, 1);
  await end();
});

test('an informer survives an outage of five minutes', async () => {
  const { clock, faults, client, factory, stop, end } = await setUp();
  const informer = factory.informer('v1/configmaps');
  factory.start(stop.signal);
  await clock.advance(10_000);
  faults.down = true;
  await client.configmaps('default').create(configMap('during'));
  await clock.advance(300_000);
  faults.down = false;
  await client.configmaps('default').create(configMap('after'));
  await clock.advance(70_000);
  assert.equal(informer.store.size, 2);
  await end();
});

for (let seed = 1; seed <= 20; seed++) {
  test(`under faults the cache ends up equal to the server, seed ${seed}`, async () => {
    const { clock, faults, client, factory, stop, end } = await setUp(seed);
    const random = seededRandom(seed * 7);
    const informer = factory.informer('v1/configmaps', { namespace: 'default' });
    factory.start(stop.signal);
    Object.assign(faults, { breakWatch: 0.2, delayMs: 50, repeat: 0.2, expire: 0.2 });
    const maps = client.configmaps('default');
    for (let i = 0; i < 60; i++) {
      const name = `c${random.int(8)}`;
      const actions = [
        () => maps.create(configMap(name)),
        () => maps.patch(name, 'merge', { data: { i: String(i) } }),
        () => maps.delete(name),
      ];
      await actions[random.int(3)]?.().catch(() => undefined);
      await clock.advance(random.int(200));
    }
    Object.assign(faults, { breakWatch: 0, delayMs: 0, repeat: 0, expire: 0 });
    await clock.advance(200_000);
    const label = (o: { metadata: { name: string; resourceVersion?: string } }) =>
      `${o.metadata.name}@${o.metadata.resourceVersion}`;
    const server = (await maps.list()).items.map(label).sort();
    assert.deepEqual(informer.store.list().map(label).sort(), server);
    await end();
  });
}
