import assert from 'node:assert/strict';
import { test } from 'node:test';
import { staleUdpCalls } from './conntrack.ts';
import type { Frontend } from './model.ts';

const udp = (hosts: number[], rest: Partial<Frontend> = {}): Frontend => ({
  ...{ family: 'ip', protocol: 'udp', address: '10.43.0.5', port: 53, preserveSource: false, whenEmpty: 'reject' },
  backends: hosts.map(i => ({ ip: `10.42.0.${i}`, port: 5353 })),
  ...rest,
});
const head = '-D -f ipv4 -p udp --orig-port-dst 53 --orig-dst 10.43.0.5';
const cases: [what: string, before: Frontend[], after: Frontend[], calls: string[]][] = [
  ['nothing changed', [udp([1, 2])], [udp([1, 2])], []],
  ['a backend goes', [udp([1, 2])], [udp([2])], [`${head} --dst-nat 10.42.0.1`]],
  ['the service goes', [udp([1])], [], [`${head} --dst-nat 10.42.0.1`]],
  ['a backend comes', [udp([1])], [udp([1, 2])], []],
  ['the first backend comes: flows that met none are forgotten', [udp([])], [udp([1])], [head]],
  ['a new service', [], [udp([1])], [head]],
  ['a new service without backends', [], [udp([])], []],
  ['TCP ends by itself', [udp([1], { protocol: 'tcp' })], [], []],
  [
    'a node port, of every address',
    [udp([1])].map(({ address: _, ...rest }) => rest),
    [],
    ['-D -f ipv4 -p udp --orig-port-dst 53 --dst-nat 10.42.0.1'],
  ],
  [
    'IPv6',
    [udp([], { family: 'ip6', address: 'fd00::5', backends: [{ ip: 'fd42::1', port: 5353 }] })],
    [],
    ['-D -f ipv6 -p udp --orig-port-dst 53 --orig-dst fd00::5 --dst-nat fd42::1'],
  ],
];
for (const [what, before, after, calls] of cases) {
  test(what, () => {
    const made = staleUdpCalls(new Map([['shop/dns', after]]), new Map([['shop/dns', before]]));
    assert.deepEqual(
      made.map(args => args.join(' ')),
      calls,
    );
  });
}

test('backends that only callers from inside reach are cleared too', () => {
  const local = udp([1], {
    internalBackends: [
      { ip: '10.42.0.1', port: 5353 },
      { ip: '10.42.0.9', port: 5353 },
    ],
  });
  const made = staleUdpCalls(new Map([['shop/dns', [udp([1])]]]), new Map([['shop/dns', [local]]]));
  assert.deepEqual(
    made.map(args => args.join(' ')),
    [`${head} --dst-nat 10.42.0.9`],
  );
});
