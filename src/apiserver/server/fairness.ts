/**
 * Priority and fairness: flow schemas sort requests into priority levels, each with a share of the server's concurrency; within a level,
 * flows take turns. What finds no seat waits in its flow's queue, bounded in length and time, or is told to come back (429), as the level
 * says. Follows the FlowSchema and PriorityLevelConfiguration objects through `configure`; begins with those the server brings along.
 */
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/types/flowcontrol-v1.ts';
import { errors } from '../../base/errors.ts';
import type { Environment } from '../../controller/contract.ts';
import { mandatory, suggested } from '../registry/flowcontrol/bootstrap.ts';
import type { Exchange, Filter } from './filters.ts';
import { flowOf, inMatchingOrder, schemaFor } from './flow-schemas.ts';

export interface Fairness {
  readonly filter: Filter;
  /** Takes the place of what was configured before. Requests that run or wait go on. */
  configure(schemas: readonly FlowSchema[], levels: readonly PriorityLevelConfiguration[]): void;
}
export interface FairnessOptions {
  /** Requests served at once, over all levels. */
  readonly concurrency: number;
  readonly queueWaitMs: number;
}
const defaultFairness: FairnessOptions = { concurrency: 600, queueWaitMs: 15_000 };

const defaultShares = 30;
const defaultQueueLength = 50;
/** Sessions that last do not hold seats. */
const longRunning = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);

interface Waiting {
  start(): void;
}
interface Level {
  readonly name: string;
  uid: string | undefined;
  exempt: boolean;
  limit: number;
  /** Waiting requests per flow; 0: whoever finds no seat is refused. */
  queueLength: number;
  running: number;
  /** Flows with waiting requests, in turn order. */
  readonly flows: Map<string, Waiting[]>;
}

function queueLengthOf({ limited }: PriorityLevelConfiguration['spec']): number {
  if (limited?.limitResponse?.type !== 'Queue') return 0;
  return limited.limitResponse.queuing?.queueLengthLimit ?? defaultQueueLength;
}

function sharesOf({ type, limited, exempt }: PriorityLevelConfiguration['spec']): number {
  if (type === 'Exempt') return exempt?.nominalConcurrencyShares ?? 0;
  return limited?.nominalConcurrencyShares ?? defaultShares;
}

export function createFairness(environment: Environment, options: FairnessOptions = defaultFairness): Fairness {
  const { clock, metrics } = environment;
  const levels = new Map<string, Level>();
  let schemas: readonly FlowSchema[] = [];
  const rejected = metrics.counter('apiserver_flowcontrol_rejected_requests_total', 'Requests refused with 429.');

  function configure(newSchemas: readonly FlowSchema[], newLevels: readonly PriorityLevelConfiguration[]): void {
    schemas = inMatchingOrder(newSchemas);
    const total = newLevels.reduce((sum, level) => sum + sharesOf(level.spec), 0) || 1;
    const names = new Set(newLevels.map(level => level.metadata.name));
    for (const name of levels.keys()) if (!names.has(name)) levels.delete(name);
    for (const { metadata, spec } of newLevels) {
      const limit = Math.ceil((options.concurrency * sharesOf(spec)) / total);
      const now = { uid: metadata.uid, exempt: spec.type === 'Exempt', limit, queueLength: queueLengthOf(spec) };
      const level = levels.get(metadata.name);
      if (level) Object.assign(level, now);
      else levels.set(metadata.name, { name: metadata.name, ...now, running: 0, flows: new Map() });
    }
  }
  configure(
    [...mandatory.flowSchemas, ...suggested.flowSchemas],
    [...mandatory.priorityLevels, ...suggested.priorityLevels],
  );

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
    if (queue.length >= level.queueLength) {
      rejected.inc({
        priority_level: level.name,
        reason: level.queueLength === 0 ? 'concurrency-limit' : 'queue-full',
      });
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
    configure,
    filter: {
      name: 'priority-and-fairness',
      wrap: next => async exchange => {
        const schema = schemaFor(schemas, exchange);
        const level = schema && levels.get(schema.spec.priorityLevelConfiguration.name);
        if (!level) return next(exchange);
        if (schema.metadata.uid) exchange.headers['x-kubernetes-pf-flowschema-uid'] = schema.metadata.uid;
        if (level.uid) exchange.headers['x-kubernetes-pf-prioritylevel-uid'] = level.uid;
        if (level.exempt || longRunning.has(exchange.info.subresource)) return next(exchange);
        if (level.running < level.limit) level.running += 1;
        else await wait(level, flowOf(schema, exchange), exchange);
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
