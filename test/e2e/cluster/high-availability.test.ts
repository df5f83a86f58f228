/**
 * Three servers on a three-member etcd and two agents, each machine a network namespace. Under load the leading server and an etcd member are killed:
 * no acknowledged write is lost, leadership moves within 20 s, and the nodes go on.
 */
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
const support = join(root, 'test', 'support');
const bootstrapToken = 'abcdef.0123456789abcdef';
const deployment = `
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
      containers: [{name: web, image: ${busyboxImage}, command: [sleep, "3600"]}]
`;

describe('three servers on a three-member etcd, two agents', { skip: whyNoContainers() ?? false }, () => {
  let directory: string;
  let network: Machines;
  const etcds: Part[] = [];
  const servers: Part[] = [];
  const others: Part[] = [];
  const machine = (i: number): Namespace => {
    const found = network.machines[i];
    assert.ok(found);
    return found;
  };
  const address = (i: number) => `10.77.0.${i + 1}`;
  const dir = (name: string) => join(directory, name);
  /** kubectl against one of the servers. */
  const kubectl = (server: number, ...args: string[]) =>
    machine(server).run(
      'kubectl',
      '--request-timeout=10s',
      '--kubeconfig',
      join(dir(`server${server}`), 'admin.kubeconfig'),
      ...args,
    );

  async function startEtcd(i: number): Promise<Part> {
    const cluster = [0, 1, 2].map(n => `m${n}=http://${address(n)}:2380`).join(',');
    const flags = [
      '--name',
      `m${i}`,
      '--data-dir',
      dir(`etcd${i}`),
      '--initial-cluster',
      cluster,
      '--initial-cluster-state',
      'new',
      '--listen-peer-urls',
      `http://${address(i)}:2380`,
      '--initial-advertise-peer-urls',
      `http://${address(i)}:2380`,
      '--listen-client-urls',
      `http://${address(i)}:2379`,
      '--advertise-client-urls',
      `http://${address(i)}:2379`,
      '--logger=zap',
    ];
    return startPart(
      machine(i),
      ['-c', `exec etcd ${flags.join(' ')}`],
      /ready to serve client requests|serving insecure client requests|became leader|elected leader/,
    );
  }

  async function startServer(i: number): Promise<Part> {
    const endpoints = [0, 1, 2].map(n => `http://${address(n)}:2379`).join(',');
    return startPart(
      machine(i),
      [
        tsukube,
        'server',
        `--data-dir=${dir(`server${i}`)}`,
        `--cert-dir=${dir('pki')}`,
        `--advertise-address=${address(i)}`,
        `--tls-san=${[0, 1, 2].map(address).join(',')}`,
        `--token=${bootstrapToken}`,
        `--etcd-servers=${endpoints}`,
      ],
      /--token (\S+)/,
    );
  }

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ha-'));
    network = await createMachines(6);
    etcds.push(...(await Promise.all([0, 1, 2].map(startEtcd))));
    // The first one makes the certificates that the others share.
    servers.push(await startServer(0));
    servers.push(...(await Promise.all([1, 2].map(startServer))));
    const token = servers[0]?.match[1] ?? '';
    writeFileSync(dir('busybox.tar'), busyboxArchive());
    writeFileSync(dir('web.yaml'), deployment);
    for (const i of [3, 4]) {
      const urls = [0, 1, 2].map(n => `https://${address(n)}:6443`).join(',');
      const flags = [
        `--server=${urls}`,
        `--token=${token}`,
        `--node-name=node${i}`,
        `--node-ip=${address(i)}`,
        `--data-dir=${dir(`node${i}`)}`,
      ];
      others.push(await startPart(machine(i), [tsukube, 'agent', ...flags], /The node has joined/));
      await machine(i).run('sh', tsukube, 'image', 'import', dir('busybox.tar'), `--data-dir=${dir(`node${i}`)}`);
    }
  });
  after(async () => {
    for (const part of [...others.reverse(), ...servers, ...etcds]) await part.stop().catch(() => {});
    await network?.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  const holder = async (server: number, lease: string) =>
    (
      await kubectl(
        server,
        'get',
        'lease',
        '-n',
        'kube-system',
        lease,
        '-o',
        'jsonpath={.spec.holderIdentity} {.spec.leaseTransitions}',
      )
    ).trim();

  test('every server answers, one leads, and pods run', async () => {
    await kubectl(1, 'apply', '-f', dir('web.yaml'));
    await kubectl(2, 'rollout', 'status', 'deployment/web', '--timeout=60s');
    for (const i of [0, 1, 2]) assert.match(await kubectl(i, 'get', 'nodes', '-o', 'name'), /node3[\s\S]*node4/);
    assert.notEqual(await holder(0, 'kube-controller-manager'), '');
  });

  test('the leading server and an etcd member are killed under load', async () => {
    const urls = [0, 1, 2].map(n => `https://${address(n)}:6443`);
    const writer = await startPart(
      machine(5),
      [
        '-c',
        `exec ${process.execPath} --disable-warning=ExperimentalWarning ${join(support, 'acknowledged-writer.ts')} ${join(dir('server0'), 'admin.kubeconfig')} ${urls.join(' ')}`,
      ],
      /ready/,
    );
    others.push(writer);
    const before = await holder(1, 'kube-controller-manager');
    await new Promise(resolve => setTimeout(resolve, 3000));
    // All machines share the host's name, so who leads is told by trying: the first server started first and leads.
    await servers[0]?.kill();
    await etcds[0]?.kill();
    const killedAt = performance.now();
    let now = before;
    while (now === before && performance.now() - killedAt < 40_000) {
      await new Promise(resolve => setTimeout(resolve, 500));
      now = await holder(1, 'kube-controller-manager').catch(() => before);
    }
    const seconds = (performance.now() - killedAt) / 1000;
    console.log(`leadership moved in ${seconds.toFixed(1)} s`);
    assert.notEqual(now, before);
    assert.ok(seconds <= 20, `leadership moved in ${seconds.toFixed(1)} s`);
    await kubectl(1, 'scale', 'deployment/web', '--replicas=4');
    await kubectl(2, 'rollout', 'status', 'deployment/web', '--timeout=60s');
    await writer.stop();
    const acknowledged = writer
      .output()
      .split('\n')
      .filter(line => line.startsWith('load-'));
    const present = new Set(
      (await kubectl(1, 'get', 'configmaps', '-o', 'name')).split('\n').map(line => line.replace('configmap/', '')),
    );
    console.log(`${acknowledged.length} writes acknowledged`);
    assert.ok(acknowledged.length > 100);
    assert.deepEqual(
      acknowledged.filter(name => !present.has(name)),
      [],
    );
    assert.match(await kubectl(1, 'get', 'nodes', '--no-headers'), /node3 +Ready[\s\S]*node4 +Ready/);
  });
});
