/** Network policies in a real kernel: namespaces stand for a node and its pods. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { NetworkPolicy, Pod } from '../../../src/api/types/index.ts';
import { compilePolicies, type Family } from '../../../src/network/policy/model.ts';
import { type PolicyTable, policyScript, policyTable } from '../../../src/network/policy/rules.ts';
import { createPodNetwork, type PodNetwork } from '../../support/netns.ts';

const support = join(import.meta.dirname, '..', '..', 'support');
const podIp = (i: number, family: Family) => (family === 'ip' ? `10.88.0.${i + 2}` : `fd88::${i + 2}`);
const pod = (i: number, labels: Record<string, string>, namespace = 'shop'): Pod => ({
  metadata: { name: `pod${i}`, namespace, labels },
  spec: { nodeName: 'here', containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }] },
  status: { phase: 'Running', podIPs: (['ip', 'ip6'] as const).map(family => ({ ip: podIp(i, family) })) },
});
const pods = [
  pod(0, { app: 'web' }),
  pod(1, { app: 'client' }),
  pod(2, { app: 'other' }),
  pod(3, { app: 'client' }, 'elsewhere'),
];
const namespaces = ['shop', 'elsewhere'].map(name => ({
  metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
  spec: {},
}));
const policy = (spec: NetworkPolicy['spec']): NetworkPolicy => ({ metadata: { name: 'p', namespace: 'shop' }, spec });
const web = { matchLabels: { app: 'web' } };
const root = process.getuid?.() === 0;

for (const family of ['ip', 'ip6'] as const) {
  describe(`network policy, ${family}`, { skip: root ? false : 'needs root for network namespaces' }, () => {
    let network: PodNetwork;
    let applied: PolicyTable | undefined;
    before(async () => {
      network = await createPodNetwork(4);
      for (const name of ['iptables', 'ip6tables'])
        await network.host.run('sysctl', '-qw', `net.bridge.bridge-nf-call-${name}=1`);
      for (const [i, namespace] of network.pods.entries()) {
        await namespace.start(process.execPath, join(support, 'echo-server.ts'), `pod${i}`, '8080');
        await namespace.start(process.execPath, join(support, 'echo-server.ts'), `pod${i}`, '9090');
      }
    });
    after(async () => network?.remove());

    async function apply(...policies: NetworkPolicy[]): Promise<void> {
      const next = policyTable(
        compilePolicies({ policies, pods, namespaces, nodeName: 'here' }),
        family,
        'tsukube-policy',
      );
      await network.host.nft(policyScript(applied, next, family, 'tsukube-policy'));
      applied = next;
    }
    /** Which of "from>to:port" get through, between pods that have to find each other's link addresses first. */
    async function open(...pairs: string[]): Promise<string[]> {
      for (const namespace of network.pods) await namespace.run('ip', 'neigh', 'flush', 'dev', 'eth0');
      const answers = await Promise.all(
        pairs.map(async pair => {
          const [, from = '', to = '', port = ''] = /^(\d)>(\d):(\d+)$/.exec(pair) ?? [];
          const said = await network.pods[Number(from)]?.run(
            process.execPath,
            join(support, 'ask.ts'),
            podIp(Number(to), family),
            port,
          );
          return said?.startsWith(`pod${to} `) ? [pair] : [];
        }),
      );
      return answers.flat();
    }

    test('without policies everything passes', async () => {
      await apply();
      assert.deepEqual(await open('1>0:8080', '2>0:8080', '3>0:9090'), ['1>0:8080', '2>0:8080', '3>0:9090']);
    });
    test('an empty ingress list isolates, in one direction', async () => {
      await apply(policy({ podSelector: web, policyTypes: ['Ingress'] }));
      assert.deepEqual(await open('1>0:8080', '3>0:8080', '0>1:8080', '1>2:8080'), ['0>1:8080', '1>2:8080']);
    });
    test('pod selectors, and ports by number', async () => {
      await apply(
        policy({
          podSelector: web,
          ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ port: 8080 }] }],
        }),
      );
      assert.deepEqual(await open('1>0:8080', '1>0:9090', '2>0:8080', '3>0:8080'), ['1>0:8080']);
    });
    test('namespace selectors, ports by name, and ranges', async () => {
      const from = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'elsewhere' } } }];
      await apply(policy({ podSelector: web, ingress: [{ from, ports: [{ port: 'web' }] }] }));
      assert.deepEqual(await open('1>0:8080', '3>0:8080', '3>0:9090'), ['3>0:8080']);
      await apply(policy({ podSelector: web, ingress: [{ from, ports: [{ port: 9000, endPort: 9100 }] }] }));
      assert.deepEqual(await open('1>0:9090', '3>0:8080', '3>0:9090'), ['3>0:9090']);
    });
    test('blocks with exceptions', async () => {
      const block = family === 'ip' ? '10.88.0.0/24' : 'fd88::/64';
      await apply(
        policy({
          podSelector: web,
          ingress: [
            { from: [{ ipBlock: { cidr: block, except: [`${podIp(2, family)}/${family === 'ip' ? 32 : 128}`] } }] },
          ],
        }),
      );
      assert.deepEqual(await open('1>0:8080', '2>0:8080', '3>0:9090'), ['1>0:8080', '3>0:9090']);
    });
    test('egress', async () => {
      await apply(
        policy({
          podSelector: web,
          policyTypes: ['Egress'],
          egress: [{ to: [{ podSelector: { matchLabels: { app: 'client' } } }] }],
        }),
      );
      assert.deepEqual(await open('0>1:8080', '0>2:8080', '2>0:8080'), ['0>1:8080', '2>0:8080']);
    });
    test('taking the policy away opens everything again', async () => {
      await apply();
      assert.deepEqual(await open('0>2:8080', '3>0:8080'), ['0>2:8080', '3>0:8080']);
    });
  });
}
