/** The scheduler's own answer over HTTP: GET /why/NAMESPACE/NAME. */
import type { Handler } from '../api/transport.ts';
import type { PendingReport } from './why.ts';

const encoder = new TextEncoder();
const json = (status: number, value: unknown) => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: encoder.encode(`${JSON.stringify(value)}\n`),
});

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // No name contains what cannot be decoded.
    return '';
  }
}

/** 200 with a `PendingReport`; 404 when no such pod waits here. Also says 200 at /healthz. */
export function whyHandler(scheduler: { whyPending(key: string): PendingReport | undefined }): Handler {
  return async ({ method, path }) => {
    if (method !== 'GET') return json(405, { message: 'only GET is allowed' });
    if (path === '/healthz')
      return { status: 200, headers: { 'content-type': 'text/plain' }, body: encoder.encode('ok') };
    const [, why, namespace, name, ...rest] = path.split('/').map(decode);
    if (why !== 'why' || !namespace || !name || rest.length > 0) return json(404, { message: 'not found' });
    const report = scheduler.whyPending(`${namespace}/${name}`);
    return report ? json(200, report) : json(404, { message: `no pod ${namespace}/${name} waits here` });
  };
}
