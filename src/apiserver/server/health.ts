/** /healthz, /livez and /readyz, whole and by check, and what they found (upstream: k8s.io/apiserver/pkg/server/healthz). */
import type { ApiResponse } from '../../api/transport.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { utf8 } from '../storage/encoding.ts';
import { respond } from './output.ts';
import { plainError } from './unknown-path.ts';

export interface HealthCheck {
  readonly name: string;
  /** Which of the three paths ask for it. */
  readonly paths: readonly HealthPath[];
  /** Rejects when unhealthy. */
  check(): Promise<void>;
}
type HealthPath = 'healthz' | 'livez' | 'readyz';
export const allHealthPaths: readonly HealthPath[] = ['healthz', 'livez', 'readyz'];

const isHealthPath = (text: string | undefined): text is HealthPath =>
  text === 'healthz' || text === 'livez' || text === 'readyz';

/** What is done once before the server is ready, under the name of upstream's hook. */
export interface StartHook {
  readonly name: string;
  run(): Promise<unknown>;
}

/** Hooks run in order. Each is a check, too: healthy when it has run. */
export function startHooks(hooks: readonly StartHook[]) {
  const finished = new Set<string>();
  return {
    checks: hooks.map(
      ({ name }): HealthCheck => ({
        name: `poststarthook/${name}`,
        paths: allHealthPaths,
        async check() {
          if (!finished.has(name)) throw new Error('not finished');
        },
      }),
    ),
    async run(): Promise<void> {
      for (const { name, run } of hooks) {
        await run();
        finished.add(name);
      }
    },
  };
}

export interface HealthServer {
  /** Undefined for paths of other things. */
  serve(path: string, query: URLSearchParams): Promise<ApiResponse | undefined>;
  /** What checks found, for /metrics/slis. */
  text(): string;
}

export function createHealthServer(checks: readonly HealthCheck[], log: Logger): HealthServer {
  const metrics = createMetrics();
  const latest = metrics.gauge('kubernetes_healthcheck', 'The last result of each health check: 1 is healthy.');
  const total = metrics.counter('kubernetes_healthchecks_total', 'Results of health checks.');

  /** Whether it is healthy. */
  async function run({ name, check }: HealthCheck, type: HealthPath): Promise<boolean> {
    const error = await check().then(
      () => undefined,
      e => messageOf(e),
    );
    if (error !== undefined) log.warn('a health check failed', { check: name, error });
    latest.set(error === undefined ? 1 : 0, { name, type });
    total.inc({ name, type, status: error === undefined ? 'success' : 'error' });
    return error === undefined;
  }

  async function all(root: HealthPath, query: URLSearchParams): Promise<ApiResponse> {
    const excluded = new Set(query.getAll('exclude'));
    const lines: string[] = [];
    let failed = false;
    for (const check of checks.filter(c => c.paths.includes(root))) {
      const { name } = check;
      if (excluded.delete(name)) lines.push(`[+]${name} excluded: ok`);
      else if (await run(check, root)) lines.push(`[+]${name} ok`);
      else {
        failed = true;
        lines.push(`[-]${name} failed: reason withheld`);
      }
    }
    if (excluded.size > 0) {
      const names = [...excluded].sort().map(n => JSON.stringify(n));
      lines.push(`warn: some health checks cannot be excluded: no matches for ${names.join(',')}`);
    }
    if (failed) return plainError(500, [...lines, `${root} check failed`].join('\n'));
    const response = respond(
      200,
      plain,
      utf8(query.has('verbose') ? `${lines.join('\n')}\n${root} check passed\n` : 'ok'),
    );
    return { ...response, headers: { ...response.headers, 'x-content-type-options': 'nosniff' } };
  }

  return {
    async serve(path, query) {
      const [root, ...rest] = path.split('/').filter(part => part !== '');
      if (!isHealthPath(root)) return undefined;
      if (rest.length === 0) return all(root, query);
      const name = rest.join('/');
      const found = checks.find(c => c.paths.includes(root) && c.name === name);
      return found ? one(found) : plainError(404, '404 page not found');
    },
    text: metrics.text,
  };
}

const plain = 'text/plain; charset=utf-8';

async function one({ check }: HealthCheck): Promise<ApiResponse> {
  try {
    await check();
    return respond(200, plain, utf8('ok'));
  } catch (e) {
    return plainError(500, `internal server error: ${messageOf(e)}`);
  }
}
