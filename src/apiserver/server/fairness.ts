/**
 * Priority and fairness: flow schemas sort requests into priority levels, each with a share of the server's concurrency; within a level,
 * flows take turns. What finds no seat waits in a queue of its flow, bounded in length and time, or is told to come back (429), as the
 * level says. Levels lend what they do not need. Follows the FlowSchema and PriorityLevelConfiguration objects through `configure`; begins
 * with those the server brings along.
 */
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/types/flowcontrol-v1.ts';
import { settle } from '../../base/awaitable.ts';
import type { Timer } from '../../base/clock.ts';
import { errors } from '../../base/errors.ts';
import type { Environment } from '../../controller/contract.ts';
import { mandatory, suggested } from '../registry/flowcontrol/bootstrap.ts';
import type { Exchange, Filter } from './filters.ts';
import { createDemandMeter, currentLimits, type DemandMeter, type LevelBounds } from './flow-control/borrowing.ts';
import { createFlowMetrics, type FlowLabels } from './flow-control/metrics.ts';
import { createQueueSet, type QueueSet, type QueueShape, type Seats } from './flow-control/queue-set.ts';
import { type SizeOf, seatsOf } from './flow-control/width.ts';
import { flowOf, inMatchingOrder, schemaFor } from './flow-schemas.ts';

export interface Fairness {
  readonly filter: Filter;
  /** Takes the place of what was configured before. Requests that run or wait go on. */
  configure(schemas: readonly FlowSchema[], levels: readonly PriorityLevelConfiguration[]): void;
  /** Lends and borrows anew until the signal. */
  start(signal: AbortSignal): void;
}
export interface FairnessOptions {
  /** Seats over all levels. */
  readonly concurrency: number;
  readonly queueWaitMs: number;
  readonly sizeOf?: SizeOf;
}
export const defaultFairness: FairnessOptions = { concurrency: 600, queueWaitMs: 15_000 };

const defaultShares = 30;
const adjustEveryMs = 10_000;
/** Sessions that last do not hold seats. */
const longRunning = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);

interface Level {
  readonly name: string;
  uid: string | undefined;
  exempt: boolean;
  bounds: LevelBounds;
  readonly queues: QueueSet;
  readonly demand: DemandMeter;
}

type Spec = PriorityLevelConfiguration['spec'];

function shapeOf({ limited }: Spec): QueueShape {
  const { type, queuing } = limited?.limitResponse ?? {};
  if (type !== 'Queue') return { queues: 0, handSize: 0, queueLengthLimit: 0 };
  const { queues = 64, handSize = 8, queueLengthLimit = 50 } = queuing ?? {};
  return { queues, handSize, queueLengthLimit };
}

function sharesOf({ type, limited, exempt }: Spec): number {
  if (type === 'Exempt') return exempt?.nominalConcurrencyShares ?? 0;
  return limited?.nominalConcurrencyShares ?? defaultShares;
}

function boundsOf(spec: Spec, total: number, concurrency: number): LevelBounds {
  const nominal = Math.ceil((concurrency * sharesOf(spec)) / total);
  const { lendablePercent = 0 } = spec.limited ?? spec.exempt ?? {};
  const { borrowingLimitPercent: borrowing } = spec.limited ?? {};
  const borrowed = borrowing === undefined ? concurrency : Math.round((nominal * borrowing) / 100);
  return { nominal, min: nominal - Math.round((nominal * lendablePercent) / 100), max: nominal + borrowed };
}

export function createFairness(environment: Environment, options: FairnessOptions = defaultFairness): Fairness {
  const { clock } = environment;
  const { sizeOf = () => undefined } = options;
  const metrics = createFlowMetrics(environment.metrics);
  const levels = new Map<string, Level>();
  let schemas: readonly FlowSchema[] = [];

  function adjust(): void {
    const all = [...levels.values()];
    const states = all.map(level => ({ bounds: level.bounds, exempt: level.exempt, demand: level.demand.read() }));
    for (const [i, limit] of currentLimits(states).entries()) {
      const level = all[i];
      if (!level) continue;
      level.queues.limit = limit;
      metrics.limits(level.name, level.bounds, limit);
    }
  }
  function configure(newSchemas: readonly FlowSchema[], newLevels: readonly PriorityLevelConfiguration[]): void {
    schemas = inMatchingOrder(newSchemas);
    const total = newLevels.reduce((sum, level) => sum + sharesOf(level.spec), 0) || 1;
    const names = new Set(newLevels.map(level => level.metadata.name));
    for (const name of levels.keys()) if (!names.has(name)) levels.delete(name);
    for (const { metadata, spec } of newLevels) {
      const { name, uid } = metadata;
      const now = { uid, exempt: spec.type === 'Exempt', bounds: boundsOf(spec, total, options.concurrency) };
      const level = levels.get(name);
      if (!level) {
        const queues = createQueueSet(clock, shapeOf(spec), now.bounds.nominal);
        levels.set(name, { name, ...now, queues, demand: createDemandMeter(() => clock.now()) });
        metrics.limits(name, now.bounds, now.bounds.nominal);
        continue;
      }
      if (level.bounds.nominal !== now.bounds.nominal) level.queues.limit = now.bounds.nominal;
      level.queues.configure(shapeOf(spec));
      Object.assign(level, now);
      metrics.limits(name, now.bounds, level.queues.limit);
    }
  }
  configure(
    [...mandatory.flowSchemas, ...suggested.flowSchemas],
    [...mandatory.priorityLevels, ...suggested.priorityLevels],
  );

  const noteDemand = ({ demand, queues }: Level) => demand.set(queues.seatsInUse + queues.seatsWaiting);
  function release(level: Level, labels: FlowLabels, seats: Seats): void {
    level.queues.release(seats);
    noteDemand(level);
    metrics.finished(labels, seats.seats);
  }
  function wait(level: Level, labels: FlowLabels, flow: string, seats: number, exchange: Exchange): Promise<Seats> {
    const { signal } = exchange.request;
    const since = clock.now();
    return new Promise((resolve, reject) => {
      let waiting = true;
      let timer: Timer | undefined;
      let leave: (() => void) | undefined;
      const settled = (executed: boolean) => {
        waiting = false;
        timer?.cancel();
        signal.removeEventListener('abort', onAbort);
        metrics.waited(labels, clock.now() - since, executed);
      };
      const giveUp = (why: unknown) => {
        settled(false);
        leave?.();
        noteDemand(level);
        reject(why);
      };
      const onAbort = () => giveUp(signal.reason);
      const entered = level.queues.wait(flow, seats, taken => {
        if (waiting) settled(true);
        resolve(taken);
      });
      if (typeof entered === 'string') {
        metrics.rejected(labels, entered);
        reject(tooMany());
        return;
      }
      leave = entered;
      metrics.queued(labels);
      noteDemand(level);
      if (!waiting) return;
      signal.addEventListener('abort', onAbort, { once: true });
      timer = clock.setTimer(
        () => {
          metrics.rejected(labels, 'time-out');
          giveUp(tooMany());
        },
        options.queueWaitMs,
        { background: true },
      );
    });
  }
  return {
    configure,
    start(signal) {
      const again = () => {
        adjust();
        timer = clock.setTimer(again, adjustEveryMs, { background: true });
      };
      let timer = clock.setTimer(again, adjustEveryMs, { background: true });
      signal.addEventListener('abort', () => timer.cancel(), { once: true });
    },
    filter: {
      name: 'priority-and-fairness',
      wrap: next => exchange => {
        const schema = schemaFor(schemas, exchange);
        const level = schema && levels.get(schema.spec.priorityLevelConfiguration.name);
        if (!level) return next(exchange);
        if (schema.metadata.uid) exchange.headers['x-kubernetes-pf-flowschema-uid'] = schema.metadata.uid;
        if (level.uid) exchange.headers['x-kubernetes-pf-prioritylevel-uid'] = level.uid;
        if (level.exempt || longRunning.has(exchange.info.subresource)) return next(exchange);
        const labels = metrics.labelsOf(level.name, schema.metadata.name);
        const width = seatsOf(exchange, level.bounds.nominal, sizeOf);
        const seated = (seats: Seats) => {
          metrics.started(labels, width);
          return settle(
            () => next(exchange),
            response => {
              release(level, labels, seats);
              return response;
            },
            e => {
              release(level, labels, seats);
              throw e;
            },
          );
        };
        const seats = level.queues.take(width);
        if (!seats) return wait(level, labels, flowOf(schema, exchange), width, exchange).then(seated);
        noteDemand(level);
        return seated(seats);
      },
    },
  };
}

const tooMany = () => errors.tooManyRequests('too many requests, please try again later.', 1);
