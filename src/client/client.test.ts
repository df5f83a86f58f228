import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer } from '../../test/support/control.ts';
import catalog from '../api/catalog/catalog.json' with { type: 'json' };
import type { KubeObject } from '../api/object.ts';
import type { Handler } from '../api/transport.ts';
import { isConflict, isExpired, isForbidden, isNotFound } from '../base/errors.ts';
import { virtualClock } from '../base/virtual-clock.ts';
import type { ResourceDescriptor } from './contract.ts';
import { createClient, descriptorOf, discover, inProcessTransport, kinds, shorthands, waitFor } from './index.ts';
import { lineBatches } from './lines.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('names, kinds and scopes are those of the catalog', () => {
  const resources = catalog.resources as {
    group: string;
    version: string;
    plural: string;
    kind: string;
    namespaced: boolean;
  }[];
  for (const r of resources) {
    const name = `${r.group ? `${r.group}/` : ''}${r.version}/${r.plural}` as keyof typeof kinds;
    const { group, version, plural, kind, namespaced } = descriptorOf(name);
    assert.deepEqual(
      { group, version, plural, kind, namespaced },
      { group: r.group, version: r.version, plural: r.plural, kind: r.kind, namespaced: r.namespaced },
    );
  }
  assert.equal(Object.keys(kinds).length, resources.length);
  assert.equal(shorthands.get('events'), 'v1/events');
  assert.equal(shorthands.get('horizontalpodautoscalers'), 'autoscaling/v2/horizontalpodautoscalers');
});

test('every verb and patch type', async () => {
  const { client, close } = await createServer();
  const maps = client.configmaps('default');
  const made = await maps.create({ metadata: { name: 'm', labels: { a: 'b' } }, data: { one: '1' } });
  assert.equal(made.kind, 'ConfigMap');
  await assert.rejects(maps.update({ ...made, metadata: { ...made.metadata, resourceVersion: '1' } }), isConflict);
  const updated = await maps.update({ ...made, data: { two: '2' } });
  assert.deepEqual((await maps.patch('m', 'json', [{ op: 'add', path: '/data/three', value: '3' }])).data, {
    two: '2',
    three: '3',
  });
  assert.deepEqual((await maps.patch('m', 'merge', { data: { two: null } })).data, { three: '3' });
  assert.deepEqual((await maps.patch('m', 'strategic', { data: { four: '4' } })).data, { three: '3', four: '4' });
  const applied = await maps.apply({ metadata: { name: 'm' }, data: { five: '5' } }, { fieldManager: 'tester' });
  assert.equal(applied.data?.['five'], '5');
  assert.ok(applied.metadata.managedFields?.some(f => f.manager === 'tester' && f.operation === 'Apply'));
  assert.equal((await maps.list({ labelSelector: 'a=b' })).items.length, 1);
  assert.equal(
    (await maps.list({ labelSelector: 'a!=b', limit: 10 })).items.filter(m => m.metadata.name === 'm').length,
    0,
  );
  const dry = await maps.patch('m', 'merge', { data: { six: '6' } }, { dryRun: true });
  assert.equal(dry.data?.['six'], '6');
  assert.equal((await maps.get('m')).data?.['six'], undefined);
  await assert.rejects(maps.delete('m', { preconditions: { uid: 'other' } }), isConflict);
  await maps.delete('m');
  await assert.rejects(maps.get('m'), isNotFound);
  // Unknown paths are answered in plain text.
  await assert.rejects(client.request('GET', '/apis/none.example.com'), /could not find the requested resource/);
  assert.notEqual(updated.metadata.resourceVersion, made.metadata.resourceVersion);
  const deployments = client.deployments('default');
  const labels = { app: 'x' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  await deployments.create({ metadata: { name: 'd' }, spec: { selector: { matchLabels: labels }, template } });
  const scale = await deployments.getSubresource<{ spec: { replicas: number } } & KubeObject>('d', 'scale');
  assert.equal(scale.spec.replicas, 1);
  await deployments.updateSubresource('d', 'scale', { ...scale, spec: { replicas: 4 } });
  assert.equal((await deployments.get('d')).spec.replicas, 4);
  await deployments.deleteCollection();
  assert.equal((await deployments.list()).items.length, 0);
  await close();
});

test('a client may act as somebody else', async () => {
  const { client, close } = await createServer();
  const somebody = client.with({ impersonate: { user: 'jane', groups: ['system:authenticated'] } });
  await assert.rejects(somebody.secrets('default').list(), isForbidden);
  await close();
});

test('a resource declared in code is a client like any other, found by discovery, too', async () => {
  const { client, clock, close } = await createServer();
  interface Widget extends KubeObject {
    spec: { size: number };
  }
  const widgets: ResourceDescriptor<Widget> = {
    group: 'example.com',
    version: 'v1',
    plural: 'widgets',
    kind: 'Widget',
    namespaced: true,
  };
  const schema = {
    openAPIV3Schema: {
      type: 'object',
      properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
    },
  };
  await client.customresourcedefinitions().create({
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: schema as never }],
    },
  });
  await clock.advance(5_000);
  const found = (await discover(client)).resources.find(r => r.plural === 'widgets');
  assert.deepEqual([found?.group, found?.kind, found?.namespaced], ['example.com', 'Widget', true]);
  const made = await client.resource(widgets, 'default').create({ metadata: { name: 'w' }, spec: { size: 3 } });
  assert.equal(made.spec.size, 3);
  await close();
});

test('waitFor sees what is already so, what becomes so, and gives up in time', async () => {
  const { client, clock, close } = await createServer();
  const wait = (until: (o: unknown) => boolean, timeoutMs = 60_000) =>
    waitFor(client, 'v1/configmaps', { clock, namespace: 'default', name: 'm', until, timeoutMs });
  const appears = wait(o => o !== undefined);
  await clock.advance(1_000);
  await client.configmaps('default').create({ metadata: { name: 'm' } });
  assert.equal((await appears)?.metadata.name, 'm');
  const goes = wait(o => o === undefined);
  await clock.advance(1_000);
  await client.configmaps('default').delete('m');
  assert.equal(await goes, undefined);
  const never = wait(o => o !== undefined, 5_000);
  const check = assert.rejects(never, /timed out after 5000 ms waiting for ConfigMap "m"/);
  await clock.advance(6_000);
  await check;
  await close();
});

test('discovery works with a server that has no aggregated form', async () => {
  const answers: Record<string, object> = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': {
      kind: 'APIGroupList',
      groups: [
        {
          name: 'apps',
          versions: [{ groupVersion: 'apps/v1', version: 'v1' }],
          preferredVersion: { groupVersion: 'apps/v1', version: 'v1' },
        },
        { name: 'down', versions: [{ groupVersion: 'down/v1', version: 'v1' }] },
      ],
    },
    '/api/v1': {
      resources: [
        { name: 'pods', kind: 'Pod', namespaced: true, singularName: 'pod', verbs: ['list'] },
        { name: 'pods/log', kind: 'Pod', namespaced: true, singularName: '', verbs: ['get'] },
      ],
    },
    '/apis/apps/v1': {
      resources: [
        { name: 'deployments', kind: 'Deployment', namespaced: true, singularName: 'deployment', verbs: ['list'] },
      ],
    },
  };
  const handler: Handler = async ({ path }) => {
    const answer = answers[path];
    return { status: answer ? 200 : 503, headers: {}, body: bytes(answer ? JSON.stringify(answer) : 'no endpoints') };
  };
  const { resources, failures } = await discover(createClient(inProcessTransport(handler)));
  assert.deepEqual(
    resources.map(r => `${r.group}/${r.plural}(${r.subresources})`),
    ['/pods(log)', 'apps/deployments()'],
  );
  assert.deepEqual([...failures], [['down/v1', 'no endpoints']]);
});

test('an answer that asks for patience gets it, and a watch tells its error', async () => {
  const clock = virtualClock();
  let calls = 0;
  const handler: Handler = async ({ query }) => {
    if (query.has('watch')) {
      const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
      return { status: 200, headers: {}, body: bytes(`${JSON.stringify({ type: 'ERROR', object: status })}\n`) };
    }
    calls += 1;
    if (calls < 3) return { status: 429, headers: { 'retry-after': '5' }, body: bytes('slow down') };
    return { status: 200, headers: {}, body: bytes('{"metadata":{"name":"p"}}') };
  };
  const client = createClient(inProcessTransport(handler), { clock });
  const got = client.pods('a').get('p');
  await clock.advance(10_000);
  assert.equal((await got).metadata.name, 'p');
  assert.equal(calls, 3);
  await assert.rejects(async () => {
    for await (const _ of client.pods().watch()) assert.fail('no event');
  }, isExpired);
});

test('lines come out whole, however they are cut', async () => {
  const text = '{"a":"é"}\n\n{"b":"漢字"}\n{"c":1}';
  const data = bytes(text);
  for (let size = 1; size <= data.length; size++) {
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
    }
    const lines: string[] = [];
    for await (const batch of lineBatches(chunks())) lines.push(...batch);
    assert.deepEqual(lines, ['{"a":"é"}', '{"b":"漢字"}', '{"c":1}']);
  }
});

test('items of a list say what they are, also where the server leaves that to the list', async () => {
  const list = { kind: 'ConfigMapList', apiVersion: 'v1', metadata: {}, items: [{ metadata: { name: 'a' } }] };
  const body = new TextEncoder().encode(JSON.stringify(list));
  const foreign = createClient({
    request: async () => ({ status: 200, headers: { 'content-type': 'application/json' }, body }),
    close: async () => {},
  });
  const [item] = (await foreign.configmaps('n').list()).items;
  assert.deepEqual([item?.kind, item?.apiVersion, item?.metadata.name], ['ConfigMap', 'v1', 'a']);
});
