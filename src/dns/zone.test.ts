import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from 'dns-packet';
import fc from 'fast-check';
import type { Endpoint, EndpointSlice, Service } from '../api/types/index.ts';
import { createZone, type QuestionType, reverseAddress } from './zone.ts';

const meta = (name: string, of?: string) => ({
  ...{ name, namespace: 'shop' },
  ...(of !== undefined && { labels: { 'kubernetes.io/service-name': of } }),
});
const services: Service[] = [
  {
    metadata: meta('web'),
    spec: {
      ...{ clusterIP: '10.43.0.5', clusterIPs: ['10.43.0.5', 'fd00::5'] },
      ports: [
        { name: 'http', port: 80 },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    },
  },
  { metadata: meta('db'), spec: { clusterIP: 'None', clusterIPs: ['None'], ports: [{ name: 'sql', port: 5432 }] } },
  { metadata: meta('empty'), spec: { clusterIP: 'None', clusterIPs: ['None'] } },
  { metadata: meta('late'), spec: { clusterIP: 'None', publishNotReadyAddresses: true } },
  { metadata: { name: 'kube-dns', namespace: 'kube-system' }, spec: { clusterIP: '10.43.0.10' } },
  { metadata: meta('out'), spec: { type: 'ExternalName', externalName: 'Example.ORG.' } },
];
const slice = (of: string, addressType: string, endpoints: Endpoint[]): EndpointSlice => ({
  ...{ metadata: meta(`${of}-${addressType}`, of), addressType, endpoints },
  ports: [
    { name: 'sql', port: 5432, protocol: 'TCP' },
    { name: 'sync', port: 99, protocol: 'UDP' },
  ],
});
const slices = [
  slice('db', 'IPv4', [
    { addresses: ['10.42.0.7'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.42.0.8'] },
    { addresses: ['10.42.0.9'], conditions: { ready: false, serving: true, terminating: true } },
  ]),
  slice('db', 'IPv6', [{ addresses: ['fd42::7'], hostname: 'db-0' }, { addresses: ['fd42::8'] }]),
  slice('late', 'IPv4', [{ addresses: ['10.42.0.20'], conditions: { ready: true, serving: false } }]),
  slice('db', 'FQDN', [{ addresses: ['db.example.org'] }]),
];
function filled() {
  const zone = createZone({ clusterDomain: 'cluster.local', ttl: 5 });
  for (const service of services) zone.setService(service);
  for (const made of slices) zone.setSlice(made);
  for (const name of ['shop', 'quiet']) zone.setNamespace(name);
  zone.setHosts(
    new Map([
      ['db.example.org', ['192.0.2.7', '2001:db8::7']],
      ['registry.shop.svc.cluster.local', ['192.0.2.8']],
    ]),
  );
  return zone;
}
const text = (a: Answer) =>
  a.type === 'SRV'
    ? `${a.data.target}:${a.data.port}/${a.data.weight}`
    : `${a.type} ${String((a as { data: unknown }).data)}`;

const db = 'db.shop.svc.cluster.local';
const v6Name = (hex: string) => `${[...hex.padEnd(32, '0')].reverse().join('.')}.ip6.arpa`;
/** Name, type, code ("-": not ours), answers, and names and types of the additional records. */
const cases: [name: string, type: QuestionType, code: string, answers?: string[], additional?: string[]][] = [
  ['web.shop.svc.cluster.local', 'ANY', 'NOERROR', ['A 10.43.0.5', 'AAAA fd00::5']],
  ['web.shop.svc.cluster.local', 'PTR', 'NOERROR', []],
  [
    '_http._tcp.web.shop.svc.cluster.local',
    ...(['SRV', 'NOERROR', ['web.shop.svc.cluster.local:80/100'], ['A 10.43.0.5', 'AAAA fd00::5']] as const),
  ] as never,
  ['_dns._udp.web.shop.svc.cluster.local', 'SRV', 'NOERROR', ['web.shop.svc.cluster.local:53/100']],
  ['_dns._tcp.web.shop.svc.cluster.local', 'SRV', 'NXDOMAIN'],
  ['_http._tcp.web.shop.svc.cluster.local', 'A', 'NOERROR', []],
  ['_tcp.web.shop.svc.cluster.local', 'SRV', 'NXDOMAIN'],
  ['host.web.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  [db, 'A', 'NOERROR', ['A 10.42.0.7', 'A 10.42.0.8']],
  [db, 'AAAA', 'NOERROR', ['AAAA fd42::7', 'AAAA fd42::8']],
  [`db-0.${db}`, 'A', 'NOERROR', ['A 10.42.0.7']],
  [`db-0.${db}`, 'AAAA', 'NOERROR', ['AAAA fd42::7']],
  [`db-0.${db}`, 'SRV', 'NOERROR', []],
  [`fd42--8.${db}`, 'AAAA', 'NOERROR', ['AAAA fd42::8']],
  [`fd42--8.${db}`, 'A', 'NOERROR', []],
  [`10-42-0-7.${db}`, 'A', 'NXDOMAIN'],
  [`10-42-0-9.${db}`, 'A', 'NXDOMAIN'],
  [
    `_sync._udp.${db}`,
    'SRV',
    'NOERROR',
    [`db-0.${db}:99/25`, `10-42-0-8.${db}:99/25`, `db-0.${db}:99/25`, `fd42--8.${db}:99/25`],
    ['A 10.42.0.7', 'A 10.42.0.8', 'AAAA fd42::7', 'AAAA fd42::8'],
  ],
  [`_tcp.${db}`, 'SRV', 'NOERROR', []],
  [`_sctp.${db}`, 'SRV', 'NXDOMAIN'],
  ['empty.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['late.shop.svc.cluster.local', 'A', 'NOERROR', ['A 10.42.0.20']],
  ['out.shop.svc.cluster.local', 'A', 'ALIAS', ['CNAME example.org']],
  ['svc.cluster.local', 'A', 'NOERROR', []],
  ['cluster.local', 'A', 'NOERROR', []],
  ['cluster.local', 'NS', 'NOERROR', ['NS ns.dns.cluster.local'], ['A 10.43.0.10']],
  ['ns.dns.cluster.local', 'A', 'NOERROR', ['A 10.43.0.10']],
  ['ns.dns.cluster.local', 'AAAA', 'NOERROR', []],
  ['dns-version.cluster.local', 'TXT', 'NOERROR', ['TXT 1.1.0']],
  ['dns-version.cluster.local', 'A', 'NOERROR', []],
  ['quiet.svc.cluster.local', 'A', 'NOERROR', []],
  ['web.quiet.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['10-42-0-7.quiet.pod.cluster.local', 'A', 'NOERROR', ['A 10.42.0.7']],
  ['10-42-0-7.missing.pod.cluster.local', 'A', 'NXDOMAIN'],
  ['db.example.org', 'A', 'NOERROR', ['A 192.0.2.7']],
  ['DB.Example.org', 'AAAA', 'NOERROR', ['AAAA 2001:db8::7']],
  ['db.example.org', 'MX' as never, 'NOERROR', []],
  ['registry.shop.svc.cluster.local', 'A', 'NOERROR', ['A 192.0.2.8']],
  ['7.2.0.192.in-addr.arpa', 'PTR', 'NOERROR', ['PTR db.example.org']],
  ['x.cluster.local', 'A', 'NXDOMAIN'],
  ['pod.cluster.local', 'A', 'NOERROR', []],
  ['fd42--7.shop.pod.cluster.local', 'AAAA', 'NOERROR', ['AAAA fd42::7']],
  ['fd42--7.shop.pod.cluster.local', 'A', 'NOERROR', []],
  ['10-42-0-300.shop.pod.cluster.local', 'A', 'NXDOMAIN'],
  ['5.0.43.10.in-addr.arpa', 'PTR', 'NOERROR', ['PTR web.shop.svc.cluster.local']],
  ['5.0.43.10.in-addr.arpa', 'A', 'NOERROR', []],
  ['8.0.42.10.in-addr.arpa', 'PTR', 'NOERROR', [`PTR 10-42-0-8.${db}`]],
  ['9.0.42.10.in-addr.arpa', 'PTR', '-'],
  [v6Name(`fd00${'0'.repeat(27)}5`), 'PTR', 'NOERROR', ['PTR web.shop.svc.cluster.local']],
  [v6Name(`fd42${'0'.repeat(27)}8`), 'PTR', 'NOERROR', [`PTR fd42--8.${db}`]],
  ['cluster.localhost', 'A', '-'],
  ['notcluster.local', 'A', '-'],
];
for (const [name, type, code, answers = [], additional] of cases) {
  test(`${type} ${name}: ${code}`, () => {
    const made = filled().answer(name, type);
    assert.equal(made?.code ?? '-', code);
    const list = made === undefined ? [] : made.code === 'ALIAS' ? [made.cname] : made.answers;
    assert.deepEqual(list.map(text), answers);
    if (additional && made && made.code !== 'ALIAS') assert.deepEqual(made.additionals.map(text), additional);
  });
}

test('every change makes a new version, and a service that is taken away leaves no reverse name', () => {
  const zone = filled();
  const { version } = zone;
  for (const made of slices) zone.deleteSlice(made);
  assert.ok(zone.version > version);
  assert.equal(zone.answer('7.0.42.10.in-addr.arpa', 'PTR'), undefined);
  for (const service of services) zone.deleteService(`shop/${service.metadata.name}`);
  assert.equal(zone.answer('shop.svc.cluster.local', 'A')?.code, 'NOERROR', 'the namespace is still there');
  zone.deleteNamespace('shop');
  assert.equal(zone.answer('shop.svc.cluster.local', 'A')?.code, 'NXDOMAIN');
});

test('an address that moves between services answers to its new name', () => {
  const zone = filled();
  const [web] = services;
  assert.ok(web);
  zone.deleteService('shop/web');
  zone.setService({ ...web, metadata: meta('new') });
  const made = zone.answer('5.0.43.10.in-addr.arpa', 'PTR');
  assert.ok(made && made.code !== 'ALIAS');
  assert.deepEqual(made.answers.map(text), ['PTR new.shop.svc.cluster.local']);
});

test('any name gets an answer or is not ours, never an exception', () => {
  const zone = filled();
  const label = fc.constantFrom('_http', '_tcp', 'web', 'db', 'db-0', 'shop', 'svc', 'pod', '', '-', '10-42-0-7', '::');
  const name = fc.tuple(fc.array(label, { maxLength: 8 }), fc.constantFrom('cluster.local', 'ip6.arpa', '', 'local'));
  const types = fc.constantFrom<QuestionType>('A', 'AAAA', 'SRV', 'PTR', 'ANY', 'OTHER');
  fc.assert(
    fc.property(name, types, ([labels, suffix], type) => {
      const written = [...labels, suffix].join('.');
      const made = zone.answer(written, type);
      assert.equal(made !== undefined, zone.contains(written) || made !== undefined);
    }),
    { numRuns: 500 },
  );
});

test('reverse names that are no whole address', () => {
  for (const name of ['0.43.10.in-addr.arpa', 'x.0.43.10.in-addr.arpa', 'in-addr.arpa', '1.ip6.arpa'])
    assert.equal(reverseAddress(name), undefined);
});
