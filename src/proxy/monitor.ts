/** What the proxy tells of itself: upstream's metrics, and whether changes reach the kernel in time (pkg/proxy/healthcheck). */
import type { EndpointSlice, Node } from '../api/types/index.ts';
import type { Clock } from '../base/clock.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Frontend } from './model.ts';

export interface ProxyHealth {
  readonly healthy: boolean;
  /** False while an autoscaler is about to delete the node: load balancers should send nothing new. */
  readonly nodeEligible: boolean;
  /** Milliseconds since 1970; 0 before the first round. */
  readonly lastUpdated: number;
}

export interface ProxyMonitor {
  /** A change was seen that the kernel does not have yet. */
  queued(kind: 'service' | 'endpoints' | 'other'): void;
  /** Endpoints of a service changed at the time their slice names; those that are older than the proxy tell nothing. */
  endpointsChanged(service: string, slice: EndpointSlice): void;
  /** All changes of these services that were queued are in the kernel. */
  synced(services: Iterable<string>, seconds: number): void;
  failed(): void;
  /** Undefined: deleted. */
  setNode(node: Node | undefined): void;
  /** Services with a Local policy that meet no endpoint here. */
  countLocal(frontends: Iterable<readonly Frontend[]>): void;
  health(): ProxyHealth;
}

/** Twice upstream's sync period. */
const healthTimeoutMs = 60_000;
const deletionTaint = 'ToBeDeletedByClusterAutoscaler';
const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';
const syncBuckets = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);
const linear = (start: number, width: number, count: number) =>
  Array.from({ length: count }, (_, i) => start + width * i);
const programmingBuckets = [
  0,
  ...linear(0.25, 0.25, 2),
  ...linear(1, 1, 59),
  ...linear(60, 5, 12),
  ...linear(120, 30, 7),
];

export function createProxyMonitor(metrics: Metrics, clock: Clock, families: readonly ('ip' | 'ip6')[]): ProxyMonitor {
  const labels = families.map(family => Object.freeze({ ip_family: family === 'ip' ? 'IPv4' : 'IPv6' }));
  const name = (rest: string) => `kubeproxy_${rest}`;
  const duration = metrics.histogram(
    name('sync_proxy_rules_duration_seconds'),
    'SyncProxyRules latency in seconds',
    syncBuckets,
  );
  const programming = metrics.histogram(
    name('network_programming_duration_seconds'),
    'In Cluster Network Programming Latency in seconds',
    programmingBuckets,
  );
  const lastSync = metrics.gauge(
    name('sync_proxy_rules_last_timestamp_seconds'),
    'The last time proxy rules were successfully synced',
  );
  const lastQueued = metrics.gauge(
    name('sync_proxy_rules_last_queued_timestamp_seconds'),
    'The last time a sync of proxy rules was queued',
  );
  const changes = {
    service: metrics.counter(name('sync_proxy_rules_service_changes_total'), 'Cumulative proxy rules Service changes'),
    endpoints: metrics.counter(
      name('sync_proxy_rules_endpoint_changes_total'),
      'Cumulative proxy rules Endpoint changes',
    ),
  };
  const failures = metrics.counter(
    name('sync_proxy_rules_nftables_sync_failures_total'),
    'Cumulative proxy nftables sync failures',
  );
  const withoutLocal = metrics.gauge(
    name('sync_proxy_rules_no_local_endpoints_total'),
    'Number of services with a Local traffic policy and no endpoints',
  );
  const startedAt = clock.now();
  const triggers = new Map<string, number[]>();
  let oldestQueued: number | undefined;
  let lastUpdated = 0;
  let nodeEligible = true;

  return {
    queued(kind) {
      oldestQueued ??= clock.now();
      if (kind !== 'other') changes[kind].inc();
      for (const family of labels) lastQueued.set(clock.now() / 1000, family);
    },
    endpointsChanged(service, slice) {
      const at = Date.parse(slice.metadata.annotations?.[triggerAnnotation] ?? '');
      if (at >= startedAt) triggers.set(service, [...(triggers.get(service) ?? []), at]);
    },
    synced(services, seconds) {
      const now = clock.now();
      oldestQueued = undefined;
      lastUpdated = now;
      const times = [...services].flatMap(service => triggers.get(service) ?? []);
      for (const service of services) triggers.delete(service);
      for (const family of labels) {
        duration.observe(seconds, family);
        lastSync.set(now / 1000, family);
        for (const time of times) programming.observe((now - time) / 1000, family);
      }
    },
    failed() {
      for (const family of labels) failures.inc(family);
    },
    setNode(node) {
      const taints = node?.spec.taints ?? [];
      nodeEligible = !node?.metadata.deletionTimestamp && !taints.some(taint => taint.key === deletionTaint);
    },
    countLocal(all) {
      const lists = [...all];
      for (const [index, family] of families.entries()) {
        for (const policy of ['internal', 'external'] as const) {
          const count = lists.filter(list => list.some(f => f.family === family && lacksLocal(f, policy))).length;
          withoutLocal.set(count, { ...labels[index], traffic_policy: policy });
        }
      }
    },
    health() {
      const late = oldestQueued !== undefined && clock.now() - oldestQueued >= healthTimeoutMs;
      return { healthy: !late, nodeEligible, lastUpdated };
    },
  };
}

/** Nothing here for traffic that may use this node's endpoints only. */
function lacksLocal(frontend: Frontend, policy: 'internal' | 'external'): boolean {
  if (frontend.whenEmpty !== 'drop' || frontend.backends.length > 0) return false;
  return (frontend.internalBackends !== undefined) === (policy === 'external');
}
