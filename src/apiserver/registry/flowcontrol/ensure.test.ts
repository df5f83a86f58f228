import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/log.ts';
import { createMetrics } from '../../../base/metrics.ts';
import { systemRandom } from '../../../base/random.ts';
import { createClient } from '../../../client/client.ts';
import { createMemoryStore } from '../../../store/memory/index.ts';
import { type ApiServer, createApiServer } from '../../index.ts';
import { strategies } from '../index.ts';
import { context, texts } from '../testing.ts';
import { mandatory, suggested } from './bootstrap.ts';
import { ensureFlowControl } from './ensure.ts';
import { flowSchemas } from './flow-schema.ts';
import { priorityLevelConfigurations } from './priority-level.ts';

const annotation = 'apf.kubernetes.io/autoupdate-spec';
let server: ApiServer;
let closeStore: () => Promise<void>;

before(async () => {
  const store = createMemoryStore({ clock: systemClock });
  closeStore = () => store.close();
  const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
  server = createApiServer({ ...environment, store, strategies });
  await server.start();
});
after(async () => {
  await server.close();
  await closeStore();
});

test('what the server brings along is valid', () => {
  for (const { flowSchemas: schemas, priorityLevels } of [mandatory, suggested]) {
    for (const obj of schemas) assert.deepEqual(texts(flowSchemas.validate?.(structuredClone(obj), context)), []);
    for (const obj of priorityLevels) {
      assert.deepEqual(texts(priorityLevelConfigurations.validate?.(structuredClone(obj), context)), []);
    }
  }
});

test('missing objects are made, drifted ones restored, taken over ones left alone', async () => {
  const client = createClient(server.loopback);
  const store = client.resource('flowcontrol.apiserver.k8s.io/v1/flowschemas');
  await ensureFlowControl(client);
  const count = mandatory.flowSchemas.length + suggested.flowSchemas.length;
  assert.equal((await store.list()).items.length, count);
  await store.delete('probes');
  const nodes = await store.get('system-nodes');
  await store.update({ ...nodes, spec: { ...nodes.spec, matchingPrecedence: 501 } });
  const scheduler = await store.get('kube-scheduler');
  await store.update({
    ...scheduler,
    metadata: { ...scheduler.metadata, annotations: { [annotation]: 'false' } },
    spec: { ...scheduler.spec, matchingPrecedence: 801 },
  });
  const accounts = await store.get('service-accounts');
  await store.update({
    ...accounts,
    metadata: { ...accounts.metadata, annotations: {} },
    spec: { ...accounts.spec, matchingPrecedence: 9001 },
  });
  const last = await store.get('catch-all');
  await store.update({ ...last, metadata: { ...last.metadata, annotations: { [annotation]: 'false' } } });
  const foreign = (name: string, annotations: Record<string, string>) =>
    store.create({ ...nodes, metadata: { name, annotations } });
  await foreign('of-an-earlier-version', { [annotation]: 'true' });
  await foreign('of-an-administrator', { [annotation]: 'false' });
  await foreign('of-somebody', {});

  await ensureFlowControl(client);
  const names = (await store.list()).items.map(obj => obj.metadata.name);
  assert.deepEqual(
    names.filter(name => name.startsWith('of-')),
    ['of-an-administrator', 'of-somebody'],
  );
  assert.equal(names.length, count + 2);
  const precedence = async (name: string) => (await store.get(name)).spec.matchingPrecedence;
  assert.deepEqual(
    await Promise.all(['system-nodes', 'kube-scheduler', 'service-accounts'].map(precedence)),
    [500, 801, 9001],
  );
  const annotated = async (name: string) => (await store.get(name)).metadata.annotations?.[annotation];
  assert.deepEqual(await Promise.all(['service-accounts', 'catch-all', 'probes'].map(annotated)), [
    'false',
    'true',
    'true',
  ]);
});
