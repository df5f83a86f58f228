/** Schedulers over the whole cluster in this process. */
import assert from 'node:assert/strict';
import type { Pod, PodSpec } from '../../../src/api/types/core-v1.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { createInformer, waitFor } from '../../../src/client/index.ts';
import { createScheduler, type Scheduler, type SchedulerOptions } from '../../../src/scheduler/index.ts';
import { type Cluster, type ClusterOptions, createCluster } from '../../../src/testing/index.ts';

export interface Live {
  readonly cluster: Cluster;
  /** Starts one more scheduler; it is stopped at the end. */
  scheduler(options?: Partial<SchedulerOptions>): Promise<Scheduler>;
  create(
    name: string,
    requests?: Record<string, string>,
    spec?: Partial<PodSpec>,
    labels?: Record<string, string>,
  ): Promise<Pod>;
  until(name: string, holds: (pod: Pod) => boolean): Promise<Pod>;
  /** Waits for as many events of the reason; gives "source: message" of all, sorted. */
  events(reason: string, count: number): Promise<string[]>;
}

export const conditionOf = (pod: Pod) => pod.status?.conditions?.find(c => c.type === 'PodScheduled');

export async function withCluster(options: ClusterOptions, work: (live: Live) => Promise<void>): Promise<void> {
  const cluster = await createCluster(options);
  const started: Scheduler[] = [];
  const { client } = cluster;
  const live: Live = {
    cluster,
    async scheduler(more = {}) {
      const environment = { ...cluster.environment, metrics: createMetrics() };
      const scheduler = createScheduler({ environment, client, freeze: true, ...more });
      started.push(scheduler);
      await scheduler.start();
      return scheduler;
    },
    create: (name, requests = {}, spec = {}, labels = {}) =>
      client.pods('default').create({
        metadata: { name, labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'c', image: 'pause', resources: { requests } }],
          ...spec,
        },
      }),
    async until(name, holds) {
      const pod = await waitFor(client, 'v1/pods', {
        clock: cluster.environment.clock,
        name,
        namespace: 'default',
        timeoutMs: 20_000,
        until: p => p !== undefined && holds(p),
      });
      assert.ok(pod);
      return pod;
    },
    events: (reason, count) => eventsOf(cluster, reason, count),
  };
  try {
    await nodesReady(live, options.nodes ?? 1);
    await work(live);
  } finally {
    for (const each of started) await each.stop();
    await cluster.close();
  }
}

async function nodesReady({ cluster }: Live, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await waitFor(cluster.client, 'v1/nodes', {
      clock: cluster.environment.clock,
      name: `node-${i}`,
      timeoutMs: 20_000,
      until: node =>
        node?.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') === true &&
        !node.spec.taints?.length,
    });
}

async function eventsOf({ client, environment }: Cluster, reason: string, count: number): Promise<string[]> {
  const stop = new AbortController();
  const { clock } = environment;
  const timer = clock.setTimer(() => stop.abort(new Error(`too few events with reason ${reason}`)), 20_000);
  const informer = createInformer(client.events('default'), {}, environment);
  const ours = () => informer.store.list().filter(e => e.reason === reason);
  try {
    await new Promise<void>((resolve, reject) => {
      stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true });
      informer.addHandler({ onAdd: () => ours().length >= count && resolve() });
      void informer.run(stop.signal);
    });
    return ours()
      .map(e => `${e.source?.component}: ${e.message}`)
      .sort();
  } finally {
    timer.cancel();
    stop.abort();
  }
}
