/**
 * The original's controller manager, scheduler and kubectl on our API server, and our controllers on the original's: parts of one cluster
 * from two makers. The versions are fifteen apart, far more than anybody supports, so only what both know is tried.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { PodSpec } from '../../src/api/types/core-v1.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import { managerFor } from '../../src/cli/run/manager.ts';
import { type Client, createClient, waitFor } from '../../src/client/index.ts';
import { createSimulatedNodes, type SimulatedNodes } from '../../src/kubelet/index.ts';
import { kubeconfig } from '../../src/pki/index.ts';
import { freePort } from '../support/api-process.ts';
import { whyNoKubectl } from '../support/kubectl-server.ts';
import { originalBinaries } from '../support/original/binaries.ts';
import { type Original, type Program, startOriginal, startProgram } from '../support/original/server.ts';
import { type Ours, startOurs } from './targets.ts';

const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
const labels = { app: 'web' };
const pod = (restartPolicy: 'Always' | 'Never', command?: string[]): PodSpec => ({
  restartPolicy,
  // The original expects tokens in secrets, which nobody makes any more.
  automountServiceAccountToken: false,
  containers: [{ name: 'c', image: 'example.com/c:1', ...(command && { command }) }],
});
const template = { metadata: { labels }, spec: pod('Always') };
const selector = { matchLabels: labels };

/**
 * So many pods have ended well. Of the Job itself only that can be asked: 1.35 takes none for complete that has not met its criteria, and
 * counts pods in a field of the status; 1.20 knows neither.
 */
async function succeeded(client: Client, labelSelector: string, count: number): Promise<void> {
  const done = new Set<string>();
  const signal = AbortSignal.timeout(120_000);
  for await (const { object } of client.pods('default').watch({ labelSelector, resourceVersion: '0', signal })) {
    if (object.status?.phase === 'Succeeded') done.add(object.metadata.name);
    if (done.size === count) return;
  }
}

/** A Deployment, a DaemonSet and a Job come up, the Deployment with a second version; then the Deployment goes, with all that it owned. */
async function workloadsRun(client: Client, nodes: number): Promise<void> {
  const ns = 'default';
  const at = { clock: systemClock, namespace: ns, timeoutMs: 120_000 };
  await client.deployments(ns).create({ metadata: { name: 'web' }, spec: { replicas: 3, selector, template } });
  await client.daemonsets(ns).create({
    metadata: { name: 'everywhere' },
    spec: { selector: { matchLabels: { app: 'ds' } }, template: { ...template, metadata: { labels: { app: 'ds' } } } },
  });
  await client.jobs(ns).create({
    metadata: { name: 'once' },
    spec: { completions: 2, template: { spec: pod('Never', ['sh', '-c', 'exit 0']) } },
  });
  await waitFor(client, 'apps/v1/deployments', { ...at, name: 'web', until: obj => obj?.status?.readyReplicas === 3 });
  await waitFor(client, 'apps/v1/daemonsets', {
    ...at,
    name: 'everywhere',
    until: obj => obj?.status?.numberReady === nodes,
  });
  await succeeded(client, 'job-name=once', 2);
  await client.deployments(ns).patch('web', 'strategic', {
    spec: { template: { spec: { containers: [{ name: 'c', image: 'example.com/c:2' }] } } },
  });
  await waitFor(client, 'apps/v1/deployments', {
    ...{ ...at, name: 'web' },
    until: obj =>
      obj?.status?.observedGeneration === 2 &&
      obj.status.updatedReplicas === 3 &&
      obj.status.replicas === 3 &&
      obj.status.readyReplicas === 3,
  });
  const [pods] = [await client.pods(ns).list({ labelSelector: 'app=web' })];
  await client.deployments(ns).delete('web');
  for (const { metadata } of pods.items)
    await waitFor(client, 'v1/pods', { ...at, name: metadata.name, until: obj => obj === undefined });
}

async function nodesOf(client: Client, count: number): Promise<SimulatedNodes> {
  const nodes = createSimulatedNodes({ count, client, environment });
  await nodes.start();
  return nodes;
}

/** Without preemption, which reads disruption budgets in a version that is gone. */
async function startScheduler(path: string, kubeconfig: string, folder: string): Promise<Program> {
  const address = `127.0.0.1:${await freePort()}`;
  const configuration = join(folder, 'scheduler.json');
  writeFileSync(
    configuration,
    JSON.stringify({
      apiVersion: 'kubescheduler.config.k8s.io/v1beta1',
      kind: 'KubeSchedulerConfiguration',
      clientConnection: { kubeconfig },
      leaderElection: { leaderElect: false },
      healthzBindAddress: address,
      metricsBindAddress: address,
      profiles: [{ schedulerName: 'default-scheduler', plugins: { postFilter: { disabled: [{ name: '*' }] } } }],
    }),
  );
  return startProgram(path, [`--config=${configuration}`, '--secure-port=0'], folder);
}

const found = originalBinaries(['kube-controller-manager', 'kube-scheduler']);
const missing = 'missing' in found && found.missing;

describe('the original’s controllers and scheduler on our API server', { skip: missing, timeout: 400_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'components-'));
  const programs: Program[] = [];
  let ours: Ours;
  let client: Client;
  let nodes: SimulatedNodes;
  const config = (user: 'admin' | 'controller-manager' | 'scheduler') => {
    const path = join(folder, user);
    const authority = ours.pki.ca.certificate;
    writeFileSync(path, kubeconfig({ server: ours.server, authority, user, credentials: ours.pki.clients[user] }));
    return path;
  };
  const key = (name: string) => join(ours.pkiFolder, name);

  before(async () => {
    ours = await startOurs();
    client = createClient(ours.transport);
    const { paths } = found as Extract<typeof found, { paths: object }>;
    programs.push(
      startProgram(
        paths['kube-controller-manager'],
        [
          ...[`--kubeconfig=${config('controller-manager')}`, '--port=0', '--secure-port=0', '--leader-elect=false'],
          ...[`--root-ca-file=${key('ca.crt')}`, `--service-account-private-key-file=${key('sa.key')}`],
          ...['--use-service-account-credentials', `--flex-volume-plugin-dir=${join(folder, 'volumes')}`],
        ],
        folder,
      ),
    );
    programs.push(await startScheduler(paths['kube-scheduler'], config('scheduler'), folder));
    nodes = await nodesOf(client, 2);
  });
  after(async () => {
    await nodes?.stop();
    for (const program of programs) await program.stop();
    await ours?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('run a Deployment, a DaemonSet and a Job', async () => {
    await workloadsRun(client, 2).catch(error => {
      throw new Error(`${error}\n${programs.map(({ output }) => output().slice(-6_000)).join('\n---\n')}`);
    });
  });

  it('shows them to kubectl', { skip: whyNoKubectl() }, async () => {
    const env = { ...process.env, KUBECONFIG: config('admin'), HOME: folder };
    const { stdout } = await promisify(execFile)('kubectl', ['get', 'daemonsets,jobs'], { env });
    assert.match(stdout, /daemonset\.apps\/everywhere\s+2\s+2\s+2/);
    assert.match(stdout, /job\.batch\/once/);
  });
});

describe('our controllers on the original’s API server, with its scheduler', {
  skip: missing,
  timeout: 400_000,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'components-'));
  let original: Original;
  let client: Client;
  const stops: (() => Promise<unknown>)[] = [];
  before(async () => {
    const started = await startOriginal();
    if ('missing' in started) throw new Error(started.missing);
    original = started;
    client = createClient(original.connect());
    const { pkiFolder: pkiDirectory } = original;
    const manager = managerFor({
      environment,
      client,
      enabled: ['*'],
      clusterCidrs: [],
      pkiDirectory,
      leaderElect: false,
    });
    // Loops that wait for kinds which that server does not have wait on; they must not hold up the others.
    void manager.start();
    // Ours waits for disruption budgets in policy/v1 before it places anything.
    const { paths } = found as Extract<typeof found, { paths: object }>;
    const scheduler = await startScheduler(paths['kube-scheduler'], original.kubeconfig('scheduler'), folder);
    stops.push(
      () => scheduler.stop(),
      () => manager.stop(),
    );
    const nodes = await nodesOf(client, 2);
    stops.push(() => nodes.stop());
  });
  after(async () => {
    for (const stop of stops.reverse()) await stop();
    await original?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('run a Deployment, a DaemonSet and a Job', () => workloadsRun(client, 2));
});
