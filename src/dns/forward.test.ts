import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer } from 'node:net';
import { afterEach, test } from 'node:test';
import { type DecodedPacket, decode, encode, type Packet, streamEncode } from 'dns-packet';
import { systemClock } from '../base/clock.ts';
import { createMetrics } from '../base/metrics.ts';
import { seededRandom } from '../base/random.ts';
import { virtualClock } from '../base/virtual-clock.ts';
import { createForwarder, parseServer } from './forward.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

type Behaviour = (query: DecodedPacket, send: (packet: Packet) => void, socket: Socket, from: RemoteInfo) => void;
interface Upstream {
  readonly port: number;
  asked: number;
}

async function upstream(behaviour: Behaviour): Promise<Upstream> {
  const socket = createSocket('udp4');
  await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve));
  const made = { port: socket.address().port, asked: 0 };
  socket.on('message', (message, from) => {
    made.asked += 1;
    behaviour(decode(message), packet => socket.send(encode(packet), from.port, from.address), socket, from);
  });
  cleanups.push(() => new Promise<void>(resolve => socket.close(resolve)));
  return made;
}
const replyTo = (query: DecodedPacket, data: string, ttl = 60): Packet => ({
  ...{ id: query.id ?? 0, type: 'response', flags: 0x8180, questions: query.questions ?? [] },
  answers: [{ name: query.questions?.[0]?.name ?? '', type: 'A', ttl, data }],
});
const good: Behaviour = (query, send) => send(replyTo(query, '192.0.2.1'));
const silent: Behaviour = () => {};
const code =
  (rcode: number): Behaviour =>
  (query, send) =>
    send({ ...replyTo(query, ''), flags: 0x8180 | rcode, answers: [] });

function forwarder(ports: number[], rest: object = {}) {
  const upstreams = ports.map(port => `127.0.0.1:${port}`);
  return createForwarder({
    upstreams,
    clock: systemClock,
    random: seededRandom(1),
    metrics: createMetrics(),
    timeoutMs: 150,
    ...rest,
  });
}
const addresses = (result: { answers: readonly object[] }) => result.answers.map(a => (a as { data: string }).data);

test('a silent first server costs one time-out, not one per question', async () => {
  const [dead, alive] = [await upstream(silent), await upstream(good)];
  const made = forwarder([dead.port, alive.port]);
  for (const name of ['a.example', 'b.example', 'c.example'])
    assert.deepEqual(addresses(await made.resolve(name, 'A')), ['192.0.2.1']);
  assert.deepEqual([dead.asked, alive.asked], [1, 3]);
});

test('every server is asked before the answer is SERVFAIL', async () => {
  const [first, second] = [await upstream(code(2)), await upstream(code(2))];
  const made = forwarder([first.port, second.port]);
  assert.equal((await made.resolve('a.example', 'A')).code, 'SERVFAIL');
  assert.deepEqual([first.asked, second.asked], [1, 1]);
});

test('SERVFAIL and REFUSED are passed by; NXDOMAIN is an answer', async () => {
  const [failing, refusing, none] = [await upstream(code(2)), await upstream(code(5)), await upstream(code(3))];
  const made = forwarder([failing.port, refusing.port, none.port]);
  assert.equal((await made.resolve('a.example', 'A')).code, 'NXDOMAIN');
});

test('replies with another id, another question, or no sense are not believed', async () => {
  const lying = await upstream((query, send, socket, from) => {
    send({ ...replyTo(query, '203.0.113.6'), id: ((query.id ?? 0) + 1) & 0xffff });
    send({ ...replyTo(query, '203.0.113.6'), questions: [{ name: 'evil.example', type: 'A' }] });
    socket.send(Buffer.from([query.id ?? 0, 1, 2]), from.port, from.address);
    send(replyTo(query, '192.0.2.1'));
  });
  assert.deepEqual(addresses(await forwarder([lying.port]).resolve('a.example', 'A')), ['192.0.2.1']);
});

test('a truncated reply is asked for again over TCP', async () => {
  const udp = await upstream((query, send) => send({ ...replyTo(query, ''), flags: 0x8380, answers: [] }));
  const tcp = createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', (chunk: Buffer) => {
      const bytes = streamEncode(replyTo(decode(chunk.subarray(2)), '192.0.2.9'));
      // In two pieces, as a network may do.
      socket.write(bytes.subarray(0, 5));
      socket.end(bytes.subarray(5));
    });
  });
  await new Promise<void>(resolve => tcp.listen(udp.port, '127.0.0.1', resolve));
  cleanups.push(() => new Promise(resolve => tcp.close(resolve)));
  assert.deepEqual(addresses(await forwarder([udp.port], { timeoutMs: 1000 }).resolve('a.example', 'A')), [
    '192.0.2.9',
  ]);
});

test('room for larger answers is asked for, and given up with servers that do not know how', async () => {
  const options: number[] = [];
  const old = await upstream((query, send) => {
    const option = query.additionals?.find(a => a.type === 'OPT') as { udpPayloadSize: number } | undefined;
    options.push(option?.udpPayloadSize ?? 0);
    send(option ? { ...replyTo(query, ''), flags: 0x8181, answers: [] } : replyTo(query, '192.0.2.1'));
  });
  assert.deepEqual(addresses(await forwarder([old.port]).resolve('a.example', 'A')), ['192.0.2.1']);
  assert.deepEqual(options, [1232, 0]);
});

test('hits, misses and servers are counted as CoreDNS counts them', async () => {
  const metrics = createMetrics();
  const [none, server] = [await upstream(code(3)), await upstream(good)];
  const made = forwarder([server.port], { metrics });
  for (let i = 0; i < 3; i++) await made.resolve('a.example', 'A');
  const denied = forwarder([none.port], { metrics });
  for (let i = 0; i < 2; i++) await denied.resolve('no.example', 'A');
  const text = metrics.text();
  assert.match(text, /^coredns_cache_hits_total\{.*type="success".*\} 2$/m);
  assert.match(text, /^coredns_cache_hits_total\{.*type="denial".*\} 1$/m);
  assert.match(text, /^coredns_cache_misses_total\{.*\} 2$/m);
  const to = `proxy_name="forward",rcode="NOERROR",to="127.0.0.1:${server.port}"`;
  assert.ok(text.includes(`coredns_proxy_request_duration_seconds_count{${to}} 1`), text);
});

test('the cache counts lifetimes down, ends with them, and is bounded', async () => {
  const server = await upstream((query, send) => send(replyTo(query, '192.0.2.1', 30)));
  const clock = virtualClock();
  const made = forwarder([server.port], { clock, cacheSize: 2 });
  const ttl = async (name: string) => ((await made.resolve(name, 'A')).answers[0] as { ttl: number }).ttl;
  assert.equal(await ttl('a.example'), 30);
  await clock.advance(20_000);
  assert.equal(await ttl('A.Example'), 10);
  await clock.advance(11_000);
  assert.equal(await ttl('a.example'), 30);
  assert.equal(server.asked, 2);
  for (const name of ['b.example', 'c.example', 'a.example']) await ttl(name);
  assert.equal(server.asked, 5);
});

test('negative answers are kept as long as their SOA says, at most half a minute', async () => {
  const soa = { mname: 'm', rname: 'r', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 900 };
  const server = await upstream((query, send) =>
    send({
      ...{ ...replyTo(query, ''), flags: 0x8183, answers: [] },
      authorities: [{ name: 'example', type: 'SOA', ttl: 900, data: soa }],
    }),
  );
  const clock = virtualClock();
  const made = forwarder([server.port], { clock });
  for (const ms of [29_000, 2000, 0]) {
    assert.equal((await made.resolve('no.example', 'A')).code, 'NXDOMAIN');
    await clock.advance(ms);
  }
  assert.equal(server.asked, 2);
});

test('a flood of questions that nobody answers is bounded', async () => {
  const server = await upstream(silent);
  const made = forwarder([server.port], { maxInFlight: 5 });
  const results = await Promise.all(Array.from({ length: 50 }, (_, i) => made.resolve(`${i}.example`, 'A')));
  assert.ok(results.every(result => result.code === 'SERVFAIL'));
  assert.equal(server.asked, 5);
});

test('addresses of servers', () => {
  const cases = {
    '1.2.3.4': ['1.2.3.4', 53],
    '1.2.3.4:5': ['1.2.3.4', 5],
    '[::1]:5': ['::1', 5],
    'fd00::1': ['fd00::1', 53],
  };
  for (const [written, [host, port]] of Object.entries(cases)) assert.deepEqual(parseServer(written), { host, port });
});
