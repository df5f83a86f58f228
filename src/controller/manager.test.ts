import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mirror } from '../../examples/mirror.ts';
import { createServer } from '../../test/support/control.ts';
import { keyOf } from '../api/object.ts';
import { silentLogger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { type Controller, createManager, selectControllers, watch } from './index.ts';

async function setUp(controllers: readonly Controller[]) {
  const server = await createServer();
  const metrics = createMetrics();
  const { clock, random, shaky: client } = server;
  const environment = { clock, random, log: silentLogger, metrics };
  const manager = () => createManager({ environment, client, controllers, freeze: true });
  return { ...server, metrics, environment, manager };
}

test('an operator in thirty lines works, and again after what it made was removed', async () => {
  const { clock, client, manager, close } = await setUp([mirror]);
  const running = manager();
  await running.start();
  const annotations = { 'example.com/mirror': 'yes' };
  await client.configmaps('default').create({ metadata: { name: 'm', annotations }, data: { a: 'b' } });
  await clock.advance(100);
  assert.equal((await client.secrets('default').get('m')).data?.['a'], btoa('b'));
  await client.secrets('default').delete('m');
  await clock.advance(100);
  assert.ok(await client.secrets('default').get('m'));
  assert.deepEqual(
    (await client.events('default').list()).items.map(e => e.message),
    ['Made secret m'],
  );
  await running.stop();
  await close();
});

test('a reconcile that throws is tried again, more and more slowly, and counted', async () => {
  const at: number[] = [];
  const { clock, client, manager, metrics, close } = await setUp([
    {
      name: 'failing',
      setUp({ informers, clock: time }) {
        const maps = informers.informer('v1/configmaps', { namespace: 'default' });
        return {
          sources: [watch<'v1/configmaps'>(maps, map => [keyOf(map)])],
          async reconcile() {
            at.push(time.monotonic());
            if (at.length < 5) throw new TypeError('a defect');
          },
        };
      },
    },
  ]);
  const running = manager();
  await running.start();
  await client.configmaps('default').create({ metadata: { name: 'm' } });
  await clock.advance(60_000);
  const [first = 0] = at;
  assert.deepEqual(
    at.map(t => t - first),
    [0, 5, 15, 35, 75],
  );
  assert.equal(
    metrics.counter('controller_runtime_reconcile_total', '').value({ controller: 'failing', result: 'error' }),
    4,
  );
  await running.stop();
  await close();
});

test('requeueAfter and resync come without events; stop waits for work and takes no more', async () => {
  const calls: string[] = [];
  let release: () => void = () => undefined;
  const { clock, manager, close } = await setUp([
    {
      name: 'timed',
      setUp: () => ({
        sources: [],
        resync: { everyMs: 10_000, keys: () => ['tick'] },
        async reconcile(key) {
          calls.push(key);
          if (calls.length === 3) await new Promise<void>(resolve => (release = resolve));
          return calls.length === 1 ? { requeueAfter: 1_000 } : undefined;
        },
      }),
    },
  ]);
  const running = manager();
  await running.start();
  await clock.until(() => calls.length === 1, 11_000);
  await clock.advance(1_000);
  assert.equal(calls.length, 2);
  await clock.advance(12_000);
  assert.equal(calls.length, 3);
  let stopped = false;
  const stopping = running.stop().then(() => {
    stopped = true;
  });
  await clock.advance(1_000);
  assert.ok(!stopped);
  release();
  await stopping;
  await clock.advance(60_000);
  assert.equal(calls.length, 3);
  await close();
});

test('of two managers with leader election one works; the other takes over', async () => {
  const workers = new Set<string>();
  const { clock, client, random, environment, close } = await setUp([]);
  const make = (identity: string) =>
    createManager({
      environment: { ...environment, random },
      client,
      controllers: [
        {
          ...mirror,
          setUp(context) {
            workers.add(identity);
            return mirror.setUp(context);
          },
        },
      ],
      leaderElection: { namespace: 'kube-system', name: 'test', identity },
    });
  const [a, b] = [make('a'), make('b')];
  await a.start();
  await clock.advance(3_000);
  await b.start();
  await clock.advance(30_000);
  assert.deepEqual([...workers], ['a']);
  const stopped = a.stop();
  await clock.advance(10_000);
  await stopped;
  assert.deepEqual([...workers], ['a', 'b']);
  const annotations = { 'example.com/mirror': 'yes' };
  await client.configmaps('default').create({ metadata: { name: 'late', annotations } });
  await clock.advance(1_000);
  assert.ok(await client.secrets('default').get('late'));
  const last = b.stop();
  await clock.advance(10_000);
  await last;
  await close();
});

test('controllers are chosen as by --controllers', () => {
  const make = (name: string, more: Partial<Controller> = {}): Controller => ({ name, setUp: () => [], ...more });
  const all = [make('a-controller', { aliases: ['a'] }), make('b'), make('off', { disabledByDefault: true })];
  const chosen = (...patterns: string[]) => selectControllers(all, patterns).map(c => c.name);
  assert.deepEqual(chosen('*'), ['a-controller', 'b']);
  assert.deepEqual(chosen('*', '-a'), ['b']);
  assert.deepEqual(chosen('*', 'off', '-b'), ['a-controller', 'off']);
  assert.deepEqual(chosen('b'), ['b']);
  assert.throws(() => chosen('c'), /"c" is not in the list of known controllers/);
});
