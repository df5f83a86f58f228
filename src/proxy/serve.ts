/** The proxy's own HTTP servers: its health for load balancers, and its metrics. An address that is taken is said in the log, as upstream does. */
import type { AddressInfo } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { http } from '../client/node/http.ts';
import type { ProxyHealth } from './monitor.ts';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}
/** By path. */
export type Pages = Readonly<Record<string, () => Answer>>;

export interface PageServer {
  readonly port: number;
  close(): Promise<void>;
}

/** /healthz, which a node about to be deleted fails, and /livez, which it does not (pkg/proxy/healthcheck/proxy_health.go). */
export function healthPages(
  health: () => ProxyHealth,
  families: readonly ('ip' | 'ip6')[],
  metrics: Metrics,
  clock: Clock,
): Pages {
  const healthz = metrics.counter('kubeproxy_proxy_healthz_total', 'Cumulative proxy healthz HTTP status');
  const livez = metrics.counter('kubeproxy_proxy_livez_total', 'Cumulative proxy livez HTTP status');
  const page = (countsNode: boolean) => (): Answer => {
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
  const plain = (body: string): Answer => ({ status: 200, type: 'text/plain', body });
  return {
    '/metrics': () => ({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: metrics.text() }),
    '/healthz': () => plain('ok'),
    '/proxyMode': () => plain(mode),
  };
}

/** Resolves when it listens; without a server, and a warning, when it cannot. Port 0 takes a free one. */
export async function servePages(
  pages: Pages,
  at: { readonly host: string; readonly port: number },
  log: Logger,
): Promise<PageServer | undefined> {
  const server = http.createServer((request, response) => {
    const page = pages[new URL(request.url ?? '/', 'http://localhost').pathname];
    if (!page) {
      response.writeHead(404).end('404 page not found\n');
      return;
    }
    const { status, type, body } = page();
    response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(body);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at.port, at.host, resolve);
    });
  } catch (error) {
    log.warn('an address of the proxy’s own pages cannot be opened', { ...at, error: messageOf(error) });
    return undefined;
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
