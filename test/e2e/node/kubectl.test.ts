import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../../../src/base/clock.ts';
import { lineLogger, silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { type RunningApiServer, runApiServer } from '../../../src/cli/run/apiserver.ts';
import { createClient, createInformerFactory } from '../../../src/client/index.ts';
import { http2Transport } from '../../../src/client/node/index.ts';
import { removeCgroups } from '../../../src/kubelet/host/cgroups.ts';
import { detectMachine } from '../../../src/kubelet/host/machine.ts';
import { createLinuxNode, type LinuxNode } from '../../../src/kubelet/linux-node.ts';
import { issueNodeCredentials, writeKubeconfig } from '../../../src/pki/index.ts';
import { createMemoryStore } from '../../../src/store/memory/index.ts';
import { busyboxImage } from '../../support/images.ts';
import { eventually } from '../../support/linux-node.ts';
import { cniBinDir, createNodeFixture, type NodeFixture, whyNoContainers } from '../../support/node.ts';

const kubectlPath = ['/usr/bin/kubectl', '/usr/local/bin/kubectl'].find(existsSync);
const skip = whyNoContainers() ?? (kubectlPath ? undefined : 'needs kubectl');
const run = promisify(execFile);
const cgroup = `tn-kubectl-${process.pid}`;
let dir = '';
let base: NodeFixture | undefined;
let api: RunningApiServer | undefined;
let node: LinuxNode | undefined;
const stop = new AbortController();

const args = (...words: string[]) => ['--kubeconfig', `${dir}/config`, ...words];
const kubectl = async (...words: string[]) =>
  (await run(kubectlPath ?? '', args(...words), { timeout: 30_000 })).stdout;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

before(async () => {
  if (skip) return;
  dir = await mkdtemp('/tmp/tn-kubectl-');
  base = await createNodeFixture('10.199.6.0/24');
  await base.containerd.release();
  const log = process.env['TEST_LOG'] ? lineLogger(systemClock, l => process.stderr.write(l), 'debug') : silentLogger;
  const environment = { clock: systemClock, random: systemRandom, log, metrics: createMetrics() };
  api = await runApiServer({
    environment,
    storeDirectory: '',
    store: createMemoryStore({ clock: systemClock }),
    pkiDirectory: `${dir}/pki`,
    bindAddresses: ['127.0.0.1'],
    port: 0,
    advertiseAddress: '127.0.0.1',
    serviceCidrs: ['10.96.0.0/16'],
    clusterDomain: 'cluster.local',
  });
  const { ca, clients } = api.pki;
  const server = `https://127.0.0.1:${api.port}`;
  const clientFor = (c: { certificate: string; key: string }) =>
    createClient(http2Transport({ server, ca: ca.certificate, cert: c.certificate, key: c.key, clock: systemClock }));
  writeKubeconfig(`${dir}/config`, { server, authority: ca.certificate, user: 'admin', credentials: clients.admin });
  const admin = clientFor(clients.admin);
  await admin.resource('v1/serviceaccounts', 'default').create({ metadata: { name: 'default' } });
  await admin
    .resource('v1/configmaps', 'default')
    .create({ metadata: { name: 'kube-root-ca.crt' }, data: { 'ca.crt': ca.certificate } });
  const identity = issueNodeCredentials(ca, { name: 'n1', addresses: ['127.0.0.1'] }, systemClock);
  const client = clientFor(identity.client);
  const informers = createInformerFactory(client, environment);
  informers.start(stop.signal);
  const { certificate: cert, key } = identity.serving;
  node = await createLinuxNode({
    environment,
    client,
    informers,
    nodeName: 'n1',
    machine: { ...(await detectMachine(dir, ['127.0.0.1'])), hostname: 'n1' },
    directories: {
      kubelet: `${base.dir}/kubelet`,
      containerd: `${base.dir}/containerd`,
      state: `${base.dir}/run`,
      logs: `${base.dir}/logs`,
    },
    cni: { binDir: cniBinDir() ?? '', confDir: `${base.dir}/net.d` },
    cgroupRoot: `/${cgroup}`,
    clusterDns: { servers: ['10.96.0.10'], domain: 'cluster.local' },
    server: { host: '127.0.0.1', port: await freePort(), tls: { cert, key, clientCa: ca.certificate } },
  });
  await node.start();
  const script =
    'echo started; mkdir /w; echo page > /w/index.html; httpd -p 8080 -h /w; trap "exit 0" TERM; while true; do sleep 0.1; done';
  const container = {
    name: 'app',
    image: busyboxImage,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', script],
  };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { nodeName: 'n1', terminationGracePeriodSeconds: 2, containers: [container] },
  };
  await writeFile(`${dir}/pod.json`, JSON.stringify(pod));
  await kubectl('apply', '-f', `${dir}/pod.json`);
  await kubectl('wait', '--for=condition=Ready', 'pod/p', '--timeout=25s');
});
after(async () => {
  try {
    await node?.stop();
  } finally {
    stop.abort(new Error('the test is over'));
    await api?.close();
    await base?.destroy();
    await removeCgroups([`/${cgroup}`], systemClock);
    await rm(dir, { recursive: true, force: true });
  }
});

test('kubectl get, logs, exec and cp', { skip }, async () => {
  assert.match(await kubectl('get', 'nodes'), /n1\s+Ready/);
  assert.match(await kubectl('get', 'pod', 'p', '-o', 'wide'), /p\s+1\/1\s+Running\s+0 .* 10\.199\.6\.\d+\s+n1/);
  assert.equal(await kubectl('logs', 'p'), 'started\n');
  assert.equal(await kubectl('exec', 'p', '--', 'hostname'), 'p\n');
  await assert.rejects(kubectl('exec', 'p', '--', 'sh', '-c', 'exit 7'), { code: 7 });
  await writeFile(`${dir}/up`, 'carried');
  await kubectl('cp', `${dir}/up`, 'p:/tmp/there');
  await kubectl('cp', 'p:/tmp/there', `${dir}/down`);
  assert.equal(await readFile(`${dir}/down`, 'utf8'), 'carried');
});

test('the pod has a token that the API server knows', { skip }, async () => {
  const token = await kubectl('exec', 'p', '--', 'cat', '/var/run/secrets/kubernetes.io/serviceaccount/token');
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  assert.equal(claims.sub, 'system:serviceaccount:default:default');
  assert.equal(claims['kubernetes.io'].pod.name, 'p');
});

test('kubectl exec -i and attach carry input', { skip }, async () => {
  const child = spawn(kubectlPath ?? '', args('exec', '-i', 'p', '--', 'sh', '-c', 'cat; echo done'));
  const out: Buffer[] = [];
  child.stdout.on('data', (c: Buffer) => out.push(c));
  child.stdin.end('typed\n');
  const [code] = await once(child, 'close');
  assert.deepEqual([code, Buffer.concat(out).toString()], [0, 'typed\ndone\n']);
});

test('kubectl port-forward', { skip }, async () => {
  const child = spawn(kubectlPath ?? '', args('port-forward', 'pod/p', ':8080'));
  try {
    const [first] = await once(child.stdout, 'data');
    const port = /127\.0\.0\.1:(\d+)/.exec(String(first))?.[1];
    for (let i = 0; i < 2; i++) assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'page\n');
  } finally {
    child.kill();
    await once(child, 'close');
  }
});

test('kubectl logs -f ends with the pod; delete waits; debug adds a container', { skip }, async () => {
  await kubectl('debug', 'p', '--image', busyboxImage, '-c', 'dbg', '--', 'sh', '-c', 'echo debugging; sleep 100');
  await eventually(async () => (await kubectl('logs', 'p', '-c', 'dbg').catch(() => '')) === 'debugging\n');
  const follow = spawn(kubectlPath ?? '', args('logs', '-f', 'p', '-c', 'app'));
  const closed = once(follow, 'close');
  await once(follow.stdout, 'data');
  assert.match(await kubectl('delete', 'pod', 'p'), /deleted/);
  await closed;
  await assert.rejects(kubectl('get', 'pod', 'p'), /NotFound/);
});
