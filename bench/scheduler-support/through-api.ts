/** Pods created at full speed and bound through an API server in a process of its own, over TLS and with its durable store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { Client } from '../../src/client/contract.ts';
import { createClient, createInformer } from '../../src/client/index.ts';
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
  const stop = new AbortController();
  try {
    const { port, ...credentials } = endpoint;
    const connect = () => createClient(http2Transport({ server: `https://127.0.0.1:${port}`, ...credentials }));
    const [load, own] = [connect(), connect()];
    await prepare(load);
    const scheduler = createScheduler({ environment: { ...environment, metrics: createMetrics() }, client: own });
    await scheduler.start();
    const bound = whenBound(load, stop.signal);
    const began = performance.now();
    await many(pods, 64, i => load.pods('bench').create(pod('pod', i)));
    const created = performance.now();
    await bound;
    const ended = performance.now();
    await scheduler.stop();
    stop.abort();
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
    stop.abort();
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

/** Counts what a watch shows, as any other client would see it. */
function whenBound(client: Client, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const seen = new Set<string>();
    const informer = createInformer(client.pods('bench'), {}, environment);
    informer.addHandler({
      onUpdate({ metadata, spec }) {
        if (spec.nodeName) seen.add(metadata.name);
        if (seen.size === pods) resolve();
      },
    });
    void informer.run(signal);
  });
}
