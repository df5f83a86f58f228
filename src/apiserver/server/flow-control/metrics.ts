/** What priority and fairness tells about itself, under upstream's names (k8s.io/apiserver pkg/util/flowcontrol/metrics). */
import type { Labels, Metrics } from '../../../base/metrics.ts';
import type { LevelBounds } from './borrowing.ts';

/** The labels of a priority level and a flow schema, and of the refusals and waits among them. */
export interface FlowLabels {
  readonly flow: Labels;
  readonly executed: Labels;
  readonly cancelled: Labels;
}

export interface FlowMetrics {
  labelsOf(level: string, schema: string): FlowLabels;
  limits(level: string, bounds: LevelBounds, current: number): void;
  queued(labels: FlowLabels): void;
  /** It waits no longer. */
  waited(labels: FlowLabels, ms: number, executed: boolean): void;
  rejected(labels: FlowLabels, reason: 'queue-full' | 'concurrency-limit' | 'time-out'): void;
  started(labels: FlowLabels, seats: number): void;
  finished(labels: FlowLabels, seats: number): void;
}

const waitBuckets = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30] as const;
const seatBuckets = [1, 2, 4, 10] as const;

export function createFlowMetrics(metrics: Metrics): FlowMetrics {
  const prefix = 'apiserver_flowcontrol_';
  const known = new Map<string, Map<string, FlowLabels>>();
  const rejected = metrics.counter(`${prefix}rejected_requests_total`, 'Requests that were refused with 429.');
  const dispatched = metrics.counter(`${prefix}dispatched_requests_total`, 'Requests that were given seats.');
  const inQueue = metrics.gauge(`${prefix}current_inqueue_requests`, 'Requests that wait for seats.');
  const executing = metrics.gauge(`${prefix}current_executing_requests`, 'Requests that have seats.');
  const seatsInUse = metrics.gauge(`${prefix}current_executing_seats`, 'Seats that are taken.');
  const waits = metrics.histogram(
    `${prefix}request_wait_duration_seconds`,
    'Time spent waiting for seats.',
    waitBuckets,
  );
  const widths = metrics.histogram(`${prefix}work_estimated_seats`, 'Seats that requests take.', seatBuckets);
  const nominal = metrics.gauge(`${prefix}nominal_limit_seats`, "A level's share of the server's seats.");
  const lower = metrics.gauge(`${prefix}lower_limit_seats`, 'Seats that a level never lends.');
  const upper = metrics.gauge(`${prefix}upper_limit_seats`, 'Seats of a level with all it may borrow.');
  const limit = metrics.gauge(`${prefix}current_limit_seats`, 'Seats of a level now.');

  function newLabels(level: string, schema: string): FlowLabels {
    const flow = { priority_level: level, flow_schema: schema };
    return {
      flow: Object.freeze(flow),
      executed: Object.freeze({ ...flow, execute: 'true' }),
      cancelled: Object.freeze({ ...flow, execute: 'false' }),
    };
  }
  return {
    labelsOf(level, schema) {
      let ofLevel = known.get(level);
      if (!ofLevel) known.set(level, (ofLevel = new Map()));
      let labels = ofLevel.get(schema);
      if (!labels) ofLevel.set(schema, (labels = newLabels(level, schema)));
      return labels;
    },
    limits(level, bounds, current) {
      const labels = { priority_level: level };
      nominal.set(bounds.nominal, labels);
      lower.set(bounds.min, labels);
      upper.set(bounds.max, labels);
      limit.set(current, labels);
    },
    queued: ({ flow }) => inQueue.add(1, flow),
    waited({ flow, executed, cancelled }, ms, execute) {
      inQueue.add(-1, flow);
      waits.observe(ms / 1_000, execute ? executed : cancelled);
    },
    rejected: ({ flow }, reason) => rejected.inc({ ...flow, reason }),
    started({ flow }, seats) {
      dispatched.inc(flow);
      executing.add(1, flow);
      seatsInUse.add(seats, flow);
      widths.observe(seats, flow);
    },
    finished({ flow }, seats) {
      executing.add(-1, flow);
      seatsInUse.add(-seats, flow);
    },
  };
}
