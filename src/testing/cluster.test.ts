import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isForbidden } from '../base/errors.ts';
import { exec, readLogs } from '../client/index.ts';
import { type Cluster, createCluster, virtualClock } from './index.ts';

const deployment = (replicas: number) => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'web:1' }] } },
  },
});
const readyReplicas = async (cluster: Cluster) =>
  (await cluster.client.deployments('default').get('web')).status?.readyReplicas ?? 0;

test('a whole cluster runs on virtual time, forks, and shows its past', async () => {
  const clock = virtualClock();
  const cluster = await createVirtual(clock, { nodes: 2, seed: 1 });
  try {
    await cluster.client.deployments('default').create(deployment(3));
    await clock.advance(10_000);
    assert.equal(await readyReplicas(cluster), 3);
    const past = (await cluster.client.pods('default').list()).metadata.resourceVersion ?? '';
    const fork = await settle(clock, cluster.fork());
    await fork.client.deployments('default').patch('web', 'merge', { spec: { replicas: 5 } });
    await clock.advance(10_000);
    assert.deepEqual(
      [
        (await fork.client.pods('default').list()).items.length,
        (await cluster.client.pods('default').list()).items.length,
      ],
      [5, 3],
    );
    await cluster.client.deployments('default').delete('web', { propagationPolicy: 'Foreground' });
    await clock.advance(60_000);
    assert.equal((await cluster.client.pods('default').list()).items.length, 0);
    const then = await settle(clock, cluster.at(past));
    assert.equal((await then.client.pods('default').list()).items.length, 3);
    await Promise.all([then.close(), fork.close()]);
  } finally {
    await cluster.close();
  }
});

test('authorization and admission hold for other identities', async () => {
  const cluster = await createCluster({ nodes: 0 });
  try {
    await assert.rejects(cluster.as('jane').pods('default').list(), isForbidden);
    await cluster.client.clusterrolebindings().create({
      metadata: { name: 'jane' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'User', name: 'jane', apiGroup: 'rbac.authorization.k8s.io' }],
    });
    assert.equal((await cluster.as('jane').pods('default').list()).items.length, 0);
  } finally {
    await cluster.close();
  }
});

test('kubectl reaches a cluster in this process over HTTPS', {
  skip: hasKubectl() ? false : 'needs kubectl',
}, async () => {
  const cluster = await createCluster({ nodes: 2 });
  const directory = mkdtempSync(join(tmpdir(), 'https-'));
  try {
    const file = join(directory, 'kubeconfig');
    writeFileSync(file, (await cluster.https()).kubeconfig, { mode: 0o600 });
    const { stdout } = await promisify(execFile)('kubectl', ['--kubeconfig', file, 'get', 'nodes', '-o', 'name']);
    assert.deepEqual(stdout.trim().split('\n').sort(), ['node/node-0', 'node/node-1']);
  } finally {
    rmSync(directory, { recursive: true });
    await cluster.close();
  }
});

test('logs of simulated pods are what they printed; nothing runs in them', async () => {
  const cluster = await createCluster({ nodes: 2 });
  try {
    const { client } = cluster;
    const pods = client.pods('default');
    const talker = { name: 'app', image: 'a:1', command: ['sh', '-c', 'echo one; echo two; exit 0'] };
    const server = { name: 'app', image: 'a:1' };
    await client
      .serviceaccounts('default')
      .create({ metadata: { name: 'default' } })
      .catch(() => undefined);
    await pods.create({ metadata: { name: 'talker' }, spec: { restartPolicy: 'Never', containers: [talker] } });
    await pods.create({ metadata: { name: 'server' }, spec: { containers: [server] } });
    const phases = new Map<string, string | undefined>();
    for await (const { object } of pods.watch()) {
      phases.set(object.metadata.name ?? '', object.status?.phase);
      if (phases.get('talker') === 'Succeeded' && phases.get('server') === 'Running') break;
    }
    const logs = async (options: object) => {
      let text = '';
      for await (const chunk of readLogs(client, { namespace: 'default', pod: 'talker', ...options }))
        text += new TextDecoder().decode(chunk);
      return text;
    };
    assert.equal(await logs({}), 'one\ntwo\n');
    assert.equal(await logs({ tailLines: 1, follow: true }), 'two\n');
    await assert.rejects(logs({ pod: 'server', previous: true }), /waiting to start/);
    await assert.rejects(
      exec(client, { namespace: 'default', pod: 'server', command: ['ls'] }),
      /the containers of node node-\d are simulated: nothing runs in them/,
    );
  } finally {
    await cluster.close();
  }
});

function hasKubectl(): boolean {
  return ['/usr/bin', '/usr/local/bin'].some(folder => existsSync(join(folder, 'kubectl')));
}

test('many clusters in one process leave nothing behind', async () => {
  const timers = () =>
    process.getActiveResourcesInfo().filter(name => name === 'Timeout' || name === 'Immediate').length;
  const before = timers();
  for (let i = 0; i < 3; i++) {
    const clusters = await Promise.all(Array.from({ length: 10 }, () => createCluster({ nodes: 1 })));
    await Promise.all(clusters.map(cluster => cluster.close()));
  }
  // What an earlier test left may have gone meanwhile.
  assert.ok(timers() <= before, `${timers()} timers, ${before} before`);
});

/** Creation waits for timers of the virtual clock, so time must pass meanwhile. */
async function settle<T>(clock: ReturnType<typeof virtualClock>, work: Promise<T>): Promise<T> {
  let done = false;
  void work.finally(() => {
    done = true;
  });
  while (!done) await clock.advance(10);
  return work;
}
function createVirtual(
  clock: ReturnType<typeof virtualClock>,
  options: Parameters<typeof createCluster>[0],
): Promise<Cluster> {
  return settle(clock, createCluster({ ...options, clock }));
}
