/** /healthz, /livez and /readyz, whole and by check (upstream: k8s.io/apiserver/pkg/server/healthz). */
import type { ApiResponse } from '../../api/transport.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { utf8 } from '../storage/encoding.ts';
import { respond } from './output.ts';

export interface HealthCheck {
  readonly name: string;
  /** Which of the three paths ask for it. */
  readonly paths: readonly HealthPath[];
  /** Rejects when unhealthy. */
  check(): Promise<void>;
}
type HealthPath = 'healthz' | 'livez' | 'readyz';

const isHealthPath = (text: string | undefined): text is HealthPath =>
  text === 'healthz' || text === 'livez' || text === 'readyz';

const plain = 'text/plain; charset=utf-8';

export async function serveHealth(
  checks: readonly HealthCheck[],
  path: string,
  query: URLSearchParams,
  log: Logger,
): Promise<ApiResponse | undefined> {
  const [root, ...rest] = path.split('/').filter(part => part !== '');
  if (!isHealthPath(root)) return undefined;
  const applicable = checks.filter(c => c.paths.includes(root));
  if (rest.length > 0) return one(applicable, rest.join('/'));
  const excluded = new Set(query.getAll('exclude'));
  const lines: string[] = [];
  const failed: string[] = [];
  for (const { name, check } of applicable) {
    if (excluded.delete(name)) {
      lines.push(`[+]${name} excluded: ok`);
      continue;
    }
    try {
      await check();
      lines.push(`[+]${name} ok`);
    } catch (e) {
      failed.push(name);
      log.warn('a health check failed', { check: name, error: messageOf(e) });
      lines.push(`[-]${name} failed: reason withheld`);
    }
  }
  if (excluded.size > 0)
    lines.push(
      `warn: some health checks cannot be excluded: no matches for ${[...excluded].map(n => JSON.stringify(n)).join(', ')}`,
    );
  const head = { 'x-content-type-options': 'nosniff' };
  if (failed.length > 0) {
    const response = respond(500, plain, utf8(`${lines.join('\n')}\n${root} check failed\n`));
    return { ...response, headers: { ...response.headers, ...head } };
  }
  const verbose = query.has('verbose');
  const response = respond(200, plain, utf8(verbose ? `${lines.join('\n')}\n${root} check passed\n` : 'ok'));
  return { ...response, headers: { ...response.headers, ...head } };
}

async function one(checks: readonly HealthCheck[], name: string): Promise<ApiResponse> {
  const found = checks.find(c => c.name === name);
  if (!found) return respond(404, plain, utf8('404 page not found\n'));
  try {
    await found.check();
    return respond(200, plain, utf8('ok'));
  } catch (e) {
    return respond(500, plain, utf8(`internal server error: ${messageOf(e)}\n`));
  }
}
