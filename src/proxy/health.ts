/** Health-check ports of services with externalTrafficPolicy: Local, as cloud load balancers ask them. */
import type { Server } from 'node:http';
import type { Logger } from '../base/log.ts';
import { http } from '../client/node/http.ts';
import type { HealthPort } from './model.ts';

export interface HealthServers {
  set(service: string, health: HealthPort | undefined): void;
  close(): Promise<void>;
}

interface Entry {
  readonly servers: readonly Server[];
  readonly port: number;
  localEndpoints: number;
}

/** `isHealthy` says whether the proxy is; `addresses` are where ports are opened, default every address. */
export function createHealthServers(
  log: Logger,
  isHealthy: () => boolean,
  addresses?: readonly string[],
): HealthServers {
  const open = new Map<string, Entry>();

  function start(service: string, health: HealthPort): void {
    const entry: Entry = { ...health, servers: (addresses ?? [undefined]).map(() => http.createServer()) };
    for (const [index, server] of entry.servers.entries()) {
      server.on('request', (_request, response) => {
        const serviceProxyHealthy = isHealthy();
        response.writeHead(entry.localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, {
          'content-type': 'application/json',
          'x-content-type-options': 'nosniff',
          'x-load-balancing-endpoint-weight': String(entry.localEndpoints),
        });
        response.end(bodyOf(service, entry.localEndpoints, serviceProxyHealthy));
      });
      server.on('error', error =>
        log.error('a health-check port cannot be opened', { service, port: health.port, error }),
      );
      server.listen(health.port, addresses?.[index]);
    }
    open.set(service, entry);
  }

  async function stop(service: string): Promise<void> {
    const entry = open.get(service);
    if (!entry) return;
    open.delete(service);
    for (const server of entry.servers) server.closeAllConnections();
    await Promise.all(entry.servers.map(server => new Promise<void>(resolve => server.close(() => resolve()))));
  }

  return {
    set(service, health) {
      const entry = open.get(service);
      if (entry && health && entry.port === health.port) {
        entry.localEndpoints = health.localEndpoints;
        return;
      }
      const closed = stop(service);
      if (health) void closed.then(() => start(service, health));
    },
    async close() {
      await Promise.all([...open.keys()].map(stop));
    },
  };
}

/** As upstream's hcHandler writes it. */
function bodyOf(key: string, localEndpoints: number, serviceProxyHealthy: boolean): string {
  const [namespace = '', name = ''] = key.split('/');
  return JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, null, '\t');
}
