/** Pods created at full speed and bound through an API server in a process of its own, over TLS and with its durable store. */
import { mkdtempSync, rmSync } from 'node:fs';
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
    const [load, own] = [connect(), connect()];
    await prepare(load);
    const scheduler = createScheduler({ environment: { ...environment, metrics: createMetrics() }, client: own });
    await scheduler.start();
    const began = performance.now();
    await many(pods, 64, i => load.pods('bench').create(pod('pod', i)));
    const created = performance.now();
    await untilBound(load);
    const ended = performance.now();
    await scheduler.stop();
    await Promise.all([load.transport.close(), own.transport.close()]);
    const value = (pods / (ended - began)) * 1_000;
    return [
      { name: `${nodes} nodes, ${pods} pods: created`, value: (pods / (created - began)) * 1_000, unit: 'pods/s' },
      {
        name: `${nodes} nodes, ${pods} pods: bound`,
        value,
        unit: 'pods/s',
        target: `≥ ${target}`,
        met: value >= target,
      },
    ];
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
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
