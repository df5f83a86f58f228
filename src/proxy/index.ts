/** kube-proxy: follows services and endpoint slices and keeps the node's packet filter equal to them. */

import { keyOf } from '../api/object.ts';
import type { EndpointSlice, Pod } from '../api/types/index.ts';
import { messageOf } from '../base/errors.ts';
import type { Informer, InformerFactory } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
import { clearStaleUdp } from './conntrack.ts';
import { createHealthServers } from './health.ts';
import { hostPortFrontends } from './host-ports.ts';
import { type Frontend, frontendsOf, healthPortOf, type NodeFacts } from './model.ts';

/** Where frontends take effect: the nftables table or the userspace forwarder. */
export interface ProxyBackend {
  load(services: ReadonlyMap<string, readonly Frontend[]>): Promise<void>;
  update(changes: ReadonlyMap<string, readonly Frontend[]>): Promise<void>;
  remove(): Promise<void>;
}

export interface ProxyOptions extends Environment {
  readonly informers: InformerFactory;
  readonly backend: ProxyBackend;
  readonly node: NodeFacts;
  /** Addresses answered by somebody else on this node (the node's own DNS). */
  readonly skipAddresses?: readonly string[];
  /** Milliseconds that changes are gathered; default 20. A quiet proxy acts at once, a busy one in batches. */
  readonly gatherMs?: number;
  /** Whether to delete connection-tracking entries of UDP backends that are gone; needs `conntrack`. */
  readonly clearConntrack?: boolean;
  /** The pods of this node, to serve their host ports. */
  readonly pods?: Informer<Pod>;
}

export interface Proxy {
  /** Resolves when every change seen so far is in the kernel. */
  flushed(): Promise<void>;
  /** Stops following; the rules stay, so that traffic flows while a proxy restarts. */
  stop(): Promise<void>;
}

const retryMs = 1000;
/** Tells keys of pods from those of services. */
const podPrefix = 'pod:';

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const { clock, log, backend } = options;
  const services = options.informers.informer('v1/services');
  const slices = options.informers.informer('discovery.k8s.io/v1/endpointslices');
  const sliceService = (slice: EndpointSlice) =>
    `${slice.metadata.namespace}/${slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''}`;
  slices.addIndex('service', slice => [sliceService(slice)]);
  const dirty = new Set<string>();
  const health = createHealthServers(log);
  const synced = options.metrics.histogram('tsukube_proxy_sync_seconds', 'Time to bring changes into the kernel.');
  const known = new Map<string, readonly Frontend[]>();
  let running: Promise<void> | undefined;
  let timer: { cancel(): void } | undefined;
  let stopped = false;

  function frontendsFor(key: string): readonly Frontend[] {
    if (key.startsWith(podPrefix)) {
      const pod = options.pods?.store.get(key.slice(podPrefix.length));
      return pod ? hostPortFrontends(pod) : [];
    }
    const service = services.store.get(key);
    if (!service) return [];
    const own = slices.store.byIndex('service', key);
    const skip = new Set(options.skipAddresses);
    return frontendsOf(service, own, options.node).filter(f => f.address === undefined || !skip.has(f.address));
  }

  function schedule(delay: number): void {
    if (timer || running || stopped) return;
    timer = clock.setTimer(() => {
      timer = undefined;
      running = sync().finally(() => {
        running = undefined;
        if (dirty.size > 0) schedule(options.gatherMs ?? 20);
      });
    }, delay);
  }

  async function sync(): Promise<void> {
    const keys = [...dirty];
    dirty.clear();
    const startedAt = clock.monotonic();
    const changes = new Map(keys.map(key => [key, frontendsFor(key)]));
    try {
      await backend.update(changes);
      if (options.clearConntrack) await clearStaleUdp(changes, known);
      for (const [key, frontends] of changes) remember(key, frontends);
      synced.observe((clock.monotonic() - startedAt) / 1000);
    } catch (error) {
      log.error('services are not in the packet filter, trying again', { error: messageOf(error) });
      for (const key of keys) dirty.add(key);
      await new Promise<void>(resolve => clock.setTimer(resolve, retryMs, { background: true }));
    }
  }

  function remember(key: string, frontends: readonly Frontend[]): void {
    if (frontends.length === 0) known.delete(key);
    else known.set(key, frontends);
    if (key.startsWith(podPrefix)) return;
    const service = services.store.get(key);
    health.set(key, service && healthPortOf(service, slices.store.byIndex('service', key), options.node));
  }

  const touch = (key: string) => {
    dirty.add(key);
    schedule(options.gatherMs ?? 20);
  };
  await Promise.all([services.synced(), slices.synced(), options.pods?.synced()]);
  const podKey = (pod: Pod) => `${podPrefix}${keyOf(pod)}`;
  const everything = [...services.store.list().map(keyOf), ...(options.pods?.store.list() ?? []).map(podKey)];
  const initial = new Map(everything.map(key => [key, frontendsFor(key)]));
  await backend.load(initial);
  for (const [key, frontends] of initial) remember(key, frontends);
  // Handlers see the present objects once more: equal frontends make no change in the kernel.
  const stops = [
    services.addHandler({
      onAdd: s => touch(keyOf(s)),
      onUpdate: s => touch(keyOf(s)),
      onDelete: s => touch(keyOf(s)),
    }),
    slices.addHandler({
      onAdd: s => touch(sliceService(s)),
      onUpdate(s, old) {
        touch(sliceService(s));
        if (sliceService(old) !== sliceService(s)) touch(sliceService(old));
      },
      onDelete: s => touch(sliceService(s)),
    }),
  ];
  const touchPod = (pod: Pod) => {
    const key = podKey(pod);
    if (known.has(key) || hostPortFrontends(pod).length > 0) touch(key);
  };
  const follow = { onAdd: touchPod, onUpdate: touchPod, onDelete: touchPod };
  if (options.pods) stops.push(options.pods.addHandler(follow));
  return {
    async flushed() {
      while (dirty.size > 0 || running || timer) {
        if (running) await running;
        else await new Promise<void>(resolve => clock.setTimer(resolve, 1));
      }
    },
    async stop() {
      stopped = true;
      timer?.cancel();
      for (const stop of stops) stop();
      await running;
      await health.close();
    },
  };
}
