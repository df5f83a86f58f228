/** Health-check ports of services with externalTrafficPolicy: Local, as cloud load balancers ask them. */
import type { Server } from 'node:http';
import type { Logger } from '../base/log.ts';
import { http } from '../client/node/http.ts';
import type { HealthPort } from './model.ts';

export interface HealthServers {
  set(service: string, health: HealthPort | undefined): void;
  close(): Promise<void>;
}

export function createHealthServers(log: Logger): HealthServers {
  const open = new Map<string, { server: Server; port: number; localEndpoints: number }>();

  function start(service: string, health: HealthPort): void {
    const [namespace = '', name = ''] = service.split('/');
    const entry = { port: health.port, localEndpoints: health.localEndpoints, server: http.createServer() };
    entry.server.on('request', (_request, response) => {
      const body = JSON.stringify({
        service: { namespace, name },
        localEndpoints: entry.localEndpoints,
        serviceProxyHealthy: true,
      });
      response.writeHead(entry.localEndpoints > 0 ? 200 : 503, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
      });
      response.end(body);
    });
    entry.server.on('error', error =>
      log.error('a health-check port cannot be opened', { service, port: health.port, error }),
    );
    entry.server.listen(health.port);
    open.set(service, entry);
  }

  async function stop(service: string): Promise<void> {
    const entry = open.get(service);
    if (!entry) return;
    open.delete(service);
    entry.server.closeAllConnections();
    await new Promise<void>(resolve => entry.server.close(() => resolve()));
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
