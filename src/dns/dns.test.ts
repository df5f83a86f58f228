import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import { type Answer, type DecodedPacket, decode, encode, type RecordType, streamEncode } from 'dns-packet';
import type { EndpointSlice, Service } from '../api/types/index.ts';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { seededRandom } from '../base/random.ts';
import { createResponder } from './answer.ts';
import { createForwarder, type Forwarder } from './forward.ts';
import { createDnsMeter } from './meter.ts';
import { type DnsServer, startDnsServer } from './server.ts';
import { createZone, type QuestionType, reverseAddress } from './zone.ts';

const clusterDomain = 'cluster.local';
const meta = (name: string, labels?: Record<string, string>) => ({
  name,
  namespace: 'shop',
  ...(labels && { labels }),
});
const web: Service = {
  metadata: meta('web'),
  spec: {
    clusterIP: '10.43.0.5',
    clusterIPs: ['10.43.0.5', 'fd00::5'],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  },
};
const database: Service = {
  metadata: meta('db'),
  spec: { clusterIP: 'None', clusterIPs: ['None'], ports: [{ name: 'sql', port: 5432 }] },
};
const outside: Service = { metadata: meta('out'), spec: { type: 'ExternalName', externalName: 'Example.ORG.' } };
const databaseSlice: EndpointSlice = {
  metadata: meta('db-1', { 'kubernetes.io/service-name': 'db' }),
  addressType: 'IPv4',
  ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
  endpoints: [
    { addresses: ['10.42.0.7'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.42.0.8'], conditions: { ready: true } },
    { addresses: ['10.42.0.9'], conditions: { ready: false } },
  ],
};

function filledZone() {
  const zone = createZone({ clusterDomain, ttl: 5 });
  for (const service of [web, database, outside]) zone.setService(service);
  zone.setSlice(databaseSlice);
  zone.setNamespace('shop');
  return zone;
}
const data = (answers: readonly Answer[]) =>
  answers.map(a => (a.type === 'SRV' ? `${a.data.target}:${a.data.port}` : String((a as { data: unknown }).data)));

const cases: [name: string, type: QuestionType, code: string | undefined, answers?: string[]][] = [
  ['web.shop.svc.cluster.local', 'A', 'NOERROR', ['10.43.0.5']],
  ['WEB.Shop.svc.cluster.LOCAL', 'AAAA', 'NOERROR', ['fd00::5']],
  ['web.shop.svc.cluster.local', 'OTHER', 'NOERROR', []],
  ['_http._tcp.web.shop.svc.cluster.local', 'SRV', 'NOERROR', ['web.shop.svc.cluster.local:80']],
  ['_http._udp.web.shop.svc.cluster.local', 'SRV', 'NXDOMAIN', []],
  ['db.shop.svc.cluster.local', 'A', 'NOERROR', ['10.42.0.7', '10.42.0.8']],
  ['db-0.db.shop.svc.cluster.local', 'A', 'NOERROR', ['10.42.0.7']],
  ['10-42-0-8.db.shop.svc.cluster.local', 'A', 'NOERROR', ['10.42.0.8']],
  ['10-42-0-9.db.shop.svc.cluster.local', 'A', 'NXDOMAIN', []],
  [
    '_sql._tcp.db.shop.svc.cluster.local',
    'SRV',
    'NOERROR',
    ['db-0.db.shop.svc.cluster.local:5432', '10-42-0-8.db.shop.svc.cluster.local:5432'],
  ],
  ['nothing.shop.svc.cluster.local', 'A', 'NXDOMAIN', []],
  ['shop.svc.cluster.local', 'A', 'NOERROR', []],
  ['absent.svc.cluster.local', 'A', 'NXDOMAIN', []],
  ['10-42-0-7.shop.pod.cluster.local', 'A', 'NOERROR', ['10.42.0.7']],
  ['10-42-0-7.absent.pod.cluster.local', 'A', 'NXDOMAIN', []],
  ['dns-version.cluster.local', 'TXT', 'NOERROR', ['1.1.0']],
  ['5.0.43.10.in-addr.arpa', 'PTR', 'NOERROR', ['web.shop.svc.cluster.local']],
  ['7.0.42.10.in-addr.arpa', 'PTR', 'NOERROR', ['db-0.db.shop.svc.cluster.local']],
  ['1.1.1.1.in-addr.arpa', 'PTR', undefined],
  ['example.org', 'A', undefined],
];
for (const [name, type, code, answers] of cases) {
  test(`${type} ${name}`, () => {
    const answer = filledZone().answer(name, type);
    assert.equal(answer?.code, code);
    if (answer && answer.code !== 'ALIAS') assert.deepEqual(data(answer.answers), answers);
  });
}

test('an IPv6 reverse name is an address', () => {
  assert.equal(reverseAddress(`5.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`), 'fd00::5');
});

test('names go away with their service and slice', () => {
  const zone = filledZone();
  zone.deleteService('shop/web');
  zone.deleteSlice(databaseSlice);
  assert.equal(zone.answer('web.shop.svc.cluster.local', 'A')?.code, 'NXDOMAIN');
  assert.equal(zone.answer('5.0.43.10.in-addr.arpa', 'PTR'), undefined);
  assert.equal(zone.answer('db.shop.svc.cluster.local', 'A')?.code, 'NXDOMAIN');
});

// ---- over the wire ---------------------------------------------------------------------------------------------------

const open: DnsServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(server => server.close()));
});

async function serve(forwarder: Forwarder, namespaceOf?: (address: string) => string | undefined): Promise<DnsServer> {
  const responder = createResponder({
    zone: filledZone(),
    forwarder,
    clusterDomain,
    ...(namespaceOf && { namespaceOf }),
  });
  const server = await startDnsServer({
    address: '127.0.0.1',
    port: 0,
    responder,
    clock: systemClock,
    log: silentLogger,
    meter: createDnsMeter(createMetrics(), systemClock, clusterDomain),
  });
  open.push(server);
  return server;
}
function askUdp(port: number, name: string, type: RecordType): Promise<DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('message', message => {
      socket.close();
      resolve(decode(message));
    });
    socket.once('error', reject);
    socket.send(encode({ id: 7, type: 'query', flags: 0x100, questions: [{ name, type }] }), port, '127.0.0.1');
  });
}
function askTcp(port: number, name: string, type: RecordType): Promise<DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('data', (chunk: Buffer) => {
      socket.destroy();
      resolve(decode(chunk.subarray(2)));
    });
    socket.write(streamEncode({ id: 7, type: 'query', flags: 0x100, questions: [{ name, type }] }));
  });
}
const nothing: Forwarder = { resolve: async () => ({ code: 'NXDOMAIN', answers: [], authorities: [] }) };

test('answers over UDP and TCP, with SOA for names that are not there', async () => {
  const { port } = await serve(nothing);
  for (const ask of [askUdp, askTcp]) {
    const yes = await ask(port, 'web.shop.svc.cluster.local', 'A');
    assert.deepEqual(data(yes.answers ?? []), ['10.43.0.5']);
    const no = await ask(port, 'absent.shop.svc.cluster.local', 'A');
    assert.equal((no as { rcode?: string }).rcode, 'NXDOMAIN');
    assert.equal(no.authorities?.[0]?.type, 'SOA');
  }
});

test('the search path of a pod takes one question, not five', async () => {
  const asked: string[] = [];
  const forwarder: Forwarder = {
    async resolve(name) {
      asked.push(name);
      return { code: 'NOERROR', answers: [{ name, type: 'A', ttl: 60, data: '192.0.2.1' }], authorities: [] };
    },
  };
  const { port } = await serve(forwarder, address => (address === '127.0.0.1' ? 'shop' : undefined));
  const reply = await askUdp(port, 'example.org.shop.svc.cluster.local', 'A');
  assert.deepEqual(data(reply.answers ?? []), ['example.org', '192.0.2.1']);
  assert.deepEqual(asked, ['example.org']);
  const inside = await askUdp(port, 'web.shop.svc.shop.svc.cluster.local', 'A');
  assert.deepEqual(data(inside.answers ?? []), ['web.shop.svc.cluster.local', '10.43.0.5']);
});

test('an external name is an alias with the addresses of its target', async () => {
  const { port } = await serve({
    resolve: async name => ({
      code: 'NOERROR',
      answers: [{ name, type: 'A', ttl: 60, data: '192.0.2.9' }],
      authorities: [],
    }),
  });
  assert.deepEqual(data((await askUdp(port, 'out.shop.svc.cluster.local', 'A')).answers ?? []), [
    'example.org',
    '192.0.2.9',
  ]);
});

test('the forwarder passes a dead server by, caches, and asks once for many', async () => {
  let asked = 0;
  const counting: Forwarder = {
    async resolve(name) {
      asked += 1;
      return { code: 'NOERROR', answers: [{ name, type: 'A', ttl: 60, data: '192.0.2.1' }], authorities: [] };
    },
  };
  const upstream = await serve(counting);
  const forwarder = createForwarder({
    upstreams: ['127.0.0.1:1', `127.0.0.1:${upstream.port}`],
    clock: systemClock,
    random: seededRandom(1),
    metrics: createMetrics(),
  });
  const results = await Promise.all(Array.from({ length: 20 }, () => forwarder.resolve('example.org', 'A')));
  assert.ok(results.every(r => r.code === 'NOERROR' && data(r.answers)[0] === '192.0.2.1'));
  await forwarder.resolve('EXAMPLE.org', 'A');
  assert.equal(asked, 1);
});

test('without any upstream the answer is SERVFAIL, at once', async () => {
  const forwarder = createForwarder({
    upstreams: [],
    clock: systemClock,
    random: seededRandom(1),
    metrics: createMetrics(),
  });
  assert.equal((await forwarder.resolve('example.org', 'A')).code, 'SERVFAIL');
});

test('garbage is dropped and the server lives', async () => {
  const { port } = await serve(nothing);
  const socket = createSocket('udp4');
  await new Promise<void>(resolve => socket.send(Buffer.from([1, 2, 3]), port, '127.0.0.1', () => resolve()));
  socket.close();
  assert.deepEqual(data((await askUdp(port, 'web.shop.svc.cluster.local', 'A')).answers ?? []), ['10.43.0.5']);
});
