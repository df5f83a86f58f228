import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forgottenUdpCalls, staleUdpCalls } from './conntrack.ts';
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

const led = (to: string, by: string) =>
  `udp      17 29 src=10.42.0.9 dst=${to} sport=4444 dport=53 src=${by} dst=10.42.0.9 sport=5353 dport=4444 [ASSURED] mark=0 use=1`;
const anyAddress = (() => {
  const { address: _, ...rest } = udp([1]);
  return rest;
})();
const forgotten: [what: string, line: string, frontends: Frontend[], isForgotten: boolean][] = [
  ['a flow to a backend', led('10.43.0.5', '10.42.0.1'), [udp([1])], false],
  ['a flow to a backend that went', led('10.43.0.5', '10.42.0.2'), [udp([1])], true],
  ['a flow to a service that has no backend any more', led('10.43.0.5', '10.42.0.2'), [udp([])], true],
  ['a flow that met no backend', led('10.43.0.5', '10.43.0.5'), [udp([1])], true],
  ['a flow that meets no backend still', led('10.43.0.5', '10.43.0.5'), [udp([])], false],
  ['a flow to somebody else', led('192.0.2.1', '192.0.2.1'), [udp([1])], false],
  ['a flow to a node port’s backend that went', led('192.0.2.1', '10.42.0.2'), [anyAddress], true],
  ['a flow elsewhere that has a node port’s number', led('192.0.2.1', '192.0.2.1'), [anyAddress], false],
  ['an empty line', '', [udp([1])], false],
];
for (const [what, line, frontends, isForgotten] of forgotten) {
  test(`${what} is ${isForgotten ? 'forgotten' : 'kept'} at the start`, () => {
    const to = /dst=(\S+)/.exec(line)?.[1] ?? '';
    const call = `-D -f ipv4 -p udp --orig-src 10.42.0.9 --orig-dst ${to} --orig-port-src 4444 --orig-port-dst 53`;
    const calls = forgottenUdpCalls(line, frontends).map(args => args.join(' '));
    assert.deepEqual(calls, isForgotten ? [call] : []);
  });
}
