/** `tsukube kubelet` by itself, with upstream's flags, on a containerd of somebody else: no proxy, no DNS, only a node's own rights. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { type RunningApiServer, runApiServer } from '../../../src/cli/run/apiserver.ts';
import { removeCgroups } from '../../../src/kubelet/host/cgroups.ts';
import { issueNodeCredentials, writeKubeconfig } from '../../../src/pki/index.ts';
import { createMemoryStore } from '../../../src/store/memory/index.ts';
import { busyboxImage } from '../../support/images.ts';
import { cniBinDir, createNodeFixture, type NodeFixture, whyNoContainers } from '../../support/node.ts';

const run = promisify(execFile);
const tsukube = join(import.meta.dirname, '..', '..', '..', 'bin', 'tsukube');
const cgroup = `tn-alone-${process.pid}`;
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    nodeName: 'alone',
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'app',
        image: busyboxImage,
        command: ['sh', '-c', 'echo started; trap "exit 0" TERM; while true; do sleep 0.1; done'],
      },
    ],
  },
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

describe('the kubelet alone', { skip: whyNoContainers() ?? false }, () => {
  let base: NodeFixture;
  let api: RunningApiServer | undefined;
  let kubelet: ChildProcess | undefined;
  let flags: readonly string[];
  let said = '';
  const kubectl = async (...words: string[]) =>
    (await run('kubectl', ['--kubeconfig', `${base.dir}/admin`, ...words], { timeout: 60_000 })).stdout;
  const start = () => {
    const child = spawn('sh', [tsukube, 'kubelet', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    kubelet = child;
  };
  const stop = async () => {
    if (kubelet?.exitCode !== null || !kubelet.kill('SIGTERM')) return;
    await once(kubelet, 'exit');
  };

  before(async () => {
    base = await createNodeFixture('10.199.8.0/24');
    api = await runApiServer({
      environment: { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() },
      ...{ storeDirectory: '', store: createMemoryStore({ clock: systemClock }), pkiDirectory: `${base.dir}/pki` },
      ...{ bindAddresses: ['127.0.0.1'], port: 0, advertiseAddress: '127.0.0.1', serviceCidrs: ['10.96.0.0/16'] },
      clusterDomain: 'cluster.local',
    });
    const { ca, clients } = api.pki;
    const identity = issueNodeCredentials(ca, { name: 'alone', addresses: ['127.0.0.1'] }, systemClock);
    const common = { server: `https://127.0.0.1:${api.port}`, authority: ca.certificate };
    writeKubeconfig(`${base.dir}/admin`, { ...common, user: 'admin', credentials: clients.admin });
    writeKubeconfig(`${base.dir}/node`, { ...common, user: 'node', credentials: identity.client });
    for (const [name, text] of Object.entries({
      'ca.crt': ca.certificate,
      'kubelet.crt': identity.serving.certificate,
      'kubelet.key': identity.serving.key,
    }))
      writeFileSync(join(base.dir, name), text);
    const wanted = {
      kubeconfig: `${base.dir}/node`,
      'hostname-override': 'alone',
      'node-ip': '127.0.0.1',
      'root-dir': `${base.dir}/kubelet`,
      'pod-logs-dir': `${base.dir}/logs`,
      'container-runtime-endpoint': `unix://${base.containerd.socket}`,
      'cgroup-root': `/${cgroup}`,
      'cni-bin-dir': cniBinDir() ?? '',
      'cni-conf-dir': `${base.dir}/net.d`,
      'cluster-dns': '10.96.0.10',
      address: '127.0.0.1',
      port: String(await freePort()),
      'tls-cert-file': `${base.dir}/kubelet.crt`,
      'tls-private-key-file': `${base.dir}/kubelet.key`,
      'client-ca-file': `${base.dir}/ca.crt`,
    };
    flags = Object.entries(wanted).map(([name, value]) => `--${name}=${value}`);
    start();
    await kubectl('create', 'serviceaccount', 'default');
    const root = [`--from-literal=ca.crt=${ca.certificate}`];
    await kubectl('create', 'configmap', 'kube-root-ca.crt', ...root);
  });
  after(async () => {
    await stop();
    await api?.close();
    await base?.destroy();
    await removeCgroups([`/${cgroup}`], systemClock);
  });

  /** Fails with what the kubelet said. */
  const explain = (error: unknown) => {
    throw new Error(`${String(error)}\n${said.slice(-4000)}`);
  };

  test('registers its node and runs a pod, with logs and exec', async () => {
    writeFileSync(`${base.dir}/pod.json`, JSON.stringify(pod('p')));
    await kubectl('apply', '-f', `${base.dir}/pod.json`);
    await kubectl('wait', 'pod/p', '--for=condition=Ready', '--timeout=50s').catch(explain);
    assert.match(await kubectl('get', 'nodes'), /alone\s+Ready/);
    assert.equal(await kubectl('logs', 'p'), 'started\n');
    assert.match(await kubectl('exec', 'p', '--', 'cat', '/etc/resolv.conf'), /^nameserver 10\.96\.0\.10$/m);
  });

  test('its end leaves the container running, and its return finds it', async () => {
    const id = () => kubectl('get', 'pod', 'p', '-o', 'jsonpath={.status.containerStatuses[0].containerID}');
    const before = await id();
    await stop();
    assert.equal(kubelet?.exitCode, 0);
    const running = (await base.containerd.runtime.listContainers()).filter(c => c.state === 'CONTAINER_RUNNING');
    assert.equal(running.length, 1);
    start();
    writeFileSync(`${base.dir}/pod.json`, JSON.stringify(pod('q')));
    await kubectl('apply', '-f', `${base.dir}/pod.json`);
    await kubectl('wait', 'pod/q', '--for=condition=Ready', '--timeout=50s').catch(explain);
    assert.equal(await id(), before);
    assert.match(await kubectl('get', 'pod', 'p'), /p\s+1\/1\s+Running\s+0/);
    await kubectl('delete', 'pod', 'p', 'q', '--timeout=50s').catch(explain);
    assert.deepEqual(await base.containerd.runtime.listPodSandboxes(), []);
  });
});
