import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { afterEach, test } from 'node:test';
import { decode, encode } from 'dns-packet';
import { handInformers } from '../../test/support/informers.ts';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { seededRandom } from '../base/random.ts';
import { parseDnsConfig, parseHosts, parseStubDomains } from './config.ts';
import { createForwarding } from './forwarding.ts';
import { startClusterDns } from './index.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

test('kube-dns’s keys are read', () => {
  const { config, problems } = parseDnsConfig({
    upstreamNameservers: '["8.8.8.8", "[2001:4860:4860::8888]:53", "9.9.9.9:5353"]',
    stubDomains: '{"Acme.Local.": ["1.2.3.4"]}',
    hosts: '# ours\n192.0.2.1 db.example.org DB # the database\n2001:db8::1\tdb.example.org\n',
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(config.upstreams, ['8.8.8.8', '[2001:4860:4860::8888]:53', '9.9.9.9:5353']);
  assert.deepEqual([...config.stubDomains], [['acme.local', ['1.2.3.4']]]);
  assert.deepEqual(
    [...config.hosts],
    [
      ['db.example.org', ['192.0.2.1', '2001:db8::1']],
      ['db', ['192.0.2.1']],
    ],
  );
});

const wrong: [data: Record<string, string>, problem: RegExp][] = [
  [{ upstreamNameservers: '8.8.8.8' }, /^upstreamNameservers: /],
  [{ upstreamNameservers: '["dns.example.org"]' }, /"dns.example.org" is not the address of a resolver/],
  [{ stubDomains: '["acme.local"]' }, /^stubDomains: must be an object/],
  [{ stubDomains: '{"acme.local": "1.2.3.4"}' }, /must be a list/],
  [{ hosts: 'db 192.0.2.1' }, /^hosts: "db" is not an address/],
];
for (const [data, problem] of wrong) {
  test(`${JSON.stringify(data)} is named and left out, the rest counts`, () => {
    const { config, problems } = parseDnsConfig({ hosts: '192.0.2.1 db', ...data });
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', problem);
    if (!data['hosts']) assert.equal(config.hosts.size, 1);
  });
}

test('stub domains of flags', () => {
  assert.deepEqual(
    [...parseStubDomains(['acme.local=1.2.3.4', 'acme.local=1.2.3.5:5353', 'b.org=::1'])],
    [
      ['acme.local', ['1.2.3.4', '1.2.3.5:5353']],
      ['b.org', ['::1']],
    ],
  );
  assert.throws(() => parseStubDomains(['acme.local']), /is not like/);
  assert.throws(() => parseHosts('x y'), /not an address/);
});

/** A resolver that gives one address for every name. */
async function resolver(address: string): Promise<string> {
  const socket = createSocket('udp4');
  await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve));
  socket.on('message', (message, from) => {
    const { id = 0, questions = [] } = decode(message);
    const answers = [{ name: questions[0]?.name ?? '', type: 'A' as const, ttl: 60, data: address }];
    socket.send(encode({ id, type: 'response', flags: 0x8180, questions, answers }), from.port, from.address);
  });
  cleanups.push(() => new Promise<void>(resolve => socket.close(resolve)));
  return `127.0.0.1:${socket.address().port}`;
}

test('a name is asked of the resolvers of the longest domain that has its own', async () => {
  const [general, acme, inner] = await Promise.all(['192.0.2.1', '192.0.2.2', '192.0.2.3'].map(resolver));
  const routes = {
    upstreams: [general ?? ''],
    stubDomains: new Map([
      ['acme.local', [acme ?? '']],
      ['in.acme.local', [inner ?? '']],
    ]),
  };
  const forwarding = createForwarding(
    { clock: systemClock, random: seededRandom(1), metrics: createMetrics() },
    routes,
  );
  const of = async (name: string) =>
    (await forwarding.resolve(name, 'A')).answers.map(a => (a as { data: unknown }).data).join();
  assert.equal(await of('example.org'), '192.0.2.1');
  assert.equal(await of('acme.local'), '192.0.2.2');
  assert.equal(await of('a.b.ACME.local'), '192.0.2.2');
  assert.equal(await of('x.in.acme.local'), '192.0.2.3');
  assert.equal(await of('notacme.local'), '192.0.2.1');
  forwarding.setRoutes({ ...routes, stubDomains: new Map() });
  assert.equal(await of('acme.local'), '192.0.2.1');
});

test('the config map takes effect while DNS runs, and no more when it goes', async () => {
  const [general, acme] = await Promise.all(['192.0.2.1', '192.0.2.2'].map(resolver));
  const hand = handInformers();
  const dns = await startClusterDns({
    ...{ clock: systemClock, random: seededRandom(1), log: silentLogger, metrics: createMetrics() },
    ...{ informers: hand.factory, addresses: ['127.0.0.1'], port: 0, clusterDomain: 'cluster.local' },
    ...{ upstreams: [general ?? ''], configMap: 'kube-system/kube-dns' },
  });
  cleanups.push(dns.close);
  const ask = (name: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = createSocket('udp4');
      socket.once('error', reject);
      socket.once('message', message => {
        socket.close();
        resolve((decode(message).answers ?? []).map(a => (a as { data: unknown }).data).join());
      });
      const question = { id: 1, type: 'query' as const, flags: 0x100, questions: [{ name, type: 'A' as const }] };
      socket.send(encode(question), dns.ports[0] ?? 0, '127.0.0.1');
    });
  const both = async () => [await ask('a.acme.local'), await ask('db.example.org')];
  assert.deepEqual(await both(), ['192.0.2.1', '192.0.2.1']);
  hand.put('v1/configmaps', {
    metadata: { name: 'kube-dns', namespace: 'kube-system' },
    data: { stubDomains: JSON.stringify({ 'acme.local': [acme] }), hosts: '192.0.2.9 db.example.org' },
  } as never);
  assert.deepEqual(await both(), ['192.0.2.2', '192.0.2.9']);
  hand.remove('v1/configmaps', 'kube-system/kube-dns');
  assert.deepEqual(await both(), ['192.0.2.1', '192.0.2.1']);
});
