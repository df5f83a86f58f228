/** Pods created at full speed and bound through an API server in a process of its own, over TLS and with its durable store. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { Client } from '../../src/client/contract.ts';
import { createClient } from '../../src/client/index.ts';
import { http2Transport } from '../../src/client/node/index.ts';
import { createScheduler } from '../../src/scheduler/index.ts';
import { buildProgram, startServer } from '../api-processes/children.ts';
import type { BenchResult } from '../result.ts';
import { node, pod } from './rows.ts';

const nodes = 500;
const pods = 5_000;
const target = 2_000;
const environment = { clock: systemClock, random: systemRandom, log: silentLogger };

export async function throughApi(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tsukube-bench-'));
  buildProgram();
  const { child: server, endpoint } = await startServer(folder);
  try {
    const { port, ...credentials } = endpoint;
    const connect = () => createClient(http2Transport({ server: `https://127.0.0.1:${port}`, ...credentials }));
    const [load, forScheduler] = [connect(), connect()];
    await prepare(load);
    const scheduler = createScheduler({
      environment: { ...environment, metrics: createMetrics() },
      client: forScheduler,
    });
    await scheduler.start();
    const cpuBefore = { own: process.cpuUsage(), server: cpuOf(server.process.pid) };
    const began = performance.now();
    await many(pods, 64, i => load.pods('bench').create(pod('pod', i)));
    const createdAt = performance.now();
    await untilBound(load);
    const ended = performance.now();
    const own = process.cpuUsage(cpuBefore.own);
    const serverCpu = cpuOf(server.process.pid) - cpuBefore.server;
    await scheduler.stop();
    await Promise.all([load.transport.close(), forScheduler.transport.close()]);
    const value = (pods / (ended - began)) * 1_000;
    const created = (pods / (createdAt - began)) * 1_000;
    const row = (name: string) => `${nodes} nodes, ${pods} pods: ${name}`;
    return [
      { name: row('created'), value: created, unit: 'pods/s' },
      {
        name: row('bound'),
        value,
        unit: 'pods/s',
        floor: created,
        ratio: value / created,
        target: `≥ ${target}`,
        met: value >= target,
      },
      { name: row('CPU of the API server per pod'), value: serverCpu / pods, unit: 'ms' },
      { name: row('CPU of scheduler and load per pod'), value: (own.user + own.system) / 1_000 / pods, unit: 'ms' },
    ];
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of a process's threads together, where the system tells. */
function cpuOf(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
}

async function prepare(client: Client): Promise<void> {
  await client.namespaces().create({ metadata: { name: 'bench' }, spec: {} });
  await client.serviceaccounts('bench').create({ metadata: { name: 'default' } });
  await many(nodes, 32, async i => {
    const { metadata, spec, status } = node(i);
    const made = await client
      .nodes()
      .create({ metadata: { name: metadata.name, labels: metadata.labels ?? {} }, spec });
    if (status) await client.nodes().updateStatus({ ...made, status });
    const current = await client.nodes().get(metadata.name);
    if (current.spec.taints?.length) await client.nodes().update({ ...current, spec: { ...current.spec, taints: [] } });
  });
}

async function many(count: number, inFlight: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

/** Asked of the server, so that nothing but its answer counts. */
async function untilBound(client: Client): Promise<void> {
  for (;;) {
    const { items } = await client.pods('bench').list({ fieldSelector: 'spec.nodeName=', limit: 1 });
    if (items.length === 0) return;
    await sleep(systemClock, 20);
  }
}
