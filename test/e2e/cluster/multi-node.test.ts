/** One server and two agents, each in a network namespace of its own: joining, pods across nodes, services, DNS, logs. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { busyboxImage } from '../../support/images.ts';
import { createMachineCluster, type MachineCluster } from '../../support/machine-cluster.ts';
import { whyNoContainers } from '../../support/node.ts';

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
      containers:
      - name: web
        image: ${busyboxImage}
        command: [sh, -c, "mkdir /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www"]
        readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;

describe('one server and two agents', { skip: whyNoContainers() ?? false }, () => {
  let cluster: MachineCluster;
  before(async () => {
    cluster = await createMachineCluster({ agents: 2 });
  });
  after(async () => cluster?.stop());
  const kubectl = (...args: string[]) => cluster.kubectl(...args);

  test('both nodes become ready', async () => {
    await kubectl('wait', 'node/node1', 'node/node2', '--for=condition=Ready', '--timeout=60s');
  });

  test('pods on both nodes answer through the service, by name, from either node', async () => {
    await kubectl('apply', '-f', cluster.file('web.yaml', web));
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s').catch(cluster.explain);
    const nodes = await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].spec.nodeName}');
    assert.deepEqual([...new Set(nodes.split(' '))].sort(), ['node1', 'node2']);
    const names = (await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}')).split(
      ' ',
    );
    const script =
      'for i in $(seq 40); do timeout 5 wget -qO- http://web.default.svc.cluster.local || echo failed; done';
    for (const name of names.slice(0, 4)) {
      const answers = new Set((await kubectl('exec', name, '--', 'sh', '-c', script)).trim().split('\n'));
      assert.deepEqual([...answers].sort(), [...names].sort(), `from ${name}`);
    }
  });

  test('logs come from a node whose certificate was signed by the cluster', async () => {
    const [name = ''] = (
      await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}')
    ).split(' ');
    await kubectl('logs', name);
    const approved = await kubectl('get', 'csr', '-o', 'jsonpath={.items[*].spec.signerName}');
    assert.match(approved, /kubelet-serving/);
  });
});
