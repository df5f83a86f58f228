import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import { type DecodedPacket, decode, encode, type Packet, type RecordType, streamEncode } from 'dns-packet';
import type { EndpointSlice, Service } from '../api/types/index.ts';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { createMetrics, type Metrics } from '../base/metrics.ts';
import { seededRandom } from '../base/random.ts';
import { createResponder } from './answer.ts';
import type { Forwarder } from './forward.ts';
import { createDnsMeter } from './meter.ts';
import { type DnsServer, startDnsServer } from './server.ts';
import { createZone, type Zone } from './zone.ts';

const clusterDomain = 'cluster.local';
const service = (name: string, spec: Service['spec']): Service => ({ metadata: { name, namespace: 'shop' }, spec });
const web = (clusterIP: string) => service('web', { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80 }] });
const alias = (name: string, externalName: string) => service(name, { type: 'ExternalName', externalName });
const endpointsOf = (of: string, count: number): EndpointSlice => ({
  metadata: { name: of, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } },
  addressType: 'IPv4',
  endpoints: Array.from({ length: count }, (_, i) => ({ addresses: [`10.42.${i >> 8}.${i & 255}`] })),
});

interface Fixture {
  readonly zone: Zone;
  readonly server: DnsServer;
  readonly asked: string[];
  readonly metrics: Metrics;
  udp(question: Partial<Packet>): Promise<DecodedPacket & { size: number }>;
  tcp(...questions: Partial<Packet>[]): Promise<DecodedPacket[]>;
}
const open: DnsServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(server => server.close()));
});

async function serve(namespaceOf?: (address: string) => string | undefined): Promise<Fixture> {
  const zone = createZone({ clusterDomain, ttl: 5 });
  const asked: string[] = [];
  const forwarder: Forwarder = {
    async resolve(name, type) {
      asked.push(`${type} ${name}`);
      const known = name.endsWith('example.org');
      const answers = type === 'A' && known ? [{ name, type: 'A' as const, ttl: 60, data: '192.0.2.1' }] : [];
      return { code: known ? 'NOERROR' : 'NXDOMAIN', answers, authorities: [] };
    },
  };
  const responder = createResponder({ zone, forwarder, clusterDomain, ...(namespaceOf && { namespaceOf }) });
  const metrics = createMetrics();
  const meter = createDnsMeter(metrics, systemClock, clusterDomain);
  const environment = { clock: systemClock, log: silentLogger, meter };
  const server = await startDnsServer({ ...environment, address: '127.0.0.1', port: 0, responder });
  open.push(server);
  const query = (part: Partial<Packet>): Packet => ({ id: 7, type: 'query', flags: 0x100, ...part });
  return {
    ...{ zone, server, asked, metrics },
    udp: part =>
      new Promise((resolve, reject) => {
        const socket = createSocket('udp4');
        const send = () => socket.send(encode(query(part)), server.port, '127.0.0.1');
        // Datagrams may be lost under load; a server that does not answer ends the test.
        let left = 25;
        const again = setInterval(() => (left-- > 0 ? send() : finish(() => reject(new Error('no answer')))), 200);
        const finish = (act: () => void) => {
          clearInterval(again);
          socket.close();
          act();
        };
        socket.once('error', error => finish(() => reject(error)));
        socket.once('message', message => finish(() => resolve({ ...decode(message), size: message.length })));
        send();
      }),
    tcp: (...parts) =>
      new Promise((resolve, reject) => {
        const socket = connect(server.port, '127.0.0.1');
        let received = Buffer.alloc(0);
        const out: DecodedPacket[] = [];
        socket.once('error', reject);
        socket.on('data', (chunk: Buffer) => {
          received = Buffer.concat([received, chunk]);
          while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
            out.push(decode(received.subarray(2, 2 + received.readUInt16BE(0))));
            received = received.subarray(2 + received.readUInt16BE(0));
          }
          if (out.length < parts.length) return;
          socket.destroy();
          resolve(out);
        });
        const bytes = Buffer.concat(parts.map((part, i) => streamEncode(query({ id: i, ...part }))));
        // In pieces that end nowhere in particular.
        for (let i = 0; i < bytes.length; i += 11) socket.write(bytes.subarray(i, i + 11));
      }),
  };
}
const question = (name: string, type: RecordType = 'A'): Partial<Packet> => ({ questions: [{ name, type }] });
const rcode = (reply: DecodedPacket) => (reply as { rcode?: string }).rcode;
const data = (reply: DecodedPacket) => (reply.answers ?? []).map(a => (a as { data: unknown }).data);

test('a service that changes is answered anew at once, with the id and the letters of each question', async () => {
  const { zone, udp } = await serve();
  zone.setService(web('10.43.0.5'));
  for (const id of [1, 2, 65_535]) {
    const reply = await udp({ id, ...question('wEb.shop.svc.Cluster.local') });
    assert.deepEqual([reply.id, data(reply)], [id, ['10.43.0.5']]);
    assert.equal(reply.questions?.[0]?.name, 'wEb.shop.svc.Cluster.local');
    assert.equal(reply.answers?.[0]?.name, 'wEb.shop.svc.Cluster.local');
  }
  zone.setService(web('10.43.0.6'));
  assert.deepEqual(data(await udp(question('web.shop.svc.cluster.local'))), ['10.43.0.6']);
  zone.deleteService('shop/web');
  assert.equal(rcode(await udp(question('web.shop.svc.cluster.local'))), 'NXDOMAIN');
});

test('what does not fit a datagram is marked and comes whole over TCP', async () => {
  const { zone, udp, tcp } = await serve();
  zone.setService(service('big', { clusterIP: 'None' }));
  zone.setSlice(endpointsOf('big', 300));
  const name = 'big.shop.svc.cluster.local';
  const option = (udpPayloadSize: number) =>
    ({ type: 'OPT', name: '.', udpPayloadSize, flags: 0, options: [] }) as unknown as NonNullable<
      Packet['additionals']
    >[number];
  for (const additionals of [[], [option(512)], [option(4096)]]) {
    const reply = await udp({ ...question(name), additionals });
    assert.ok(reply.flag_tc && reply.size <= 1232, `${reply.size}`);
    assert.ok(data(reply).length >= 20, 'some, for clients that do not ask again');
    assert.equal(reply.additionals?.length, additionals.length);
  }
  const [whole] = await tcp(question(name));
  assert.equal(whole?.answers?.length, 300);
  zone.setSlice(endpointsOf('big', 30));
  assert.ok((await udp(question(name))).flag_tc, '30 addresses need more than 512 bytes');
  assert.equal((await udp({ ...question(name), additionals: [option(1232)] })).answers?.length, 30);
});

test('every client gets another first address, also from the cache and when a reply is cut', async () => {
  const { zone, udp, tcp } = await serve();
  zone.setService(service('few', { clusterIP: 'None' }));
  zone.setSlice(endpointsOf('few', 3));
  zone.setService(service('many', { clusterIP: 'None' }));
  zone.setSlice(endpointsOf('many', 300));
  for (const [name, ask, least] of [
    ['few', udp, 3],
    ['few', async (part: Partial<Packet>) => (await tcp(part))[0] as DecodedPacket, 3],
    ['many', udp, 10],
  ] as const) {
    const replies: DecodedPacket[] = [];
    for (let i = 0; i < 12; i++) replies.push(await ask(question(`${name}.shop.svc.cluster.local`)));
    assert.ok(new Set(replies.map(reply => data(reply)[0])).size >= least, name);
    if (name === 'few') for (const reply of replies) assert.equal(new Set(data(reply)).size, 3);
  }
});

test('one connection carries many questions', async () => {
  const { zone, tcp } = await serve();
  zone.setService(web('10.43.0.5'));
  const names = ['web.shop.svc.cluster.local', 'no.shop.svc.cluster.local', 'example.org'];
  const replies = await tcp(...names.map(name => question(name)));
  const byId = new Map(replies.map(reply => [reply.id, rcode(reply)]));
  assert.deepEqual([byId.get(0), byId.get(1), byId.get(2)], ['NOERROR', 'NXDOMAIN', 'NOERROR']);
});

test('aliases lead through the cluster and out of it, and not in circles', async () => {
  const { zone, udp, asked } = await serve();
  zone.setService(web('10.43.0.5'));
  zone.setService(alias('in', 'web.shop.svc.cluster.local'));
  zone.setService(alias('far', 'in.shop.svc.cluster.local'));
  zone.setService(alias('out', 'www.example.org'));
  zone.setService(alias('round', 'round.shop.svc.cluster.local'));
  const of = async (name: string, type?: RecordType) =>
    data(await udp(question(`${name}.shop.svc.cluster.local`, type)));
  assert.deepEqual(await of('far'), ['in.shop.svc.cluster.local', 'web.shop.svc.cluster.local', '10.43.0.5']);
  assert.deepEqual(await of('out'), ['www.example.org', '192.0.2.1']);
  assert.deepEqual(await of('out', 'CNAME'), ['www.example.org']);
  assert.ok((await of('round')).length <= 3);
  assert.deepEqual(asked, ['A www.example.org']);
});

test('a lookup with the search path of a pod costs one question upstream per type, and one round trip', async () => {
  const { zone, udp, asked } = await serve(() => 'shop');
  zone.setService(web('10.43.0.5'));
  const search = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];
  /** What glibc does with ndots:5: the suffixes in turn, then the name itself, until one has addresses. */
  const lookup = async (name: string) => {
    for (const [i, candidate] of [...search.map(suffix => `${name}.${suffix}`), name].entries()) {
      const [v4, v6] = await Promise.all([udp(question(candidate, 'A')), udp(question(candidate, 'AAAA'))]);
      if (data(v4).length + data(v6).length > 0) return { rounds: i + 1, code: rcode(v6) };
    }
    return undefined;
  };
  assert.deepEqual(await lookup('www.example.org'), { rounds: 1, code: 'NOERROR' });
  assert.deepEqual(asked.sort(), ['A www.example.org', 'AAAA www.example.org']);
  assert.equal((await lookup('web'))?.rounds, 1);
  assert.equal((await lookup('web.shop'))?.rounds, 1);
  assert.equal((await lookup('web.shop.svc'))?.rounds, 1);
  assert.equal(asked.length, 2, 'names of the cluster are not asked elsewhere');
});

test('the same name is another for pods of other namespaces', async () => {
  let namespace: string | undefined = 'other';
  const { udp } = await serve(() => namespace);
  const name = 'www.example.org.shop.svc.cluster.local';
  assert.equal(rcode(await udp(question(name))), 'NXDOMAIN');
  namespace = 'shop';
  assert.deepEqual(data(await udp(question(name))), ['www.example.org', '192.0.2.1']);
  namespace = undefined;
  assert.equal(rcode(await udp(question(name))), 'NXDOMAIN');
});

test('what is no ordinary question is refused in its own way', async () => {
  const { udp } = await serve();
  const update = await udp({ flags: 5 << 11, ...question('a.example') });
  assert.equal(rcode(update), 'NOTIMP');
  assert.equal(rcode(await udp({ questions: [] })), 'FORMERR');
  const option = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    ednsVersion: 1,
    extendedRcode: 0,
    flags: 0,
    options: [],
  };
  const later = await udp({ ...question('a.example'), additionals: [option as never] });
  assert.deepEqual(
    [rcode(later), (later.additionals?.[0] as { extendedRcode?: number } | undefined)?.extendedRcode],
    ['NOERROR', 1],
  );
  const chaos = { questions: [{ name: 'version.bind', type: 'TXT' as const, class: 'CH' as const }] };
  assert.equal(rcode(await udp(chaos)), 'REFUSED');
});

test('random packets do no harm', async () => {
  const { zone, server, udp } = await serve(() => 'shop');
  zone.setService(web('10.43.0.5'));
  const random = seededRandom(20_261_120);
  const valid = encode({ id: 1, type: 'query', flags: 0x100, ...question('web.shop.svc.cluster.local') });
  const socket = createSocket('udp4');
  const end = performance.now() + 1500;
  for (let i = 0; i < 20_000 && performance.now() < end; i++) {
    const message = Buffer.from(i % 2 ? valid : Buffer.alloc(random.int(300)));
    for (let n = 0; n <= random.int(i % 2 ? 8 : 300) && message.length > 0; n++)
      message[random.int(message.length)] = random.int(256);
    await new Promise<void>(resolve => socket.send(message, server.port, '127.0.0.1', () => resolve()));
  }
  socket.close();
  assert.deepEqual(data(await udp(question('web.shop.svc.cluster.local'))), ['10.43.0.5']);
});

test('answers are counted as CoreDNS counts them, also those from the cache', async () => {
  const { zone, server, udp, tcp, metrics } = await serve();
  zone.setService(web('10.43.0.5'));
  for (let i = 0; i < 3; i++) await udp(question('web.shop.svc.cluster.local'));
  await tcp(question('no.shop.svc.cluster.local'));
  await udp(question('www.example.org', 'AAAA'));
  const text = metrics.text();
  const at = `server="dns://127.0.0.1:${server.port}"`;
  const count = (name: string, labels: string) =>
    Number(new RegExp(`^${name}\\{${labels}\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  const inside = 'view="",zone="cluster.local."';
  assert.ok(count('coredns_dns_requests_total', `family="1",proto="udp",${at},type="A",${inside}`) >= 3, text);
  assert.equal(count('coredns_dns_requests_total', `family="1",proto="tcp",${at},type="A",${inside}`), 1);
  assert.ok(count('coredns_dns_requests_total', `family="1",proto="udp",${at},type="AAAA",view="",zone="."`) >= 1);
  assert.equal(count('coredns_dns_responses_total', `plugin="kubernetes",rcode="NXDOMAIN",${at},${inside}`), 1);
  assert.ok(count('coredns_dns_request_duration_seconds_count', `${at},${inside}`) >= 4);
});
