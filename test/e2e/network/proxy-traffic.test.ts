/** Services as traffic meets them, from the objects to the kernel: policies, families, node ports, flows that must live or be forgotten. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { EndpointSlice, Pod, Service, ServiceSpec } from '../../../src/api/types/index.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { type ConntrackRunner, clearForgottenUdp, clearStaleUdp } from '../../../src/proxy/conntrack.ts';
import { hostPortFrontends } from '../../../src/proxy/host-ports.ts';
import { type Frontend, frontendsOf } from '../../../src/proxy/model.ts';
import { createServiceTable, type ServiceTable } from '../../../src/proxy/nftables/table.ts';
import { createPodNetwork, type Namespace, type PodNetwork } from '../../support/netns.ts';

const support = join(import.meta.dirname, '..', '..', 'support');
const root = process.getuid?.() === 0;
const v4 = (i: number) => `10.88.0.${i + 2}`;
const v6 = (i: number) => `fd88::${i + 2}`;
const streamPort = 9000;
type From = 'host' | 'outside' | number;

/** Node has no SCTP; socat speaks it where the kernel does. */
function whyNoSctp(): string | false {
  const protocols = readFileSync('/proc/net/protocols', 'utf8');
  if (!/^SCTP\b/m.test(protocols))
    return 'this kernel has no SCTP (or its module is not loaded): only the rules are checked';
  return ['/usr/bin/socat', '/usr/local/bin/socat'].some(existsSync) ? false : 'needs socat';
}

interface ServiceOf {
  readonly name: string;
  readonly spec: Partial<ServiceSpec>;
  /** Pods of this node, and pods that are told to run on another. */
  readonly here?: readonly number[];
  readonly there?: readonly number[];
  readonly targetPort?: number;
  readonly ingress?: string;
}

describe('services in the kernel', { skip: root ? false : 'needs root for network namespaces' }, () => {
  let network: PodNetwork;
  let table: ServiceTable;
  const known = new Map<string, readonly Frontend[]>();
  before(async () => {
    network = await createPodNetwork(4);
    table = createServiceTable({
      ...{ table: 'tsukube-test', log: silentLogger, metrics: createMetrics(), families: ['ip', 'ip6'] },
      podCidrs: ['10.88.0.0/24', 'fd88::/64'],
      serviceCidrs: ['10.99.0.0/16', 'fd99::/112'],
      run: script => network.host.nft(script),
    });
    await Promise.all(
      [0, 1, 2].map(async i => {
        await network.pods[i]?.start(process.execPath, join(support, 'echo-server.ts'), `pod${i}`, '8080');
        await network.pods[i]?.start(process.execPath, join(support, 'stream.ts'), 'server', '', String(streamPort));
      }),
    );
    await table.load(new Map());
  });
  after(async () => network?.remove());

  function frontendsNow(service: ServiceOf): readonly Frontend[] {
    const port = service.spec.ports?.[0];
    const made: Service = {
      metadata: { name: service.name, namespace: 'a' },
      spec: service.spec,
      status: { loadBalancer: { ingress: service.ingress === undefined ? [] : [{ ip: service.ingress }] } },
    };
    const slices = (['IPv4', 'IPv6'] as const).map(
      (addressType): EndpointSlice => ({
        metadata: { name: `${service.name}-${addressType}`, namespace: 'a' },
        addressType,
        ports: [{ name: port?.name ?? '', port: service.targetPort ?? 8080, protocol: port?.protocol ?? 'TCP' }],
        endpoints: [...(service.here ?? []), ...(service.there ?? [])].map(i => ({
          addresses: [addressType === 'IPv4' ? v4(i) : v6(i)],
          conditions: { ready: true },
          nodeName: service.here?.includes(i) ? 'here' : 'there',
        })),
      }),
    );
    return frontendsOf(made, slices, { name: 'here' });
  }
  async function set(service: ServiceOf): Promise<void> {
    const changes = new Map([[`a/${service.name}`, frontendsNow(service)]]);
    await table.update(changes);
    await clearStaleUdp(changes, known, conntrack);
    for (const [key, frontends] of changes) known.set(key, frontends);
  }
  const conntrack: ConntrackRunner = args => network.host.run('conntrack', ...args).catch(() => '');
  function namespace(from: From): Namespace {
    const found = from === 'host' ? network.host : from === 'outside' ? network.outside : network.pods[from];
    assert.ok(found);
    return found;
  }
  async function ask(from: From, address: string, port: number, times = 1, protocol = 'tcp'): Promise<string[]> {
    const args = [join(support, 'ask.ts'), address, String(port), String(times), protocol];
    return (await namespace(from).run(process.execPath, ...args)).trim().split('\n');
  }
  const distinct = (answers: string[]) => [...new Set(answers)].sort();
  const ports = (nodePort?: number, protocol = 'TCP') => [
    { name: 'p', port: 80, protocol, ...(nodePort !== undefined && { nodePort }) },
  ];

  test('externalTrafficPolicy Cluster hides the client and uses every node', async () => {
    await set({ name: 'c', spec: { clusterIP: '10.99.1.1', ports: ports(30001) }, here: [0], there: [1] });
    assert.deepEqual(distinct(await ask('outside', '192.0.2.1', 30001, 20)), ['pod0 10.88.0.1', 'pod1 10.88.0.1']);
  });

  test('externalTrafficPolicy Local keeps the client’s address and this node’s endpoints', async () => {
    const spec = { clusterIP: '10.99.1.2', externalTrafficPolicy: 'Local', ports: ports(30002) };
    const service = { name: 'l', ingress: '192.0.2.1', spec };
    await set({ ...service, here: [0], there: [1] });
    assert.deepEqual(distinct(await ask('outside', '192.0.2.1', 30002, 10)), ['pod0 192.0.2.2']);
    assert.deepEqual(distinct(await ask('outside', '192.0.2.1', 80, 10)), ['pod0 192.0.2.2']);
    const inside = await ask(3, '192.0.2.1', 30002, 20);
    assert.deepEqual(distinct(inside), [`pod0 ${v4(3)}`, `pod1 ${v4(3)}`]);
  });

  test('Local without an endpoint here: silence outside, the others’ endpoints inside', async () => {
    const spec = { clusterIP: '10.99.1.3', externalTrafficPolicy: 'Local', ports: ports(30003) };
    await set({ name: 'n', spec, there: [1] });
    assert.deepEqual(await ask('outside', '192.0.2.1', 30003), ['timeout']);
    assert.deepEqual(await ask(3, '192.0.2.1', 30003), [`pod1 ${v4(3)}`]);
    assert.deepEqual(
      (await ask('host', '192.0.2.1', 30003)).map(a => a.split(' ')[0]),
      ['pod1'],
    );
  });

  test('internalTrafficPolicy Local', async () => {
    const spec = { clusterIP: '10.99.1.4', internalTrafficPolicy: 'Local', ports: ports() };
    await set({ name: 'i', spec, here: [2], there: [0, 1] });
    assert.deepEqual(distinct(await ask(3, '10.99.1.4', 80, 10)), [`pod2 ${v4(3)}`]);
    await set({ name: 'i', spec, there: [0, 1] });
    assert.deepEqual(await ask(3, '10.99.1.4', 80), ['timeout']);
  });

  test('both families, TCP and UDP', async () => {
    const spec = { clusterIPs: ['10.99.1.5', 'fd99::5'], clusterIP: '10.99.1.5' };
    await set({ name: 'd', spec: { ...spec, ports: ports(30005) }, here: [0] });
    await set({ name: 'du', spec: { ...spec, ports: ports(30006, 'UDP') }, here: [1] });
    assert.deepEqual(await ask(3, '10.99.1.5', 80), [`pod0 ${v4(3)}`]);
    assert.deepEqual(await ask(3, 'fd99::5', 80), [`pod0 ${v6(3)}`]);
    assert.deepEqual(await ask(3, 'fd99::5', 80, 1, 'udp'), [`pod1 ${v6(3)}`]);
    assert.deepEqual(await ask('host', 'fd99::5', 80), ['pod0 fd88::1']);
    assert.deepEqual(await ask('outside', '2001:db8::1', 30005), ['pod0 fd88::1']);
    assert.deepEqual(await ask('outside', '2001:db8::1', 30006, 1, 'udp'), ['pod1 fd88::1']);
    assert.deepEqual(await ask(0, 'fd99::5', 80), ['pod0 fd88::1'], 'hairpin');
  });

  test('a pod reaches itself through a node port', async () => {
    await set({ name: 'h', spec: { clusterIP: '10.99.1.6', ports: ports(30007) }, here: [0] });
    assert.deepEqual(await ask(0, '10.88.0.1', 30007), ['pod0 10.88.0.1']);
    assert.deepEqual(await ask(0, '192.0.2.1', 30007), ['pod0 10.88.0.1']);
    assert.deepEqual(await ask(1, '192.0.2.1', 30007), [`pod0 ${v4(1)}`]);
  });

  test('external addresses lead in', async () => {
    const spec = { clusterIP: '10.99.1.7', externalIPs: ['192.0.2.77'], ports: ports() };
    await network.outside.run('ip', 'route', 'add', '192.0.2.77', 'via', '192.0.2.1');
    await set({ name: 'e', spec, here: [1] });
    assert.deepEqual(await ask('outside', '192.0.2.77', 80), ['pod1 10.88.0.1']);
    assert.deepEqual(await ask('host', '192.0.2.77', 80), ['pod1 10.88.0.1']);
  });

  test('host ports lead to their pod, and keep the client’s address', async () => {
    const pod: Pod = {
      metadata: { name: 'p', namespace: 'a' },
      spec: { containers: [{ name: 'c', ports: [{ containerPort: 8080, hostPort: 8081 }] }] },
      status: { phase: 'Running', podIPs: [{ ip: v4(0) }, { ip: v6(0) }] },
    };
    await table.update(new Map([['pod:a/p', hostPortFrontends(pod)]]));
    assert.deepEqual(await ask('outside', '192.0.2.1', 8081), ['pod0 192.0.2.2']);
    assert.deepEqual(await ask('outside', '2001:db8::1', 8081), ['pod0 2001:db8::2']);
    assert.deepEqual(await ask(1, '10.88.0.1', 8081), [`pod0 ${v4(1)}`]);
    assert.deepEqual(await ask(0, '192.0.2.1', 8081), ['pod0 10.88.0.1'], 'hairpin');
    assert.match((await ask('host', '192.0.2.1', 8081)).join(), /^pod0 /);
    await table.update(new Map([['pod:a/p', []]]));
    assert.deepEqual(await ask('outside', '192.0.2.1', 8081), ['ECONNREFUSED']);
  });

  test('an address or port that no service has is refused at once', async () => {
    for (const from of [3, 'host'] as const) {
      assert.deepEqual(await ask(from, '10.99.200.1', 80), ['ECONNREFUSED']);
      assert.deepEqual(await ask(from, 'fd99::ee', 80), ['ECONNREFUSED']);
    }
  });

  test('a UDP client that keeps its socket is led to the new backend', async () => {
    const spec = { clusterIP: '10.99.1.8', ports: ports(undefined, 'UDP') };
    const client = (port: number) =>
      namespace(3).run(process.execPath, join(support, 'ask.ts'), '10.99.1.8', '80', '1', 'udp', String(port));
    await set({ name: 'u', spec, here: [0] });
    assert.equal((await client(5555)).trim(), `pod0 ${v4(3)}`);
    await set({ name: 'u', spec, here: [1] });
    assert.equal((await client(5555)).trim(), `pod1 ${v4(3)}`);
    await set({ name: 'u', spec });
    await client(5555);
    await set({ name: 'u', spec, here: [2] });
    assert.equal((await client(5555)).trim(), `pod2 ${v4(3)}`);
  });

  test('a proxy that starts forgets flows to backends that went meanwhile', async () => {
    const spec = { clusterIP: '10.99.1.12', ports: ports(undefined, 'UDP') };
    const client = (port: number) =>
      namespace(3).run(process.execPath, join(support, 'ask.ts'), '10.99.1.12', '80', '1', 'udp', String(port));
    await set({ name: 'restart', spec, here: [0] });
    assert.equal((await client(5556)).trim(), `pod0 ${v4(3)}`);
    const changes = new Map([['a/restart', frontendsNow({ name: 'restart', spec, here: [1] })]]);
    await table.update(changes);
    assert.equal((await client(5556)).trim(), `pod0 ${v4(3)}`, 'the kernel still remembers');
    await clearForgottenUdp(changes, undefined, conntrack);
    assert.equal((await client(5556)).trim(), `pod1 ${v4(3)}`);
  });

  test('node ports do not answer on loopback, host ports do', async () => {
    await namespace('host').run('sysctl', '-qw', 'net.ipv4.conf.br0.route_localnet=1');
    await set({ name: 'lo', spec: { clusterIP: '10.99.1.13', ports: ports(30013) }, here: [0] });
    assert.deepEqual(await ask('host', '127.0.0.1', 30013), ['ECONNREFUSED']);
    assert.deepEqual(await ask('host', '::1', 30013), ['ECONNREFUSED']);
    const pod: Pod = {
      metadata: { name: 'lo', namespace: 'a' },
      spec: { containers: [{ name: 'c', ports: [{ containerPort: 8080, hostPort: 8082 }] }] },
      status: { phase: 'Running', podIPs: [{ ip: v4(0) }] },
    };
    await table.update(new Map([['pod:a/lo', hostPortFrontends(pod)]]));
    assert.deepEqual(await ask('host', '127.0.0.1', 8082), ['pod0 10.88.0.1']);
    await table.update(new Map([['pod:a/lo', []]]));
    assert.deepEqual(await ask('host', '127.0.0.1', 8082), ['ECONNREFUSED']);
  });

  test('an established connection does not notice changes of other services, nor new endpoints of its own', async () => {
    const spec = { clusterIP: '10.99.1.9', ports: ports() };
    await set({ name: 's', spec, here: [0], targetPort: streamPort });
    const life = namespace(3).run(process.execPath, join(support, 'stream.ts'), 'client', '10.99.1.9', '80', '1200');
    let over = false;
    const ended = life.finally(() => {
      over = true;
    });
    let changes = 0;
    while (!over) {
      await set({ name: 'o', spec: { clusterIP: '10.99.1.10', ports: ports(30010) }, here: [changes % 3] });
      await set({ name: 's', spec, here: changes % 2 ? [0] : [0, 1, 2], targetPort: streamPort });
      changes += 1;
    }
    assert.equal((await ended).trim(), 'connected\nalive');
    assert.ok(changes >= 3, `${changes} changes`);
  });

  test('SCTP reaches its pod', { skip: whyNoSctp() }, async () => {
    await set({ name: 'association', spec: { clusterIP: '10.99.1.14', ports: ports(undefined, 'SCTP') }, here: [0] });
    const server = "echo ready; exec socat SCTP4-LISTEN:8080,fork,reuseaddr SYSTEM:'echo pod0'";
    await namespace(0).start('sh', '-c', server);
    assert.equal((await namespace(3).run('socat', '-T', '3', 'STDIO', 'SCTP4:10.99.1.14:80')).trim(), 'pod0');
  });

  test('the kernel takes elements of SCTP services', async () => {
    await set({ name: 'sctp', spec: { clusterIP: '10.99.1.11', ports: ports(30011, 'SCTP') }, here: [0] });
    const listed = await network.host.run('nft', 'list', 'map', 'ip', 'tsukube-test', 'services');
    assert.match(listed, /10\.99\.1\.11 \. sctp \. 80 : goto pick_masquerade_1/);
  });
});
