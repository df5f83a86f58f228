/** The kubelet as a process of its own, killed again and again at moments of chance, while pods come and go. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PodSpec } from '../../../src/api/types/core-v1.ts';
import { createApiServer } from '../../../src/apiserver/index.ts';
import { strategies } from '../../../src/apiserver/registry/index.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { isNotFound } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { seededRandom, systemRandom } from '../../../src/base/random.ts';
import { createClient } from '../../../src/client/index.ts';
import { removeCgroups } from '../../../src/kubelet/host/cgroups.ts';
import { createMemoryStore } from '../../../src/store/memory/index.ts';
import { serveHttps } from '../../../src/testing/https.ts';
import { busyboxImage } from '../../support/images.ts';
import { eventually, ready } from '../../support/linux-node.ts';
import { cniBinDir, createNodeFixture, whyNoContainers } from '../../support/node.ts';

const main = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts');
const subnet = '10.199.6.0/24';
const rounds = 10;

function spec(i: number): PodSpec {
  const forever = 'trap "exit 0" TERM; while true; do sleep 0.1; done';
  const container = {
    name: 'app',
    image: busyboxImage,
    command: ['sh', '-c', i % 3 === 0 ? 'sleep 0.3' : forever],
    volumeMounts: [
      { name: 'memory', mountPath: '/memory' },
      { name: 'config', mountPath: '/config', subPath: 'a' },
    ],
    ...(i % 4 === 1 && { lifecycle: { preStop: { exec: { command: ['sleep', '0.3'] } } } }),
  };
  return {
    nodeName: 'n1',
    terminationGracePeriodSeconds: 1,
    restartPolicy: i % 3 === 0 ? 'Never' : 'Always',
    ...(i % 2 === 0 && { initContainers: [{ name: 'first', image: busyboxImage, command: ['sleep', '0.2'] }] }),
    containers: [container],
    volumes: [
      { name: 'memory', emptyDir: { medium: 'Memory' } },
      { name: 'config', configMap: { name: 'config' } },
    ],
  };
}

/** Cgroups of pods and their containers below the one that is the kubelet's, in every hierarchy. */
async function podCgroups(parent: string): Promise<string[]> {
  const found: string[] = [];
  for (const hierarchy of ['', ...(await readdir('/sys/fs/cgroup'))])
    for (const entry of await readdir(`/sys/fs/cgroup/${hierarchy}/${parent}`, { recursive: true }).catch(() => []))
      if (/pod[0-9a-f-]{36}/.test(entry)) found.push(entry);
  return found;
}

const routes = () => execFileSync('ip', ['route', 'show', 'root', subnet]).toString();

test('killed at any point, nothing leaks and the pods converge', { skip: whyNoContainers() }, async t => {
  const seed = Number(process.env['SEED'] ?? systemRandom.int(1_000_000));
  t.diagnostic(`SEED=${seed}`);
  const random = seededRandom(seed);
  const routesBefore = routes();
  const base = await createNodeFixture(subnet);
  const { dir } = base;
  const cgroup = `tn-killed-${process.pid}`;
  const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
  const store = createMemoryStore({ clock: systemClock });
  const server = createApiServer({ ...environment, store, strategies });
  await server.start();
  const https = await serveHttps(server.handle);
  const client = createClient(server.loopback);
  let kubelet: ChildProcess | undefined;
  let converged = false;
  t.after(async () => {
    if (!converged) await tell().catch(e => t.diagnostic(String(e)));
    if (kubelet?.exitCode === null && kubelet.kill('SIGKILL')) await once(kubelet, 'exit');
    await base.destroy();
    await removeCgroups([`/${cgroup}`], systemClock);
    await https.close();
    await server.close();
    await store.close();
  });
  await writeFile(`${dir}/kubeconfig`, https.kubeconfig);
  const start = (): ChildProcess => {
    const flags = {
      kubeconfig: `${dir}/kubeconfig`,
      'hostname-override': 'n1',
      'node-ip': '127.0.0.1',
      'root-dir': `${dir}/kubelet`,
      'pod-logs-dir': `${dir}/logs`,
      'container-runtime-endpoint': base.containerd.socket,
      'cgroup-root': `/${cgroup}`,
      'cni-bin-dir': cniBinDir() ?? '',
      'cni-conf-dir': `${dir}/net.d`,
    };
    const args = Object.entries(flags).map(([k, v]) => `--${k}=${v}`);
    const log = openSync(`${dir}/kubelet.log`, 'a');
    try {
      return spawn(process.execPath, ['--conditions=source', main, 'kubelet', ...args], {
        stdio: ['ignore', log, log],
      });
    } finally {
      closeSync(log);
    }
  };
  /** What a failure is understood by. */
  const tell = async () => {
    const tail = async (path: string) => (await readFile(path, 'utf8')).split('\n').slice(-60).join('\n');
    t.diagnostic(JSON.stringify((await pods.list()).items.map(({ metadata, status }) => ({ metadata, status }))));
    t.diagnostic(JSON.stringify(await base.containerd.runtime.listPodSandboxes()));
    t.diagnostic(JSON.stringify(await base.containerd.runtime.listContainers()));
    t.diagnostic(await tail(`${dir}/kubelet.log`));
    t.diagnostic(await tail(`${dir}/containerd/containerd.log`));
  };
  const pods = client.resource('v1/pods', 'default');
  await client.resource('v1/configmaps', 'default').create({ metadata: { name: 'config' }, data: { a: 'A' } });
  const drop = (name: string) =>
    pods.delete(name, { gracePeriodSeconds: random.int(3) === 0 ? 0 : 1 }).catch(e => {
      if (!isNotFound(e)) throw e;
    });

  for (let round = 0; round < rounds; round++) {
    kubelet = start();
    for (let i = 0; i < 3; i++) {
      const n = round * 3 + i;
      await pods.create({ metadata: { name: `p${n}`, namespace: 'default' }, spec: spec(n) });
      if (n >= 4) await drop(`p${n - 4}`);
    }
    await new Promise(resolve => setTimeout(resolve, 800 + random.int(2500)));
    kubelet.kill('SIGKILL');
    await once(kubelet, 'exit');
  }
  kubelet = start();
  await eventually(async () => {
    const { items } = await pods.list();
    const settled = items.every(p => (p.spec.restartPolicy === 'Never' ? p.status?.phase === 'Succeeded' : ready(p)));
    return items.length === 4 && settled;
  });
  for (const { metadata } of (await pods.list()).items) await drop(metadata.name ?? '');
  await eventually(async () => (await pods.list()).items.length === 0);
  const { runtime } = base.containerd;
  await eventually(
    async () => (await runtime.listPodSandboxes()).length + (await runtime.listContainers()).length === 0,
  );
  await eventually(async () => (await readdir(`${dir}/kubelet/pods`)).length === 0);
  // The runtime may still have been at what a dead kubelet had asked for when the pod's cgroup was removed.
  await eventually(async () => (await podCgroups(cgroup)).length === 0);
  kubelet.kill('SIGTERM');
  await once(kubelet, 'exit');
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').filter(l => l.includes(`${dir}/kubelet`));
  assert.deepEqual(mounts, []);
  assert.deepEqual(await readdir(`${dir}/logs`), []);
  assert.deepEqual(
    (await readdir(`${dir}/ipam/test`)).filter(n => /^\d/.test(n)),
    [],
    'addresses',
  );
  assert.equal(routes(), routesBefore, 'routes to interfaces of pods');
  converged = true;
});
