/** Two nodes with a pod each, on one subnet and across a router: routes, VXLAN, services, policy, and what is left when a node goes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { NetworkPolicy, Node, Pod } from '../../../src/api/types/index.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { runProgram } from '../../../src/network/host.ts';
import { compilePolicies } from '../../../src/network/policy/model.ts';
import { policyScript, policyTable } from '../../../src/network/policy/rules.ts';
import { type NodeRoutes, removeNodeRoutes, startNodeRoutes } from '../../../src/network/routes.ts';
import type { Frontend } from '../../../src/proxy/model.ts';
import { createServiceTable } from '../../../src/proxy/nftables/table.ts';
import { type HandInformers, handInformers } from '../../support/informers.ts';
import { createNamespace, enter, join as joinNetwork, type Namespace } from '../../support/netns.ts';

const support = join(import.meta.dirname, '..', '..', 'support');
const root = process.getuid?.() === 0;
const device = 'tskvx';
const podIp = (i: number) => `10.42.${i}.2`;
const podIp6 = (i: number) => `fd42:${i + 1}::2`;
const podCidrs = ['10.42.0.0/16', 'fd42::/16'];

for (const routed of [false, true]) {
  const address6 = (i: number) => (routed ? `fd7${i}::2` : `fd70::${i + 1}`);
  const address = (i: number) => (routed ? `10.7${i}.0.2` : `10.70.0.${i + 1}`);
  const title = `two nodes ${routed ? 'across a router' : 'on one subnet'}`;
  describe(title, { skip: root ? false : 'needs root for network namespaces' }, () => {
    const all: Namespace[] = [];
    const hosts: Namespace[] = [];
    const pods: Namespace[] = [];
    const routes: NodeRoutes[] = [];
    let nodes: HandInformers;
    const program =
      (host: Namespace): typeof runProgram =>
      (file, args, input) =>
        runProgram('nsenter', [...enter(host.name), file, ...args], input);

    async function make(label: string): Promise<Namespace> {
      const made = await createNamespace(label);
      all.push(made);
      return made;
    }
    async function makeNode(i: number, middle: Namespace): Promise<void> {
      const host = await make(`node${i}`);
      const pod = await make(`pod${i}`);
      hosts.push(host);
      pods.push(pod);
      await host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
      await middle.run('ip', 'link', 'add', `n${i}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.name);
      if (routed) {
        await joinNetwork(middle, `n${i}`, [`10.7${i}.0.1/24`, `fd7${i}::1/64`]);
        await joinNetwork(host, 'eth0', [`${address(i)}/24`, `${address6(i)}/64`], [`10.7${i}.0.1`, `fd7${i}::1`]);
      } else {
        await middle.run('ip', 'link', 'set', `n${i}`, 'master', 'switch', 'up');
        await joinNetwork(host, 'eth0', [`${address(i)}/24`, `${address6(i)}/64`]);
      }
      await host.run('ip', 'link', 'add', 'cni0', 'type', 'bridge', 'mcast_snooping', '0');
      await joinNetwork(host, 'cni0', [`10.42.${i}.1/24`, `fd42:${i + 1}::1/64`]);
      await host.run('ip', 'link', 'add', 'p0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod.name);
      await host.run('ip', 'link', 'set', 'p0', 'master', 'cni0', 'up');
      await joinNetwork(pod, 'eth0', [`${podIp(i)}/24`, `${podIp6(i)}/64`], [`10.42.${i}.1`, `fd42:${i + 1}::1`]);
      await pod.start(process.execPath, join(support, 'echo-server.ts'), `pod${i}`, '8080');
    }
    const node = (i: number): Node => ({
      metadata: { name: `node${i}` },
      spec: { podCIDRs: [`10.42.${i}.0/24`, `fd42:${i + 1}::/64`] },
      status: {
        addresses: [address(i), address6(i)].map(a => ({ type: 'InternalIP', address: a })),
      },
    });
    before(async () => {
      const middle = await make(routed ? 'router' : 'switch');
      await middle.run('sysctl', '-qw', `net.ipv4.ip_forward=${routed ? 1 : 0}`);
      await middle.run('sysctl', '-qw', `net.ipv6.conf.all.forwarding=${routed ? 1 : 0}`);
      if (!routed) {
        await middle.run('ip', 'link', 'add', 'switch', 'type', 'bridge', 'mcast_snooping', '0');
        await middle.run('ip', 'link', 'set', 'switch', 'up');
        await middle.run('sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=0');
      }
      for (const i of [0, 1]) await makeNode(i, middle);
      nodes = handInformers();
      for (const i of [0, 1]) nodes.put('v1/nodes', node(i));
      for (const [i, host] of hosts.entries()) {
        const environment = {
          ...{ clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() },
          ...{ informers: nodes.factory, nodeName: `node${i}`, nodeAddresses: [address(i), address6(i)] },
        };
        routes.push(await startNodeRoutes({ ...environment, device, vni: 42, podCidrs, run: program(host) }));
      }
      for (const running of routes) await running.flushed();
    });
    after(async () => {
      for (const running of routes) await running.stop();
      for (const made of all.reverse()) await made.remove();
    });
    async function ask(from: Namespace | undefined, to: string, port = 8080): Promise<string> {
      assert.ok(from);
      return (await from.run(process.execPath, join(support, 'ask.ts'), to, String(port))).trim();
    }

    test('pods reach each other with their own addresses', async () => {
      assert.equal(await ask(pods[0], podIp(1)), `pod1 ${podIp(0)}`);
      assert.equal(await ask(pods[1], podIp(0)), `pod0 ${podIp(1)}`);
      assert.match(await ask(hosts[0], podIp(1)), /^pod1 /);
      if (routed) {
        const link = async (name: string) => hosts[0]?.run('ip', 'link', 'show', name);
        assert.match((await link(device)) ?? '', /mtu 1450/);
        assert.match((await link(`${device}6`)) ?? '', /mtu 1430/);
      }
      assert.equal(await ask(pods[0], podIp6(1)), `pod1 ${podIp6(0)}`);
    });

    test('a service and a node port lead to the other node', async () => {
      const [host] = hosts;
      assert.ok(host);
      const table = createServiceTable({
        ...{ table: 'svc', podCidrs, families: ['ip'] as const, log: silentLogger, metrics: createMetrics() },
        run: script => host.nft(script),
      });
      const common: Frontend = {
        ...{ family: 'ip', protocol: 'tcp', port: 30080, preserveSource: false, whenEmpty: 'reject' },
        backends: [{ ip: podIp(1), port: 8080 }],
      };
      await table.load(
        new Map([
          [
            'a/web',
            [
              { ...common, address: '10.99.0.1', port: 80 },
              { ...common, port: 30080 },
            ],
          ],
        ]),
      );
      await host.run('ip', 'route', 'replace', '10.99.0.0/16', 'dev', 'cni0');
      assert.equal(await ask(pods[0], '10.99.0.1', 80), `pod1 ${podIp(0)}`);
      assert.match(await ask(host, '10.99.0.1', 80), /^pod1 /);
      assert.match(await ask(hosts[1], address(0), 30080), /^pod1 /);
      await table.remove();
    });

    test('a policy on one node sees the other node’s pods as they are', async () => {
      const [, host] = hosts;
      assert.ok(host);
      const made = (i: number): Pod => ({
        metadata: { name: `pod${i}`, namespace: 'shop', labels: { app: `pod${i}` } },
        spec: { nodeName: `node${i}`, containers: [] },
        status: { phase: 'Running', podIP: podIp(i), podIPs: [{ ip: podIp(i) }] },
      });
      const allow = (app: string): NetworkPolicy => ({
        metadata: { name: 'p', namespace: 'shop' },
        spec: {
          podSelector: { matchLabels: { app: 'pod1' } },
          ingress: [{ from: [{ podSelector: { matchLabels: { app } } }] }],
        },
      });
      for (const [app, answer] of [
        ['pod0', `pod1 ${podIp(0)}`],
        ['other', 'timeout'],
      ] as const) {
        const compiled = compilePolicies({
          ...{ policies: [allow(app)], pods: [made(0), made(1)], nodeName: 'node1' },
          namespaces: [{ metadata: { name: 'shop' }, spec: {} }],
        });
        await host.nft(policyScript(undefined, policyTable(compiled, 'ip', 'pol'), 'ip', 'pol'));
        assert.equal(await ask(pods[0], podIp(1)), answer);
      }
      await host.nft('delete table ip pol');
      assert.equal(await ask(pods[0], podIp(1)), `pod1 ${podIp(0)}`);
    });

    test('a node that goes leaves nothing, and is found again', async () => {
      const [host] = hosts;
      assert.ok(host);
      const left = async () => {
        const entries = [
          await host.run('ip', 'route', 'show', 'proto', '84'),
          await host.run('ip', '-6', 'route', 'show', 'proto', '84'),
          await host.run('bridge', 'fdb', 'show').then(text =>
            text
              .split('\n')
              .filter(l => l.includes('0e:54'))
              .join(),
          ),
          await host.run('ip', 'neigh', 'show', 'nud', 'permanent').then(text => (text.includes(device) ? text : '')),
        ];
        return entries.join('').trim();
      };
      assert.notEqual(await left(), '');
      nodes.remove('v1/nodes', 'node1');
      await routes[0]?.flushed();
      assert.equal(await left(), '');
      nodes.put('v1/nodes', node(1));
      for (const running of routes) await running.flushed();
      assert.equal(await ask(pods[0], podIp(1)), `pod1 ${podIp(0)}`);
      await removeNodeRoutes({ device, podCidrs, run: program(host) });
      assert.equal(await left(), '');
      assert.doesNotMatch(await host.run('ip', 'link'), new RegExp(device));
    });
  });
}
