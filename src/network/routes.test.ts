import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handInformers } from '../../test/support/informers.ts';
import type { Node } from '../api/types/index.ts';
import { silentLogger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { seededRandom } from '../base/random.ts';
import { virtualClock } from '../base/virtual-clock.ts';
import { cniConfiguration } from './cni.ts';
import { masqueradeScript } from './host.ts';
import { desiredRoutes, removeNodeRoutes, startNodeRoutes, vtepMac } from './routes.ts';

const node = (name: string, podCIDRs: string[], ...addresses: string[]): Node => ({
  metadata: { name },
  spec: { podCIDRs },
  status: { addresses: addresses.map(address => ({ type: 'InternalIP', address })) },
});
const near = (address: string) => address.startsWith('10.77.0.') || address.startsWith('fd77:');

const cases: [what: string, nodes: Node[], routes: string[]][] = [
  ['none to itself', [node('me', ['10.42.0.0/24'], '10.77.0.1')], []],
  ['direct on one subnet', [node('a', ['10.42.1.0/24'], '10.77.0.2')], ['10.42.1.0/24 10.77.0.2 direct']],
  ['VXLAN beyond a router', [node('b', ['10.42.2.0/24'], '10.78.0.2')], ['10.42.2.0/24 10.78.0.2 vxlan']],
  [
    'each family through its own address',
    [node('c', ['10.42.3.0/24', 'fd42:3::/64'], 'fd77::4', '10.77.0.4')],
    ['10.42.3.0/24 10.77.0.4 direct', 'fd42:3::/64 fd77::4 direct'],
  ],
  [
    'VXLAN for both families beyond a router',
    [node('g', ['10.42.8.0/24', 'fd42:8::/64'], '10.78.0.3', 'fd78::3')],
    ['10.42.8.0/24 10.78.0.3 vxlan', 'fd42:8::/64 fd78::3 vxlan'],
  ],
  ['none without an address of the family', [node('d', ['fd42:4::/64'], '10.77.0.5')], []],
  ['none before the node has a range', [node('e', [], '10.77.0.6')], []],
  [
    'the single field, where the list is missing',
    [{ ...node('f', []), spec: { podCIDR: '10.42.6.0/24' }, status: node('', [], '10.77.0.7').status }] as Node[],
    ['10.42.6.0/24 10.77.0.7 direct'],
  ],
];
for (const [what, nodes, routes] of cases) {
  test(`routes: ${what}`, () => {
    const made = desiredRoutes(nodes, 'me', near);
    assert.deepEqual(
      made.map(r => `${r.cidr} ${r.nodeAddress} ${r.via}`),
      routes,
    );
  });
}

/** What `ip` and `bridge` were told, and answers to what they are asked. */
function fakePrograms() {
  const said: string[] = [];
  let left = '';
  let tunnel = '';
  let failures = 0;
  return {
    said,
    leave: (text: string) => {
      left = text;
    },
    haveTunnel: (text: string) => {
      tunnel = text;
    },
    failNext: () => {
      failures = 1;
    },
    take: () => said.splice(0),
    run: async (file: string, args: readonly string[]) => {
      const line = [file, ...args].join(' ');
      if (line.startsWith('ip route get')) return near(args[2] ?? '') ? 'dev eth0' : 'via 10.77.0.254 dev eth0';
      if (line.includes('route show')) return left;
      if (line.startsWith('ip -d link show')) {
        if (tunnel === '') throw new Error('does not exist');
        return tunnel;
      }
      if (line === 'ip link show eth0') return '2: eth0: <UP> mtu 1500 qdisc noqueue';
      said.push(line);
      if (line.includes('route replace') && failures-- > 0) throw new Error('RTNETLINK answers: no');
      return '';
    },
  };
}

async function follow(programs: ReturnType<typeof fakePrograms>) {
  const clock = virtualClock();
  const nodes = handInformers();
  nodes.put('v1/nodes', node('me', ['10.42.0.0/24', 'fd42::/64'], '10.77.0.1', 'fd77::1'));
  const environment = { clock, random: seededRandom(1), log: silentLogger, metrics: createMetrics() };
  const routes = await startNodeRoutes({
    ...{ ...environment, informers: nodes.factory, nodeName: 'me', nodeAddresses: ['10.77.0.1', 'fd77::1'] },
    ...{ device: 'vx', vni: 42, podCidrs: ['10.42.0.0/16'], run: programs.run },
  });
  await routes.flushed();
  const put = async (changed: Node) => {
    nodes.put('v1/nodes', changed);
    await routes.flushed();
    return programs.take();
  };
  return { clock, nodes, routes, put };
}

test('a neighbour comes, changes its address, and goes', async () => {
  const programs = fakePrograms();
  const { nodes, routes, put } = await follow(programs);
  const via = (address: string) => [`ip route replace 10.42.1.0/24 via ${address} proto 84`];
  assert.deepEqual(await put(node('a', ['10.42.1.0/24'], '10.77.0.2')), via('10.77.0.2'));
  assert.deepEqual(await put(node('a', ['10.42.1.0/24'], '10.77.0.9')), via('10.77.0.9'));
  nodes.remove('v1/nodes', 'a');
  await routes.flushed();
  assert.deepEqual(programs.take(), ['ip route delete 10.42.1.0/24 proto 84']);
  await routes.stop();
});

test('a node behind a router comes and goes with its VXLAN entries', async () => {
  const programs = fakePrograms();
  const { nodes, routes, put } = await follow(programs);
  const mac = vtepMac('10.78.0.2');
  assert.equal(mac, '0e:54:0a:4e:00:02');
  const said = await put(node('b', ['10.42.2.0/24'], '10.78.0.2'));
  assert.deepEqual(said, [
    'ip link add vx mtu 1450 address 0e:54:0a:4d:00:01 type vxlan id 42 dstport 8472 local 10.77.0.1 nolearning',
    'ip address replace 10.42.0.0/32 dev vx',
    'ip link set vx up',
    `bridge fdb replace ${mac} dst 10.78.0.2 dev vx`,
    `ip neigh replace 10.42.2.0 lladdr ${mac} dev vx nud permanent`,
    'ip route replace 10.42.2.0/24 via 10.42.2.0 dev vx onlink proto 84',
  ]);
  nodes.remove('v1/nodes', 'b');
  await routes.flushed();
  assert.deepEqual(programs.take(), [
    'ip route delete 10.42.2.0/24 proto 84',
    'ip neigh delete 10.42.2.0 dev vx',
    `bridge fdb delete ${mac} dst 10.78.0.2 dev vx`,
  ]);
  await routes.stop();
});

test('IPv6 beyond a router has a tunnel of its own', async () => {
  const programs = fakePrograms();
  const { nodes, routes, put } = await follow(programs);
  const mac = vtepMac('fd78::2');
  assert.match(mac, /^0e:56(:[0-9a-f]{2}){4}$/);
  assert.notEqual(mac, vtepMac('fd78::3'));
  assert.deepEqual(await put(node('b', ['fd42:2::/64'], 'fd78::2')), [
    `ip link add vx6 mtu 1430 address ${vtepMac('fd77::1')} type vxlan id 42 dstport 8472 local fd77::1 nolearning`,
    'ip address replace fd42::/128 dev vx6 nodad',
    'ip link set vx6 up',
    `bridge fdb replace ${mac} dst fd78::2 dev vx6`,
    `ip neigh replace fd42:2:: lladdr ${mac} dev vx6 nud permanent`,
    'ip -6 route replace fd42:2::/64 via fd42:2:: dev vx6 onlink proto 84',
  ]);
  nodes.remove('v1/nodes', 'b');
  await routes.flushed();
  assert.deepEqual(programs.take(), [
    'ip -6 route delete fd42:2::/64 proto 84',
    'ip neigh delete fd42:2:: dev vx6',
    `bridge fdb delete ${mac} dst fd78::2 dev vx6`,
  ]);
  await routes.stop();
});

const tunnels: [what: string, present: string, made: boolean][] = [
  ['the one it needs stays', '3: vx: <UP>\n vxlan id 42 local 10.77.0.1 srcport 0 0 dstport 8472', false],
  ['one of another address is replaced', '3: vx: <UP>\n vxlan id 42 local 10.77.0.10 srcport 0 0 dstport 8472', true],
  ['one of another number is replaced', '3: vx: <UP>\n vxlan id 421 local 10.77.0.1 srcport 0 0 dstport 8472', true],
];
for (const [what, present, made] of tunnels) {
  test(`a tunnel from an earlier run: ${what}`, async () => {
    const programs = fakePrograms();
    programs.haveTunnel(present);
    const { routes, put } = await follow(programs);
    const links = (await put(node('b', ['10.42.2.0/24'], '10.78.0.2'))).filter(line => /link (add|delete)/.test(line));
    assert.deepEqual(
      links.map(line => line.split(' ').slice(0, 4).join(' ')),
      made ? ['ip link delete vx', 'ip link add vx'] : [],
    );
    await routes.stop();
  });
}

test('what an earlier run left and nobody needs is deleted; a failure is tried again', async () => {
  const programs = fakePrograms();
  programs.leave('10.42.7.0/24 via 10.77.0.8 dev eth0\n10.42.1.0/24 via 10.77.0.2 dev eth0\n');
  programs.failNext();
  const clock = virtualClock();
  const nodes = handInformers();
  nodes.put('v1/nodes', node('a', ['10.42.1.0/24'], '10.77.0.2'));
  const environment = { clock, random: seededRandom(1), log: silentLogger, metrics: createMetrics() };
  const routes = await startNodeRoutes({
    ...{ ...environment, informers: nodes.factory, nodeName: 'me', nodeAddresses: ['10.77.0.1', 'fd77::1'] },
    ...{ device: 'vx', vni: 42, podCidrs: ['10.42.0.0/16'], run: programs.run },
  });
  await clock.advance(5000);
  await routes.flushed();
  const replace = 'ip route replace 10.42.1.0/24 via 10.77.0.2 proto 84';
  assert.deepEqual(programs.take(), ['ip route delete 10.42.7.0/24 proto 84', replace, replace]);
  await routes.stop();
});

test('a node that is taken away leaves neither routes nor device', async () => {
  const programs = fakePrograms();
  await removeNodeRoutes({ device: 'vx', podCidrs: ['10.42.0.0/16', 'fd42::/48'], run: programs.run });
  assert.deepEqual(programs.take(), [
    'ip route flush root 10.42.0.0/16 proto 84',
    'ip -6 route flush root fd42::/48 proto 84',
    'ip link delete vx',
    'ip link delete vx6',
  ]);
});

test('the CNI configuration has a range per family', () => {
  const made = cniConfiguration({ podCidrs: ['10.42.0.0/24', 'fd42::/64'], bridge: 'br', leaseDirectory: '/l' }) as {
    plugins: { ipam: { ranges: unknown } }[];
  };
  assert.deepEqual(made.plugins[0]?.ipam.ranges, [[{ subnet: '10.42.0.0/24' }], [{ subnet: 'fd42::/64' }]]);
});

test('what leaves the cluster is masqueraded, by family', () => {
  const script = masqueradeScript({ table: 't', podCidrs: ['10.42.0.0/16'] });
  assert.match(script, /ip saddr \{ 10\.42\.0\.0\/16 \} ip daddr != \{ 10\.42\.0\.0\/16 \}/);
  assert.doesNotMatch(script, /ip6 saddr/);
});
