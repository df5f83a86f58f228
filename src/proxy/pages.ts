/** The pages by which the proxy tells of itself: its health for load balancers, and its metrics. */
import type { Clock } from '../base/clock.ts';
import type { Metrics } from '../base/metrics.ts';
import type { ProxyHealth } from './monitor.ts';

export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}
/** By path. */
export type Pages = Readonly<Record<string, () => Page>>;

/** /healthz, which a node about to be deleted fails, and /livez, which it does not (pkg/proxy/healthcheck/proxy_health.go). */
export function healthPages(
  health: () => ProxyHealth,
  families: readonly ('ip' | 'ip6')[],
  metrics: Metrics,
  clock: Clock,
): Pages {
  const healthz = metrics.counter('kubeproxy_proxy_healthz_total', 'Cumulative proxy healthz HTTP status');
  const livez = metrics.counter('kubeproxy_proxy_livez_total', 'Cumulative proxy livez HTTP status');
  const page = (countsNode: boolean) => (): Page => {
    const { healthy, nodeEligible, lastUpdated } = health();
    const good = healthy && (nodeEligible || !countsNode);
    const status = good ? 200 : 503;
    (countsNode ? healthz : livez).inc({ code: String(status) });
    const time = (at: number) => (at === 0 ? '0001-01-01T00:00:00Z' : new Date(at).toISOString());
    // A healthy proxy counts as updated now, although nothing changed.
    const updated = time(good ? clock.now() : lastUpdated);
    const body = {
      ...{ lastUpdated: updated, currentTime: time(clock.now()), ...(countsNode && { nodeEligible }), healthy: good },
      status: Object.fromEntries(
        families.map(family => [family === 'ip' ? 'IPv4' : 'IPv6', { lastUpdated: updated, healthy }]),
      ),
    };
    return { status, type: 'application/json', body: JSON.stringify(body) };
  };
  return { '/healthz': page(true), '/livez': page(false) };
}

export function metricsPages(metrics: Metrics, mode: string): Pages {
  const plain = (body: string): Page => ({ status: 200, type: 'text/plain', body });
  return {
    '/metrics': () => ({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: metrics.text() }),
    '/healthz': () => plain('ok'),
    '/proxyMode': () => plain(mode),
  };
}
