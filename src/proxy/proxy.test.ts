import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { handInformers } from '../../test/support/informers.ts';
import type { Pod, Service } from '../api/types/index.ts';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { seededRandom } from '../base/random.ts';
import { virtualClock } from '../base/virtual-clock.ts';
import { createHealthServers } from './health.ts';
import { hostPortFrontends } from './host-ports.ts';
import { type ProxyBackend, startProxy } from './index.ts';
import type { Frontend } from './model.ts';

const service = (name: string, clusterIP: string): Service => ({
  metadata: { name, namespace: 'shop' },
  spec: { clusterIP, ports: [{ port: 80 }] },
});
const slice = (of: string, ip: string) => ({
  metadata: { name: `${of}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } },
  ...{ addressType: 'IPv4', ports: [{ name: '', port: 8080 }] },
  endpoints: [{ addresses: [ip] }],
});
const pod = (spec: Partial<Pod['spec']>, status: Pod['status'] = {}): Pod => ({
  metadata: { name: 'p', namespace: 'shop' },
  spec: { containers: [], ...spec },
  status: { phase: 'Running', podIPs: [{ ip: '10.42.0.3' }, { ip: 'fd42::3' }], ...status },
});
const withPort = (port: object) => ({ containers: [{ name: 'c', ports: [{ containerPort: 8080, ...port }] }] });

/** Keeps what it was told, and refuses when asked to. */
function memoryBackend() {
  const state = new Map<string, readonly Frontend[]>();
  const backend: ProxyBackend & { fail: boolean; updates: number } = {
    fail: false,
    updates: 0,
    async load(services) {
      for (const [key, list] of services) state.set(key, list);
    },
    async update(changes) {
      if (backend.fail) throw new Error('no');
      backend.updates += 1;
      for (const [key, list] of changes) state.set(key, list);
    },
    async remove() {},
  };
  const text = () =>
    [...state]
      .flatMap(([key, list]) => list.map(f => `${key} ${f.address ?? '*'}:${f.port} ${f.backends.map(b => b.ip)}`))
      .sort();
  return { backend, text };
}

async function start(skipAddresses: string[] = []) {
  const clock = virtualClock();
  const hand = handInformers();
  const memory = memoryBackend();
  const environment = { clock, random: seededRandom(1), log: silentLogger, metrics: createMetrics() };
  const options = {
    ...{
      ...environment,
      informers: hand.factory,
      backend: memory.backend,
      nodeName: 'here',
      families: ['ip'] as const,
    },
    skipAddresses,
    pods: hand.factory.informer('v1/pods'),
  };
  return { clock, hand, ...memory, start: () => startProxy(options) };
}
const slices = 'discovery.k8s.io/v1/endpointslices';

test('loads what is there, then follows; a burst is one update', async () => {
  const { clock, hand, backend, text, start: begin } = await start(['10.43.0.10']);
  hand.put('v1/services', service('web', '10.43.0.5'));
  hand.put('v1/services', service('dns', '10.43.0.10'));
  hand.put(slices, slice('web', '10.42.0.7'));
  const proxy = await begin();
  assert.deepEqual(text(), ['shop/web 10.43.0.5:80 10.42.0.7']);
  await clock.advance(100);
  const { updates } = backend;
  for (let i = 0; i < 50; i++) hand.put(slices, slice('web', `10.42.0.${i}`));
  hand.put('v1/services', service('new', '10.43.0.6'));
  await clock.advance(100);
  assert.equal(backend.updates, updates + 1);
  assert.deepEqual(text(), ['shop/new 10.43.0.6:80 ', 'shop/web 10.43.0.5:80 10.42.0.49']);
  hand.remove('v1/services', 'shop/web');
  await clock.advance(100);
  assert.deepEqual(text(), ['shop/new 10.43.0.6:80 ']);
  await proxy.stop();
});

test('a slice that moves to another service leaves the first', async () => {
  const { clock, hand, text, start: begin } = await start();
  for (const name of ['a', 'b']) hand.put('v1/services', service(name, name === 'a' ? '10.43.0.1' : '10.43.0.2'));
  hand.put(slices, slice('a', '10.42.0.7'));
  const proxy = await begin();
  hand.put(slices, { ...slice('b', '10.42.0.7'), metadata: { ...slice('b', '').metadata, name: 'a-1' } });
  await clock.advance(100);
  assert.deepEqual(text(), ['shop/a 10.43.0.1:80 ', 'shop/b 10.43.0.2:80 10.42.0.7']);
  await proxy.stop();
});

test('what the backend refused is tried again, with what came meanwhile', async () => {
  const { clock, hand, backend, text, start: begin } = await start();
  const proxy = await begin();
  backend.fail = true;
  hand.put('v1/services', service('web', '10.43.0.5'));
  await clock.advance(100);
  hand.put('v1/services', service('late', '10.43.0.6'));
  backend.fail = false;
  await clock.advance(5000);
  assert.deepEqual(text(), ['shop/late 10.43.0.6:80 ', 'shop/web 10.43.0.5:80 ']);
  await proxy.stop();
});

test('host ports come and go with their pod', async () => {
  const { clock, hand, text, start: begin } = await start();
  const proxy = await begin();
  hand.put('v1/pods', pod(withPort({ hostPort: 80 }), { podIPs: [] }));
  hand.put('v1/pods', pod(withPort({ hostPort: 80 })));
  await clock.advance(100);
  assert.deepEqual(text(), ['pod:shop/p *:80 10.42.0.3', 'pod:shop/p *:80 fd42::3']);
  hand.put('v1/pods', pod(withPort({ hostPort: 80 }), { phase: 'Succeeded' }));
  await clock.advance(100);
  assert.deepEqual(text(), []);
  await proxy.stop();
});

const hostPorts: [what: string, pod: Pod, frontends: string[]][] = [
  ['no host port', pod(withPort({})), []],
  ['one address', pod(withPort({ hostPort: 53, hostIP: '192.0.2.1', protocol: 'UDP' })), ['ip 192.0.2.1 udp 53 8080']],
  ['every address', pod(withPort({ hostPort: 80, hostIP: '0.0.0.0' })), ['ip * tcp 80 8080', 'ip6 * tcp 80 8080']],
  ['the node’s own network', pod({ hostNetwork: true, ...withPort({ hostPort: 80 }) }), []],
  ['a pod that failed', pod(withPort({ hostPort: 80 }), { phase: 'Failed' }), []],
  [
    'a sidecar, not a container that ends',
    pod({
      initContainers: [
        { name: 's', restartPolicy: 'Always', ports: [{ containerPort: 1, hostPort: 81, hostIP: 'fd00::1' }] },
        { name: 'i', ports: [{ containerPort: 1, hostPort: 82 }] },
      ],
    }),
    ['ip6 fd00::1 tcp 81 1'],
  ],
];
for (const [what, made, frontends] of hostPorts) {
  test(`host ports: ${what}`, () => {
    const text = hostPortFrontends(made).map(
      f => `${f.family} ${f.address ?? '*'} ${f.protocol} ${f.port} ${f.backends[0]?.port}`,
    );
    assert.deepEqual(text, frontends);
  });
}

test('the health-check port answers 200 with endpoints here and 503 without, and closes', async () => {
  const probe = createServer();
  await new Promise<void>(resolve => probe.listen(0, resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise(resolve => probe.close(resolve));
  let healthy = true;
  const health = createHealthServers(silentLogger, () => healthy);
  try {
    const ask = async (attempts = 200): Promise<Response> => {
      try {
        return await fetch(`http://127.0.0.1:${port}/`);
      } catch (error) {
        if (attempts === 0) throw error;
        await new Promise<void>(resolve => systemClock.setTimer(resolve, 5));
        return ask(attempts - 1);
      }
    };
    health.set('shop/web', { port, localEndpoints: 2 });
    const good = await ask();
    assert.equal(good.status, 200);
    const body = { service: { namespace: 'shop', name: 'web' }, localEndpoints: 2, serviceProxyHealthy: true };
    assert.equal(good.headers.get('content-type'), 'application/json');
    assert.equal(good.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(good.headers.get('x-load-balancing-endpoint-weight'), '2');
    assert.deepEqual(await good.json(), body);
    healthy = false;
    const late = await ask();
    assert.equal(late.status, 503);
    assert.deepEqual(await late.json(), { ...body, serviceProxyHealthy: false });
    healthy = true;
    health.set('shop/web', { port, localEndpoints: 0 });
    assert.equal((await ask()).status, 503);
  } finally {
    await health.close();
  }
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
});

test('hints follow the zone of the node', async () => {
  const { clock, hand, text, start: begin } = await start();
  const inZone = (ip: string, zone: string) => ({ addresses: [ip], hints: { forZones: [{ name: zone }] } });
  const node = (zone: string) => ({
    metadata: { name: 'here', labels: { 'topology.kubernetes.io/zone': zone } },
    spec: {},
  });
  hand.put('v1/nodes', node('a'));
  hand.put('v1/services', service('web', '10.43.0.5'));
  hand.put(slices, { ...slice('web', ''), endpoints: [inZone('10.42.0.7', 'a'), inZone('10.42.0.8', 'b')] } as never);
  const proxy = await begin();
  assert.deepEqual(text(), ['shop/web 10.43.0.5:80 10.42.0.7']);
  hand.put('v1/nodes', node('b'));
  await clock.advance(100);
  assert.deepEqual(text(), ['shop/web 10.43.0.5:80 10.42.0.8']);
  hand.remove('v1/nodes', 'here');
  await clock.advance(100);
  assert.deepEqual(text(), ['shop/web 10.43.0.5:80 10.42.0.7,10.42.0.8']);
  await proxy.stop();
});

test('it is unhealthy when changes wait for a minute, and well again when they are in', async () => {
  const { clock, hand, backend, start: begin } = await start();
  const proxy = await begin();
  await clock.advance(100);
  backend.fail = true;
  hand.put('v1/services', service('web', '10.43.0.5'));
  await clock.advance(59_000);
  assert.equal(proxy.health().healthy, true);
  await clock.advance(2_000);
  assert.equal(proxy.health().healthy, false);
  backend.fail = false;
  await clock.advance(2_000);
  assert.equal(proxy.health().healthy, true);
  await clock.advance(3_600_000);
  assert.equal(proxy.health().healthy, true, 'nothing to do is no delay');
  await proxy.stop();
});
