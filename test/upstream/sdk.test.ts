/** The SDK and the controller runtime against a Kubernetes that is not ours, through its public API only. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { mirror } from '../../examples/mirror.ts';
import type { KubeObject } from '../../src/api/object.ts';
import type { ConfigMap } from '../../src/api/types/core-v1.ts';
import { systemClock } from '../../src/base/clock.ts';
import { isConflict, isExpired, isForbidden, isInvalid, isNotFound } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import {
  type Client,
  createClient,
  createEventRecorder,
  createInformerFactory,
  discover,
  exec,
  portForward,
  type ResourceDescriptor,
  readLogs,
  runLeaderElection,
  type WatchEvent,
  waitFor,
} from '../../src/client/index.ts';
import { clientFromKubeconfig, http2Transport, loadKubeconfig } from '../../src/client/node/index.ts';
import { createManager } from '../../src/controller/index.ts';
import { type Original, startOriginal } from '../support/original/server.ts';

const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
const started = await startOriginal();
const missing = 'missing' in started && started.missing;
if (missing) console.log(`The SDK is not tried on another Kubernetes: ${missing}`);

interface Gadget extends KubeObject {
  spec: { size: number; parts?: string[] };
  status?: { phase?: string };
}
const gadgets: ResourceDescriptor<Gadget> = {
  ...{ group: 'sdk.example.com', version: 'v1', plural: 'gadgets', kind: 'Gadget', namespaced: true },
};
const definition = {
  metadata: { name: 'gadgets.sdk.example.com' },
  spec: {
    group: 'sdk.example.com',
    scope: 'Namespaced' as const,
    names: { plural: 'gadgets', kind: 'Gadget' },
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true, subresources: { status: {} } },
        schema: {
          openAPIV3Schema: { type: 'object', properties: { spec: preserve(), status: preserve() } },
        },
      },
    ],
  },
};
function preserve() {
  return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
}

describe('the SDK on another Kubernetes', { skip: missing, timeout: 400_000 }, () => {
  const original = started as Original;
  let client: Client;
  let spaces = 0;
  const ending: (() => Promise<unknown>)[] = [];

  /** A namespace of the test's own, with an account for its pods. */
  async function space(): Promise<string> {
    const name = `sdk-${++spaces}`;
    await client.namespaces().create({ metadata: { name }, spec: {} });
    const account = { metadata: { name: 'default' }, automountServiceAccountToken: false };
    await client.serviceaccounts(name).create(account);
    return name;
  }
  /** The first event with this reason, once there is one. */
  async function eventOf(ns: string, reason: string) {
    for await (const { object } of client.events(ns).watch({ fieldSelector: `reason=${reason}`, resourceVersion: '0' }))
      return object;
    throw new Error('the watch ended');
  }
  const map = (name: string, data: Record<string, string> = {}) => ({ metadata: { name }, data });
  const pod = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'example.com/c' }] } });

  before(() => {
    client = createClient(original.connect());
  });
  after(async () => {
    for (const end of ending.reverse()) await end();
    await original.close();
  });

  it('connects by kubeconfig', async () => {
    const own = clientFromKubeconfig(loadKubeconfig([original.kubeconfig('admin')]));
    try {
      const names = (await own.namespaces().list()).items.map(({ metadata }) => metadata.name);
      assert.ok(names.includes('kube-system'));
    } finally {
      await own.transport.close();
    }
  });

  it('creates, reads, updates, lists and deletes', async () => {
    const ns = await space();
    const maps = client.configmaps(ns);
    const made = await maps.create(map('a', { k: '1' }));
    assert.equal(made.metadata.namespace, ns);
    assert.deepEqual((await maps.get('a')).data, { k: '1' });
    await maps.update({ ...made, data: { k: '2' } });
    await assert.rejects(maps.update({ ...made, data: { k: '3' } }), isConflict);
    for (let i = 0; i < 5; i++) await maps.create(map(`m-${i}`));
    const first = await maps.list({ limit: 2 });
    assert.equal(first.items.length, 2);
    const rest = await maps.list({ continue: first.metadata.continue ?? '' });
    assert.equal(first.items.length + rest.items.length, 6);
    assert.deepEqual(
      first.items.map(({ kind, apiVersion }) => [kind, apiVersion]),
      [
        ['ConfigMap', 'v1'],
        ['ConfigMap', 'v1'],
      ],
    );
    await assert.rejects(maps.delete('a', { preconditions: { uid: 'other' } }), isConflict);
    await maps.delete('a', { dryRun: true });
    assert.equal((await maps.get('a')).data?.['k'], '2');
    await maps.delete('a');
    await assert.rejects(maps.get('a'), isNotFound);
    await maps.deleteCollection({ fieldSelector: 'metadata.name!=m-3' });
    assert.deepEqual(
      (await maps.list()).items.map(({ metadata }) => metadata.name),
      ['m-3'],
    );
    await assert.rejects(maps.create(map('Not a name')), isInvalid);
  });

  it('patches in every way, and applies', async () => {
    const ns = await space();
    const maps = client.configmaps(ns);
    await maps.create(map('a', { k: '1' }));
    await maps.patch('a', 'merge', { data: { m: 'merge' } });
    await maps.patch('a', 'json', [{ op: 'add', path: '/data/j', value: 'json' }]);
    await maps.patch('a', 'strategic', { data: { s: 'strategic', k: null } });
    const applied = await maps.apply(map('a', { a: 'apply' }), { fieldManager: 'one' });
    assert.deepEqual(applied.data, { m: 'merge', j: 'json', s: 'strategic', a: 'apply' });
    const other = maps.apply(map('a', { a: 'other' }), { fieldManager: 'two' });
    await assert.rejects(other, isConflict);
    const forced = await maps.apply(map('a', { a: 'other' }), { fieldManager: 'two', force: true });
    assert.equal(forced.data?.['a'], 'other');
    const created = await maps.apply(map('b', { x: 'y' }), { fieldManager: 'one' });
    assert.deepEqual(created.data, { x: 'y' });
  });

  it('discovers where there is no aggregated discovery', async () => {
    const { resources, failures } = await discover(client);
    assert.equal(failures.size, 0);
    const deployments = resources.find(({ plural, group }) => plural === 'deployments' && group === 'apps');
    assert.deepEqual(
      [deployments?.version, deployments?.kind, deployments?.namespaced, deployments?.shortNames],
      ['v1', 'Deployment', true, ['deploy']],
    );
    assert.ok(deployments?.subresources.includes('scale'));
  });

  it('writes subresources', async () => {
    const ns = await space();
    const labels = { app: 'web' };
    const template = { metadata: { labels }, spec: pod('x').spec };
    const deployments = client.deployments(ns);
    const made = await deployments.create({
      metadata: { name: 'd' },
      spec: { selector: { matchLabels: labels }, template },
    });
    const withStatus = await deployments.updateStatus({ ...made, status: { replicas: 2, observedGeneration: 1 } });
    assert.equal(withStatus.status?.replicas, 2);
    const scaled = await deployments.patch('d', 'merge', { spec: { replicas: 4 } }, { subresource: 'scale' });
    assert.equal(scaled.kind, 'Scale');
    assert.equal((await deployments.get('d')).spec.replicas, 4);
  });

  it('watches from a revision, and says when one is too old', async () => {
    const ns = await space();
    const maps = client.configmaps(ns);
    const { metadata } = await maps.list();
    await maps.create(map('a'));
    await maps.patch('a', 'merge', { data: { k: 'v' } });
    await maps.delete('a');
    const seen: WatchEvent<ConfigMap>[] = [];
    for await (const event of maps.watch({
      resourceVersion: metadata.resourceVersion ?? '',
      allowWatchBookmarks: true,
    })) {
      seen.push(event);
      if (event.type === 'DELETED') break;
    }
    assert.deepEqual(
      seen.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'DELETED'],
    );
    const page = await client.configmaps().list({ limit: 1 });
    const { metadata: later } = await maps.create(map('b'));
    await original.forgetBefore(later.resourceVersion ?? '');
    await assert.rejects(client.configmaps().list({ continue: page.metadata.continue ?? '' }), isExpired);
  });

  it('lists and watches metadata only', async () => {
    const ns = await space();
    const maps = client.with({ metadataOnly: true }).configmaps(ns);
    await client.configmaps(ns).create(map('a', { k: 'v' }));
    const { items, metadata } = await maps.list();
    assert.deepEqual(
      items.map(item => [item.metadata.name, item.data]),
      [['a', undefined]],
    );
    await client.configmaps(ns).create(map('b', { k: 'v' }));
    for await (const { object } of maps.watch({ resourceVersion: metadata.resourceVersion ?? '' })) {
      assert.deepEqual([object.metadata.name, object.data], ['b', undefined]);
      break;
    }
  });

  it('keeps informers alive across a restart of the server', async () => {
    const ns = await space();
    const stop = new AbortController();
    ending.push(async () => stop.abort());
    const factory = createInformerFactory(client, { ...environment, freeze: true });
    const informer = factory.informer('v1/configmaps', { namespace: ns });
    const arrived = new Map<string, ReturnType<typeof Promise.withResolvers<void>>>();
    const arrival = (name: string) => {
      const known = arrived.get(name) ?? Promise.withResolvers<void>();
      arrived.set(name, known);
      return known;
    };
    informer.addHandler({ onAdd: obj => arrival(obj.metadata.name).resolve() });
    await client.configmaps(ns).create(map('before'));
    factory.start(stop.signal);
    await informer.synced();
    assert.deepEqual(
      informer.store.list().map(({ kind, metadata }) => [kind, metadata.name]),
      [['ConfigMap', 'before']],
    );
    await client.configmaps(ns).create(map('during'));
    await arrival('during').promise;
    await original.restart();
    await client.configmaps(ns).create(map('after'));
    await arrival('after').promise;
    assert.equal(informer.store.size, 3);
  });

  it('elects one leader, and another when it goes', async () => {
    const ns = await space();
    const leaders: string[] = [];
    const candidate = (identity: string) => {
      const stop = new AbortController();
      const leads = Promise.withResolvers<void>();
      const done = runLeaderElection({
        ...{ ...environment, client, namespace: ns, name: 'lock', identity, retryMs: 100, signal: stop.signal },
        async lead(signal) {
          leaders.push(identity);
          leads.resolve();
          await new Promise(ended => signal.addEventListener('abort', ended, { once: true }));
        },
      });
      const end = async () => {
        stop.abort();
        await done;
      };
      ending.push(end);
      return { leads: leads.promise, end };
    };
    const one = candidate('one');
    await one.leads;
    const two = candidate('two');
    await one.end();
    await two.leads;
    assert.deepEqual(leaders, ['one', 'two']);
    await two.end();
  });

  it('records events about what it listed', async () => {
    const ns = await space();
    await client.configmaps(ns).create(map('a'));
    const [about] = (await client.configmaps(ns).list()).items;
    assert.ok(about);
    const recorder = createEventRecorder({ ...environment, client, component: 'tester' });
    recorder.event(about, 'Warning', 'Tried', 'It was tried');
    const event = await eventOf(ns, 'Tried');
    assert.deepEqual(
      [event.involvedObject.kind, event.involvedObject.name, event.source?.component, event.type],
      ['ConfigMap', 'a', 'tester', 'Warning'],
    );
  });

  it('waits for conditions', async () => {
    const ns = await space();
    const waiting = waitFor(client, 'v1/configmaps', {
      ...{ clock: systemClock, name: 'late', namespace: ns },
      until: obj => obj?.data?.['ready'] === 'yes',
    });
    await client.configmaps(ns).create(map('late'));
    await client.configmaps(ns).patch('late', 'merge', { data: { ready: 'yes' } });
    assert.equal((await waiting)?.data?.['ready'], 'yes');
  });

  it('handles custom resources by type', async () => {
    const ns = await space();
    await client.customresourcedefinitions().create(definition);
    await waitFor(client, 'apiextensions.k8s.io/v1/customresourcedefinitions', {
      ...{ clock: systemClock, name: definition.metadata.name },
      until: obj =>
        obj?.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') ?? false,
    });
    const own = client.resource(gadgets, ns);
    let made: Gadget | undefined;
    // Established says that the names are taken; the first requests may still come too early.
    while (!made)
      made = await own
        .create({ metadata: { name: 'g' }, spec: { size: 1 } })
        .catch(e => (isNotFound(e) ? undefined : Promise.reject(e)));
    const changed = await own.patch('g', 'merge', { spec: { size: 2 } });
    assert.equal(changed.spec.size, 2);
    await own.updateStatus({ ...changed, status: { phase: 'Fine' } });
    const [listed] = (await own.list()).items;
    assert.deepEqual([listed?.kind, listed?.status?.phase], ['Gadget', 'Fine']);
    await client.customresourcedefinitions().delete(definition.metadata.name);
  });

  it('asks for tokens and acts with them, and for others', async () => {
    const ns = await space();
    const request = { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', spec: { expirationSeconds: 600 } };
    const { status } = await client
      .serviceaccounts(ns)
      .createSubresource<object, { status: { token: string } }>('default', 'token', request);
    const ca = original.pki.ca.certificate;
    const transport = http2Transport({ server: original.server, ca, token: status.token });
    ending.push(() => transport.close());
    await assert.rejects(createClient(transport).secrets(ns).list(), isForbidden);
    await assert.rejects(
      client
        .with({ impersonate: { user: 'jane' } })
        .secrets(ns)
        .list(),
      /User "jane" cannot list/,
    );
  });

  it('says why a command, a log or a port cannot be had', async () => {
    const ns = await space();
    await client.pods(ns).create(pod('p'));
    const target = { namespace: ns, pod: 'p' };
    await assert.rejects(
      exec(client, { ...target, command: ['true'], stdout: () => {} }),
      /does not have a host assigned/,
    );
    await assert.rejects(exec(client, { ...target, pod: 'q', command: ['true'], stdout: () => {} }), isNotFound);
    await assert.rejects(readLogs(client, { ...target, pod: 'q' }).next(), isNotFound);
    await assert.rejects(portForward(client, { ...target, pod: 'q', port: 80 }), isNotFound);
  });

  it('runs an operator, of which one leads', async () => {
    const ns = await space();
    const managers = ['one', 'two'].map(identity =>
      createManager({
        environment,
        client,
        controllers: [mirror],
        freeze: true,
        leaderElection: { namespace: ns, name: 'mirror', identity, retryMs: 100 },
      }),
    );
    for (const manager of managers) {
      ending.push(() => manager.stop());
      await manager.start();
    }
    const annotations = { 'example.com/mirror': 'yes' };
    const mirrored = (name: string) =>
      waitFor(client, 'v1/secrets', {
        ...{ clock: systemClock, name, namespace: ns },
        until: secret => secret !== undefined,
      });
    await client.configmaps(ns).create({ metadata: { name: 'a', annotations }, data: { k: 'v' } });
    assert.deepEqual((await mirrored('a'))?.data, { k: btoa('v') });
    await managers[0]?.stop();
    await client.configmaps(ns).create({ metadata: { name: 'b', annotations }, data: { k: 'w' } });
    assert.deepEqual((await mirrored('b'))?.data, { k: btoa('w') });
    assert.equal((await eventOf(ns, 'Mirrored')).involvedObject.kind, 'ConfigMap');
  });
});
