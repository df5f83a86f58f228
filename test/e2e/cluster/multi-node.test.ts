/** One server and two agents, each in a network namespace of its own: joining, pods across nodes, services, DNS, logs. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxArchive, busyboxImage } from '../../support/images.ts';
import { createMachines, type Machines } from '../../support/machines.ts';
import type { Namespace } from '../../support/netns.ts';
import { whyNoContainers } from '../../support/node.ts';
import { type Part, startPart } from '../../support/processes.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const tsukube = join(root, 'bin', 'tsukube');
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
  let directory: string;
  let network: Machines;
  const parts: Part[] = [];
  let kubectl: (...args: string[]) => Promise<string>;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'multi-'));
    network = await createMachines(3);
    const machine = (i: number): Namespace => {
      const found = network.machines[i];
      assert.ok(found);
      return found;
    };
    const dir = (name: string) => join(directory, name);
    const server = await startPart(
      machine(0),
      [tsukube, 'server', `--data-dir=${dir('server')}`, '--advertise-address=10.77.0.1'],
      /--token (\S+)/,
    );
    parts.push(server);
    const token = server.match[1] ?? '';
    kubectl = (...args) => machine(0).run('kubectl', '--kubeconfig', join(dir('server'), 'admin.kubeconfig'), ...args);
    writeFileSync(dir('busybox.tar'), busyboxArchive());
    for (const i of [1, 2]) {
      parts.push(
        await startPart(
          machine(i),
          [
            tsukube,
            'agent',
            '--server=https://10.77.0.1:6443',
            `--token=${token}`,
            `--node-name=node${i}`,
            `--node-ip=10.77.0.${i + 1}`,
            `--data-dir=${dir(`node${i}`)}`,
          ],
          /The node has joined/,
        ),
      );
      await machine(i).run('sh', tsukube, 'image', 'import', dir('busybox.tar'), `--data-dir=${dir(`node${i}`)}`);
    }
    writeFileSync(dir('web.yaml'), web);
  });
  after(async () => {
    for (const part of parts.reverse()) await part.stop();
    await network?.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Fails with what the cluster says of itself. */
  async function explain(error: unknown): Promise<never> {
    const told = await Promise.all(
      [kubectl('describe', 'pods'), kubectl('get', 'csr,nodes', '-o', 'wide'), kubectl('get', 'events', '-A')].map(p =>
        p.catch(String),
      ),
    );
    throw new Error([String(error), ...told, ...parts.map(part => part.output().slice(-4000))].join('\n----\n'));
  }

  test('both nodes become ready', async () => {
    await kubectl('wait', 'node/node1', 'node/node2', '--for=condition=Ready', '--timeout=60s');
  });

  test('pods on both nodes answer through the service, by name, from either node', async () => {
    await kubectl('apply', '-f', join(directory, 'web.yaml'));
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s').catch(explain);
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
