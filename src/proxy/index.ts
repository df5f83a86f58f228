/** kube-proxy: follows services and endpoint slices and keeps the node's packet filter equal to them. */
import { keyOf } from '../api/object.ts';
import type { EndpointSlice, Node, Pod, Service } from '../api/types/index.ts';
import type { Informer, InformerFactory } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
import { createConvergence } from '../controller/convergence.ts';
import { clearForgottenUdp, clearStaleUdp } from './conntrack.ts';
import { createHealthServers } from './health.ts';
import { hostPortFrontends } from './host-ports.ts';
import { type Frontend, frontendsOf, healthPortOf, type NodeFacts } from './model.ts';
import { createProxyMonitor, type ProxyHealth, type ProxyMonitor } from './monitor.ts';

/** Where frontends take effect: the nftables table or the userspace forwarder. */
export interface ProxyBackend {
  load(services: ReadonlyMap<string, readonly Frontend[]>): Promise<void>;
  update(changes: ReadonlyMap<string, readonly Frontend[]>): Promise<void>;
  remove(): Promise<void>;
}

export interface ProxyOptions extends Environment {
  readonly informers: InformerFactory;
  readonly backend: ProxyBackend;
  readonly nodeName: string;
  readonly families: readonly ('ip' | 'ip6')[];
  /** Addresses answered by somebody else on this node (the node's own DNS). */
  readonly skipAddresses?: readonly string[];
  /** Where health-check ports are opened; default: every address of the node. */
  readonly healthAddresses?: readonly string[];
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
  health(): ProxyHealth;
  /** Stops following; the rules stay, so that traffic flows while a proxy restarts. */
  stop(): Promise<void>;
}

const retryMs = 1000;
const zoneLabel = 'topology.kubernetes.io/zone';
/** Tells keys of pods from those of services. */
const podPrefix = 'pod:';
const serviceOf = (slice: EndpointSlice) =>
  `${slice.metadata.namespace}/${slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''}`;

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const { clock, backend, informers, nodeName, pods } = options;
  const services = informers.informer('v1/services');
  const slices = informers.informer('discovery.k8s.io/v1/endpointslices');
  const nodes = informers.informer('v1/nodes', { fieldSelector: `metadata.name=${nodeName}` });
  slices.addIndex('service', slice => [serviceOf(slice)]);
  const skip = new Set(options.skipAddresses);
  const dirty = new Set<string>();
  const known = new Map<string, readonly Frontend[]>();
  const monitor = createProxyMonitor(options.metrics, clock, options.families);
  const health = createHealthServers(options.log, () => monitor.health().healthy, options.healthAddresses);

  function node(): NodeFacts {
    const zone = nodes.store.get(nodeName)?.metadata.labels?.[zoneLabel];
    return { name: nodeName, ...(zone !== undefined && { zone }) };
  }

  function frontendsFor(key: string): readonly Frontend[] {
    if (key.startsWith(podPrefix)) {
      const pod = pods?.store.get(key.slice(podPrefix.length));
      return pod ? hostPortFrontends(pod) : [];
    }
    const service = services.store.get(key);
    if (!service) return [];
    const frontends = frontendsOf(service, slices.store.byIndex('service', key), node());
    return frontends.filter(f => f.address === undefined || !skip.has(f.address));
  }

  async function sync(
    keys: readonly string[],
    apply: ProxyBackend['update'],
    clear: typeof clearStaleUdp,
  ): Promise<void> {
    const startedAt = clock.monotonic();
    const changes = new Map(keys.map(key => [key, frontendsFor(key)]));
    await apply(changes);
    if (options.clearConntrack) await clear(changes, known);
    for (const [key, frontends] of changes) remember(key, frontends);
    monitor.synced(keys, (clock.monotonic() - startedAt) / 1000);
  }

  function remember(key: string, frontends: readonly Frontend[]): void {
    if (frontends.length === 0) known.delete(key);
    else known.set(key, frontends);
    if (key.startsWith(podPrefix)) return;
    const service = services.store.get(key);
    health.set(key, service && healthPortOf(service, slices.store.byIndex('service', key), node()));
  }

  const convergence = createConvergence({
    ...{ clock, log: options.log, retryMs, gatherMs: options.gatherMs ?? 20 },
    failure: 'services are not in the packet filter, trying again',
    async apply() {
      const keys = [...dirty];
      dirty.clear();
      try {
        await sync(keys, backend.update, clearStaleUdp);
      } catch (error) {
        for (const key of keys) dirty.add(key);
        monitor.failed();
        throw error;
      }
    },
  });
  const touch = (kind: Parameters<ProxyMonitor['queued']>[0], ...keys: string[]) => {
    for (const key of keys) dirty.add(key);
    monitor.queued(kind);
    convergence.touch();
  };
  await Promise.all([services.synced(), slices.synced(), nodes.synced(), pods?.synced()]);
  monitor.setNode(nodes.store.get(nodeName));
  const podKey = (pod: Pod) => `${podPrefix}${keyOf(pod)}`;
  const everything = [...services.store.list().map(keyOf), ...(pods?.store.list() ?? []).map(podKey)];
  await sync(everything, backend.load, clearForgottenUdp);
  options.metrics.onCollect(() => monitor.countLocal(known.values()));

  // Handlers see the present objects once more: equal frontends make no change in the kernel.
  const touchService = (service: Service) => touch('service', keyOf(service));
  const touchSlice = (slice: EndpointSlice, ...more: string[]) => {
    monitor.endpointsChanged(serviceOf(slice), slice);
    touch('endpoints', serviceOf(slice), ...more);
  };
  const touchPod = (pod: Pod) => {
    const key = podKey(pod);
    if (known.has(key) || hostPortFrontends(pod).length > 0) touch('other', key);
  };
  let { zone } = node();
  const touchNode = (changed: Node | undefined) => {
    monitor.setNode(changed);
    if (zone === node().zone) return;
    zone = node().zone;
    touch('other', ...services.store.list().map(keyOf));
  };
  const stops = [
    services.addHandler({ onAdd: touchService, onUpdate: touchService, onDelete: touchService }),
    slices.addHandler({
      onAdd: slice => touchSlice(slice),
      onUpdate: (slice, old) => touchSlice(slice, serviceOf(old)),
      onDelete: slice => touchSlice(slice),
    }),
    nodes.addHandler({ onAdd: touchNode, onUpdate: touchNode, onDelete: () => touchNode(undefined) }),
    pods?.addHandler({ onAdd: touchPod, onUpdate: touchPod, onDelete: touchPod }),
  ];
  return {
    flushed: convergence.flushed,
    health: monitor.health,
    async stop() {
      for (const stop of stops) stop?.();
      await convergence.stop();
      await health.close();
    },
  };
}
