import type { Client } from '../../client/contract.ts';
import { createInformerFactory } from '../../client/index.ts';
import type { Environment } from '../../controller/contract.ts';

export interface SchedulerProcessOptions {
  readonly environment: Environment;
  readonly client: Client;
  readonly leaderElect: boolean;
}

/** Stands in for the scheduler until it lands: gives pods to ready nodes in turn. */
export function schedulerFor(options: SchedulerProcessOptions): { start(): Promise<void>; stop(): Promise<void> } {
  const { client, environment } = options;
  const stop = new AbortController();
  const informers = createInformerFactory(client, environment);
  const pods = informers.informer('v1/pods');
  const nodes = informers.informer('v1/nodes');
  let next = 0;
  const bind = async (pod: import('../../api/types/index.ts').Pod) => {
    if (pod.spec.nodeName || pod.metadata.deletionTimestamp) return;
    const ready = nodes.store
      .list()
      .filter(
        n => !n.spec.taints?.length && n.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True'),
      );
    const node = ready[next++ % Math.max(1, ready.length)];
    if (!node) {
      environment.clock.setTimer(() => {
        const p = pods.store.get(`${pod.metadata.namespace}/${pod.metadata.name}`);
        if (p) void bind(p);
      }, 500);
      return;
    }
    await client
      .pods(pod.metadata.namespace)
      .createSubresource(pod.metadata.name, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: pod.metadata.name },
        target: { kind: 'Node', name: node.metadata.name },
      })
      .catch((e: unknown) => environment.log.error('bind', { error: e }));
  };
  return {
    async start() {
      pods.addHandler({ onAdd: p => void bind(p) });
      informers.start(stop.signal);
      await informers.synced();
    },
    async stop() {
      stop.abort();
    },
  };
}
