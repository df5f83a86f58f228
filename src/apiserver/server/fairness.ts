/**
 * Priority and fairness: requests are sorted into levels, each with a share of the server's concurrency; within a level, flows (one per
 * user) take turns. What finds no seat waits in its flow's queue, bounded in length and time, else is told to come back (429).
 */
import type { UserInfo } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import type { Environment } from '../../controller/contract.ts';
import type { Exchange, Filter } from './filters.ts';
import type { RequestInfo } from './request-info.ts';

export interface Fairness {
  readonly filter: Filter;
}
export interface FairnessOptions {
  /** Requests served at once, over all levels. */
  readonly concurrency: number;
  /** Waiting requests per flow. */
  readonly queueLength: number;
  readonly queueWaitMs: number;
}
const defaultFairness: FairnessOptions = { concurrency: 600, queueLength: 100, queueWaitMs: 15_000 };

/** Names and shares of upstream's suggested configuration. */
const shares = {
  system: 30,
  'node-high': 40,
  'leader-election': 10,
  'workload-high': 40,
  'workload-low': 100,
  'global-default': 20,
} as const;
type LevelName = keyof typeof shares;

const hasGroup = (user: UserInfo, group: string) => user.groups.includes(group);

/** Undefined: exempt. */
function levelOf({ user, info }: { user: UserInfo; info: RequestInfo }): LevelName | undefined {
  if (hasGroup(user, 'system:masters')) return undefined;
  if (!info.isResource && /^\/(healthz|livez|readyz)(\/|$)/.test(info.path)) return undefined;
  if (hasGroup(user, 'system:nodes'))
    return info.resource === 'nodes' || info.resource === 'leases' ? 'node-high' : 'system';
  if (info.resource === 'leases' && (user.name.startsWith('system:kube-') || info.namespace === 'kube-system'))
    return 'leader-election';
  if (user.name === 'system:kube-controller-manager' || user.name === 'system:kube-scheduler') return 'workload-high';
  if (hasGroup(user, 'system:serviceaccounts:kube-system')) return 'workload-high';
  return hasGroup(user, 'system:serviceaccounts') ? 'workload-low' : 'global-default';
}

interface Waiting {
  start(): void;
}
interface Level {
  readonly name: LevelName;
  readonly limit: number;
  running: number;
  /** Flows with waiting requests, in turn order. */
  readonly flows: Map<string, Waiting[]>;
}

export function createFairness(environment: Environment, options: FairnessOptions = defaultFairness): Fairness {
  const { clock, metrics } = environment;
  const total = Object.values(shares).reduce((a, b) => a + b, 0);
  const levels = new Map<LevelName, Level>();
  for (const [name, share] of Object.entries(shares) as [LevelName, number][]) {
    const limit = Math.max(1, Math.ceil((options.concurrency * share) / total));
    levels.set(name, { name, limit, running: 0, flows: new Map() });
  }
  const rejected = metrics.counter('apiserver_flowcontrol_rejected_requests_total', 'Requests refused with 429.');

  function release(level: Level): void {
    level.running -= 1;
    const [first] = level.flows;
    if (!first) return;
    const [flow, queue] = first;
    level.flows.delete(flow);
    const next = queue.shift();
    if (queue.length > 0) level.flows.set(flow, queue);
    next?.start();
  }
  function wait(level: Level, flow: string, exchange: Exchange): Promise<void> {
    const queue = level.flows.get(flow) ?? [];
    if (queue.length >= options.queueLength) {
      rejected.inc({ priority_level: level.name, reason: 'queue-full' });
      return Promise.reject(tooMany());
    }
    return new Promise((resolve, reject) => {
      const { signal } = exchange.request;
      const leave = (why: unknown) => {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        const index = queue.indexOf(waiting);
        if (index >= 0) queue.splice(index, 1);
        if (queue.length === 0 && level.flows.get(flow) === queue) level.flows.delete(flow);
        reject(why);
      };
      const onAbort = () => leave(signal.reason);
      const waiting: Waiting = {
        start() {
          timer.cancel();
          signal.removeEventListener('abort', onAbort);
          level.running += 1;
          resolve();
        },
      };
      const timer = clock.setTimer(
        () => {
          rejected.inc({ priority_level: level.name, reason: 'time-out' });
          leave(tooMany());
        },
        options.queueWaitMs,
        { background: true },
      );
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(waiting);
      level.flows.set(flow, queue);
    });
  }
  return {
    filter: {
      name: 'priority-and-fairness',
      wrap: next => async exchange => {
        const name = levelOf(exchange);
        const level = name && levels.get(name);
        if (!level) return next(exchange);
        if (level.running < level.limit) level.running += 1;
        else await wait(level, exchange.user.name, exchange);
        try {
          return await next(exchange);
        } finally {
          release(level);
        }
      },
    },
  };
}

const tooMany = () => errors.tooManyRequests('too many requests, please try again later.', 1);
