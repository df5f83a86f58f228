/** A node without nft, and a proxy without the right to change the network: services are forwarded in user space, and what is missing is said once. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxImage } from '../../support/images.ts';
import { createMachineCluster, type MachineCluster } from '../../support/machine-cluster.ts';
import { whyNoContainers } from '../../support/node.ts';
import { type Part, startPart } from '../../support/processes.ts';

const tsukube = join(import.meta.dirname, '..', '..', '..', 'bin', 'tsukube');
const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: ${busyboxImage}
        command: [sh, -c, "mkdir /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www"]
        readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody}
spec: {podSelector: {}, policyTypes: [Ingress]}
`;

describe('a node without a packet filter', { skip: whyNoContainers() ?? false }, () => {
  let cluster: MachineCluster;
  let pods: string[];
  let proxy: Part | undefined;
  before(async () => {
    cluster = await createMachineCluster({ agents: 1, without: ['nft'] });
    await cluster.kubectl('apply', '-f', cluster.file('web.yaml', web));
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s').catch(cluster.explain);
    const names = await cluster.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}');
    pods = names.trim().split(' ').sort();
  });
  after(async () => {
    await proxy?.stop();
    await cluster?.stop();
  });
  const curl = async (machine: number, url: string) =>
    (await cluster.machine(machine).run('sh', '-c', `curl -sm 3 ${url} || echo refused`)).trim();
  /** Different answers of a few questions, until there are as many as expected. */
  async function answers(ask: () => Promise<string>, expected: number): Promise<string[]> {
    const heard = new Set<string>();
    for (let attempt = 0; attempt < 30 && heard.size < expected; attempt++) heard.add(await ask());
    return [...heard].sort();
  }

  test('pods reach a service by name and by address, and themselves', async () => {
    const [first = ''] = pods;
    const address = await cluster.kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
    for (const host of ['web', address.trim()]) {
      const ask = async () =>
        (await cluster.kubectl('exec', first, '--', 'timeout', '5', 'wget', '-qO-', `http://${host}/`)).trim();
      assert.deepEqual(await answers(ask, 2), pods, host);
    }
  });

  test('the node reaches it, and others through the node port', async () => {
    const address = (await cluster.kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}')).trim();
    assert.deepEqual(await answers(() => curl(1, `http://${address}/`), 2), pods);
    assert.deepEqual(await answers(() => curl(0, 'http://10.77.0.2:30080/'), 2), pods);
  });

  test('endpoints that go are not asked any more; without one, clients are refused', async () => {
    await cluster.kubectl('scale', 'deployment/web', '--replicas=0');
    await cluster.kubectl('wait', 'pods', '-l', 'app=web', '--for=delete', '--timeout=60s');
    let heard = '';
    for (let attempt = 0; attempt < 30 && heard !== 'refused'; attempt++)
      heard = await curl(0, 'http://10.77.0.2:30080/');
    assert.equal(heard, 'refused');
    await cluster.kubectl('scale', 'deployment/web', '--replicas=1');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s').catch(cluster.explain);
    for (let attempt = 0; attempt < 30 && !heard.startsWith('web-'); attempt++)
      heard = await curl(0, 'http://10.77.0.2:30080/');
    assert.match(heard, /^web-/);
  });

  test('what cannot be done is said once, and nothing is tried again and again', () => {
    const lines = cluster.output(1).split('\n');
    for (const text of [
      'services are forwarded in user space',
      'network policies are not enforced',
      'pods reach only what has a way back',
    ])
      assert.equal(lines.filter(line => line.includes(text)).length, 1, text);
    assert.doesNotMatch(cluster.output(1), /trying again/);
  });

  test('a proxy that may not change the network serves node ports, and says what it cannot', async () => {
    // The way to the pods, which a routes' agent would have made.
    await cluster.machine(0).run('ip', 'route', 'add', '10.42.0.0/24', 'via', '10.77.0.2');
    const flags = ['--hostname-override=elsewhere', '--cluster-cidr=10.42.0.0/16', '--healthz-bind-address='];
    const words = [tsukube, 'proxy', `--kubeconfig=${cluster.kubeconfig}`, ...flags];
    const command = `exec setpriv --bounding-set=-net_admin --inh-caps=-net_admin sh ${words.join(' ')}`;
    proxy = await startPart(cluster.machine(0), ['-c', command], /The proxy is ready .*mode=userspace/);
    let heard = '';
    for (let attempt = 0; attempt < 30 && !heard.startsWith('web-'); attempt++)
      heard = await curl(0, 'http://10.77.0.1:30080/');
    assert.match(heard, /^web-/);
    assert.match(proxy.output(), /no packet filter on this host: services are forwarded in user space/);
    assert.match(proxy.output(), /service addresses cannot be made local/);
    assert.match(proxy.output(), /a service address cannot be served in user space/);
    assert.equal(await curl(0, 'http://127.0.0.1:10249/proxyMode'), 'userspace');
  });
});
