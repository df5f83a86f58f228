/** Clusters of both families, and of IPv6 alone: two nodes with real containers, services of every family policy, DNS, node ports, network policy. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { busyboxImage } from '../../support/images.ts';
import { createMachineCluster, type MachineCluster } from '../../support/machine-cluster.ts';
import { machineAddress } from '../../support/machines.ts';
import { whyNoContainers } from '../../support/node.ts';

type Family = 4 | 6;
const ranges = {
  4: { pods: '10.42.0.0/16', services: '10.43.0.0/16' },
  6: { pods: 'fd42::/48', services: 'fd43::/112' },
} as const;
const familyOf = (address: string): Family => (address.includes(':') ? 6 : 4);
const inUrl = (address: string) => (familyOf(address) === 6 ? `[${address}]` : address);

/** A pod that says its name over HTTP, pinned to a node, with its addresses in its environment. */
const pod = (name: string, node: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}, all: "true"}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: ${busyboxImage}
    command: [sh, -c, "mkdir /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www"]
    readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
    env:
    - {name: POD_IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}
    - {name: HOST_IPS, valueFrom: {fieldRef: {fieldPath: status.hostIPs}}}
---`;
const service = (name: string, app: string, policy: string, type = 'ClusterIP') => `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {type: ${type}, ipFamilyPolicy: ${policy}, selector: {app: ${app}}, ports: [{port: 80}]}
---`;
const onlyNear = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-near}
spec:
  podSelector: {matchLabels: {app: far}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {matchLabels: {app: near}}}]}]
  egress: [{to: [{podSelector: {matchLabels: {app: beside}}}]}]
`;

for (const families of [[4, 6], [6, 4], [6]] as const) {
  const title = `a cluster of ${families.map(family => `IPv${family}`).join(' and ')}`;
  describe(title, { skip: whyNoContainers() ?? false }, () => {
    let cluster: MachineCluster;
    const kubectl = (...args: string[]) => cluster.kubectl(...args);
    const jsonpath = async (path: string, ...what: string[]) =>
      (await kubectl('get', ...what, '-o', `jsonpath=${path}`)).trim().split(' ').filter(Boolean);
    const podIps = (name: string) => jsonpath('{.status.podIPs[*].ip}', 'pod', name);
    const clusterIps = (name: string) => jsonpath('{.spec.clusterIPs[*]}', 'service', name);

    before(async () => {
      cluster = await createMachineCluster({
        agents: 2,
        families,
        serverFlags: [
          `--cluster-cidr=${families.map(family => ranges[family].pods).join(',')}`,
          `--service-cluster-ip-range=${families.map(family => ranges[family].services).join(',')}`,
        ],
      });
      const pods = [pod('near', 'node1'), pod('far', 'node2'), pod('beside', 'node2')];
      const services = [
        service('single', 'far', 'SingleStack'),
        service('prefer', 'far', 'PreferDualStack', 'NodePort'),
        ...(families.length === 2 ? [service('require', 'far', 'RequireDualStack')] : []),
      ];
      await kubectl('apply', '-f', cluster.file('all.yaml', [...pods, ...services].join('\n')));
      await kubectl('wait', 'pods', '--all', '--for=condition=Ready', '--timeout=90s').catch(cluster.explain);
    });
    after(async () => cluster?.stop());

    /** What an address says to a pod; "none" when nothing comes back. */
    async function ask(from: string, host: string, port = 80): Promise<string> {
      const script = `timeout 3 wget -qO- http://${inUrl(host)}:${port}/ 2>/dev/null || echo none`;
      return (await kubectl('exec', from, '--', 'sh', '-c', script)).trim();
    }
    /** Until a pod hears what is expected: rules follow objects with a delay. */
    async function hears(from: string, host: string, expected: string): Promise<void> {
      let heard = '';
      for (let attempt = 0; attempt < 20 && heard !== expected; attempt++) heard = await ask(from, host);
      assert.equal(heard, expected, `${from} asks ${host}`);
    }

    test('nodes and pods have an address of each family, in the cluster’s order', async () => {
      for (const i of [1, 2]) {
        assert.deepEqual((await jsonpath('{.spec.podCIDRs[*]}', 'node', `node${i}`)).map(familyOf), families);
        const own = await jsonpath('{.status.addresses[?(@.type=="InternalIP")].address}', 'node', `node${i}`);
        assert.deepEqual(
          own,
          families.map(family => machineAddress(i, family)),
        );
      }
      for (const name of ['near', 'far', 'beside']) assert.deepEqual((await podIps(name)).map(familyOf), families);
    });

    test('a pod is told its addresses and its node’s', async () => {
      const said = await kubectl('exec', 'near', '--', 'sh', '-c', 'echo $POD_IPS $HOST_IPS');
      const host = families.map(family => machineAddress(1, family)).join();
      assert.equal(said.trim(), `${(await podIps('near')).join()} ${host}`);
      const hosts = await kubectl('exec', 'near', '--', 'cat', '/etc/hosts');
      for (const ip of await podIps('near')) assert.match(hosts, new RegExp(`^${ip}\\s+near$`, 'm'));
    });

    test('pods reach each other on one node and across nodes', async () => {
      for (const to of ['near', 'far', 'beside'])
        for (const ip of await podIps(to)) assert.equal(await ask('beside', ip), to, ip);
    });

    test('services have the families that their policy asks for, and lead to the pod', async () => {
      const primary = families.slice(0, 1);
      assert.deepEqual((await clusterIps('single')).map(familyOf), primary);
      assert.deepEqual((await clusterIps('prefer')).map(familyOf), families);
      if (families.length === 2) assert.deepEqual((await clusterIps('require')).map(familyOf), families);
      for (const name of ['single', 'prefer', ...(families.length === 2 ? ['require'] : [])])
        for (const ip of await clusterIps(name)) await hears('near', ip, 'far');
    });

    test('a service gains a family and loses it again', { skip: families.length === 1 }, async () => {
      const policy = (name: string) =>
        kubectl('patch', 'service', 'single', '-p', JSON.stringify({ spec: { ipFamilyPolicy: name } }));
      await policy('PreferDualStack');
      const [first = '', second = ''] = await clusterIps('single');
      assert.deepEqual([first, second].map(familyOf), families);
      await hears('beside', second, 'far');
      const one = { ipFamilyPolicy: 'SingleStack', ipFamilies: [`IPv${families[0]}`], clusterIPs: [first] };
      await kubectl('patch', 'service', 'single', '--type=merge', '-p', JSON.stringify({ spec: one }));
      assert.deepEqual(await clusterIps('single'), [first]);
      await hears('beside', second, 'none');
      await hears('beside', first, 'far');
    });

    test('RequireDualStack is refused where there is one family', { skip: families.length === 2 }, async () => {
      const path = cluster.file('require.yaml', service('require', 'far', 'RequireDualStack'));
      await assert.rejects(kubectl('apply', '-f', path), /this cluster is not configured for dual-stack services/);
    });

    test('names have records of each family, in both directions', async () => {
      assert.equal(await ask('near', 'prefer'), 'far');
      assert.equal(await ask('beside', 'prefer.default.svc.cluster.local'), 'far');
      for (const ip of await clusterIps('prefer')) {
        const type = familyOf(ip) === 6 ? 'AAAA' : 'A';
        const name = 'prefer.default.svc.cluster.local';
        assert.match(await kubectl('exec', 'near', '--', 'nslookup', `-type=${type}`, `${name}.`), new RegExp(ip));
        assert.match(await kubectl('exec', 'near', '--', 'nslookup', ip), new RegExp(name));
      }
    });

    test('a pod reaches the API server through its service', async () => {
      const script = 'nc -w 3 kubernetes.default.svc 443 </dev/null && echo connected';
      assert.equal((await kubectl('exec', 'far', '--', 'sh', '-c', script)).trim(), 'connected');
    });

    test('names that users fix are answered, in each family, while they are fixed', async () => {
      const [ip = ''] = await podIps('far');
      const hosts = `--from-literal=hosts=${ip} fixed.example.org`;
      await kubectl('create', 'configmap', 'kube-dns', '--namespace=kube-system', hosts);
      await hears('near', 'fixed.example.org', 'far');
      await kubectl('delete', 'configmap', 'kube-dns', '--namespace=kube-system');
      await hears('near', 'fixed.example.org', 'none');
    });

    test('node ports answer on each address of each node', async () => {
      const [port = ''] = await jsonpath('{.spec.ports[0].nodePort}', 'service', 'prefer');
      for (const i of [1, 2]) {
        for (const family of families) {
          const url = `http://${inUrl(machineAddress(i, family))}:${port}/`;
          assert.equal((await cluster.machine(0).run('curl', '-gsm', '5', url)).trim(), 'far', url);
          assert.equal(await ask('near', machineAddress(i, family), Number(port)), 'far', url);
        }
      }
    });

    test('what leaves the cluster has the node’s address', async () => {
      for (const family of families) {
        const echo = `require('node:net').createServer(s => { s.on('error', () => {}); s.end('HTTP/1.0 200 OK\\r\\n\\r\\n' + s.remoteAddress.replace('::ffff:', '')); }).listen(${8000 + family}, () => console.log('ready'))`;
        await cluster.machine(0).start(process.execPath, '-e', echo);
        assert.equal(await ask('near', machineAddress(0, family), 8000 + family), machineAddress(1, family));
      }
    });

    test('a network policy holds in each family', async () => {
      await kubectl('apply', '-f', cluster.file('policy.yaml', onlyNear));
      for (const ip of await podIps('far')) {
        await hears('beside', ip, 'none');
        assert.equal(await ask('near', ip), 'far', ip);
      }
      for (const ip of await podIps('beside')) assert.equal(await ask('far', ip), 'beside', ip);
      for (const ip of await podIps('near')) assert.equal(await ask('far', ip), 'none', ip);
      await kubectl('delete', 'networkpolicy', 'only-near');
      for (const ip of await podIps('far')) await hears('beside', ip, 'far');
    });
  });
}
