/**
 * A whole cluster in this process: the controllers over the API server with the memory store, authorization and admission, the scheduler
 * and simulated nodes. So CPU figures are upper bounds. The floor of each is what it costs a bare client to make the same objects.
 */
import { sleep, systemClock } from '../src/base/clock.ts';
import type { Client } from '../src/client/contract.ts';
import { createManager } from '../src/controller/index.ts';
import { createCluster } from '../src/testing/index.ts';
import { componentUser, managerParts } from '../src/testing/users.ts';
import type { BenchResult } from './result.ts';

const replicas = 1_000;
const nodeCount = 50;

export async function run(): Promise<BenchResult[]> {
  // The manager is apart, to be stopped and started.
  const cluster = await createCluster({ nodes: nodeCount, nodeOptions: { maxPods: 200 }, controllers: [] });
  const { client, environment } = cluster;
  const { controllers, userOf } = managerParts();
  const newManager = () =>
    createManager({
      environment,
      client: cluster.as(componentUser('kube-controller-manager')),
      clientFor: account => cluster.as(userOf(account)),
      controllers,
    });
  const manager = newManager();
  await manager.start();
  const results: BenchResult[] = [];
  await client.namespaces().create({ metadata: { name: 'bench' }, spec: {} });
  const floor = await seconds(() => createPods(client, replicas));
  const made = await measure(() => deploy(client, 'web', replicas, 'one'));
  results.push(ratio(`${replicas} replicas Ready`, made.seconds, floor));
  results.push({
    name: 'CPU per pod made Ready (server, scheduler, nodes and controllers)',
    value: (made.cpu * 1e6) / replicas,
    unit: 'µs',
  });
  const rolled = await measure(() => deploy(client, 'web', replicas, 'two'));
  results.push(ratio(`rolling update of ${replicas} replicas`, rolled.seconds, floor));
  results.push({ name: 'CPU per pod replaced (same)', value: (rolled.cpu * 1e6) / replicas, unit: 'µs' });
  await deploy(client, 'more', 4_000, 'one');
  const beside = await idleShare();
  await manager.stop();
  const without = await idleShare();
  const own = Math.max(0, beside - without) * 100;
  results.push(
    {
      name: 'idle CPU with 5,000 pods (server, scheduler, nodes and controllers)',
      value: beside * 100,
      unit: '% of a core',
    },
    {
      name: 'idle CPU of the manager with 5,000 pods (what its stopping saves)',
      value: own,
      unit: '% of a core',
      target: '≤ 1',
      met: own <= 1,
    },
  );
  const again = newManager();
  const started = await measure(() => again.start());
  results.push({ name: 'start of the manager with 5,000 pods', value: started.seconds, unit: 's' });
  await client.namespaces().create({ metadata: { name: 'full' }, spec: {} });
  const filled = await seconds(() => createMaps(client, 10_000));
  const emptied = await measure(() => removeNamespace(client, 'full'));
  results.push(ratio('deletion of a namespace with 10,000 objects', emptied.seconds, filled));
  results.push({ name: 'CPU per object deleted (same)', value: (emptied.cpu * 1e6) / 10_000, unit: 'µs' });
  await again.stop();
  await cluster.close();
  return results;
}

const ratio = (name: string, value: number, floor: number): BenchResult => ({
  name,
  value,
  unit: 's',
  floor,
  ratio: value / floor,
});

/** After the garbage of what went before was collected. */
async function idleShare(): Promise<number> {
  await sleep(systemClock, 10_000);
  const { cpu, seconds: passed } = await measure(() => sleep(systemClock, 20_000));
  return cpu / passed;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  return (await measure(work)).seconds;
}
async function measure(work: () => Promise<unknown>): Promise<{ seconds: number; cpu: number }> {
  const start = systemClock.monotonic();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (systemClock.monotonic() - start) / 1000, cpu: (user + system) / 1e6 };
}

/** Runs `fn` for 0 to n - 1, 64 at a time. */
async function inFlight(n: number, fn: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < n) await fn(next++);
  };
  await Promise.all(Array.from({ length: 64 }, worker));
}

async function createPods(client: Client, count: number): Promise<void> {
  const spec = { containers: [{ name: 'c', image: 'i' }], schedulerName: 'nobody' };
  await inFlight(count, i => client.pods('bench').create({ metadata: { name: `bare-${i}` }, spec }));
  await client.pods('bench').deleteCollection({ gracePeriodSeconds: 0 });
}
const createMaps = (client: Client, count: number) =>
  inFlight(count, i => client.configmaps('full').create({ metadata: { name: `m${i}` }, data: { i: String(i) } }));

/** Resolves when all replicas are of this image and available. */
async function deploy(client: Client, name: string, size: number, image: string): Promise<void> {
  const labels = { app: name };
  const template = {
    metadata: { labels },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image }] },
  };
  const spec = { replicas: size, selector: { matchLabels: labels }, template };
  const deployments = client.deployments('bench');
  const known = await deployments.list({ fieldSelector: `metadata.name=${name}` });
  if (known.items.length > 0) await deployments.patch(name, 'merge', { spec: { template } });
  else await deployments.create({ metadata: { name }, spec });
  for await (const { object } of deployments.watch({ fieldSelector: `metadata.name=${name}`, resourceVersion: '0' })) {
    const { status, metadata } = object;
    const observed = status?.observedGeneration === metadata.generation;
    if (observed && status?.updatedReplicas === size && status.availableReplicas === size && status.replicas === size)
      return;
  }
}

async function removeNamespace(client: Client, name: string): Promise<void> {
  await client.namespaces().delete(name);
  for await (const event of client.namespaces().watch({ fieldSelector: `metadata.name=${name}`, resourceVersion: '0' }))
    if (event.type === 'DELETED') return;
}
