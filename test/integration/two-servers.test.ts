/** Two API servers side by side on one store. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { APIVersions } from '../../src/api/types/meta-v1.ts';
import { type ApiServer, createApiServer } from '../../src/apiserver/index.ts';
import { strategies } from '../../src/apiserver/registry/index.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { createMemoryStore, type MemoryStore } from '../../src/store/memory/index.ts';

describe('two servers on one store', () => {
  let store: MemoryStore;
  const servers: ApiServer[] = [];
  const clients: Client[] = [];

  before(async () => {
    store = createMemoryStore({ clock: systemClock });
    const addresses = ['192.0.2.1', '192.0.2.2'];
    await Promise.all(
      addresses.map(async address => {
        const server = createApiServer({
          clock: systemClock,
          random: systemRandom,
          log: silentLogger,
          metrics: createMetrics(),
          store,
          strategies,
          advertise: { address, port: 6443 },
        });
        servers.push(server);
        await server.start();
        clients.push(createClient(server.loopback));
      }),
    );
  });
  after(async () => {
    for (const server of servers) await server.close();
    await store.close();
  });
  const pair = (): [Client, Client] => [clients[0] as Client, clients[1] as Client];

  it('each reads at once what the other wrote', async () => {
    const [a, b] = pair();
    for (let i = 0; i < 50; i++) {
      const made = await a
        .resource('v1/configmaps', 'default')
        .create({ metadata: { name: `m-${i}` }, data: { i: String(i) } });
      const read = await b.resource('v1/configmaps', 'default').get(`m-${i}`);
      assert.equal(read.metadata.resourceVersion, made.metadata.resourceVersion);
    }
    assert.equal((await b.resource('v1/configmaps', 'default').list()).items.length, 50);
  });
  it('writers on both sides lose nothing', async () => {
    const [a, b] = pair();
    await a.resource('v1/configmaps', 'default').create({ metadata: { name: 'shared' } });
    const add = (client: Client, i: number) =>
      client.resource('v1/configmaps', 'default').patch('shared', 'merge', { data: { [`k${i}`]: 'v' } });
    await Promise.all(Array.from({ length: 100 }, (_, i) => add(i % 2 === 0 ? a : b, i)));
    const { data = {} } = await b.resource('v1/configmaps', 'default').get('shared');
    assert.equal(Object.keys(data).length, 100);
  });
  it('never give out an address or a port twice', async () => {
    const [a, b] = pair();
    const make = (client: Client, i: number) =>
      client.resource('v1/services', 'default').create({
        metadata: { name: `s-${i}` },
        spec: { type: 'NodePort', selector: { a: 'b' }, ports: [{ port: 80 }] },
      });
    const made = await Promise.all(Array.from({ length: 40 }, (_, i) => make(i % 2 === 0 ? a : b, i)));
    assert.equal(new Set(made.map(s => s.spec.clusterIP)).size, 40);
    assert.equal(new Set(made.map(s => s.spec.ports?.[0]?.nodePort)).size, 40);
  });
  it('each says where it is to be dialled', async () => {
    const told = pair().map(client => client.request<APIVersions>('GET', '/api'));
    const addresses = (await Promise.all(told)).map(t => t.serverAddressByClientCIDRs[0]?.serverAddress);
    assert.deepEqual(addresses.sort(), ['192.0.2.1:6443', '192.0.2.2:6443']);
  });
  it('the kubernetes service leads to both', async () => {
    const [a] = pair();
    const both = (ips: string[]) => ips.sort().join() === '192.0.2.1,192.0.2.2';
    const slices = a.resource('discovery.k8s.io/v1/endpointslices', 'default');
    const stop = AbortSignal.timeout(10_000);
    for await (const { object } of slices.watch({ fieldSelector: 'metadata.name=kubernetes', signal: stop }))
      if (both((object.endpoints ?? []).flatMap(e => e.addresses))) return;
    assert.fail('the watch ended before both servers were listed');
  });
});
