/** The scheduler's own HTTP endpoint, for this machine only: health, metrics, and why pods are pending. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../../base/metrics.ts';
import { type Scheduler, whyHandler } from '../../scheduler/index.ts';

export interface SchedulerEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** GET /healthz, /metrics and /why/NAMESPACE/NAME on the loopback address. Port 0 takes a free one. */
export async function serveScheduler(
  scheduler: Pick<Scheduler, 'whyPending'>,
  metrics: Metrics,
  port: number,
): Promise<SchedulerEndpoint> {
  const why = whyHandler(scheduler);
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (path === '/metrics' && request.method === 'GET') {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(metrics.text());
      return;
    }
    const { signal } = new AbortController();
    const method = request.method ?? 'GET';
    const answer = await why({ method, path, query: new URLSearchParams(), headers: {}, peer: {}, signal });
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
