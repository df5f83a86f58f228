/** The scheduler's metrics, named as upstream's (pkg/scheduler/metrics). */
import type { Clock } from '../base/clock.ts';
import type { Gauge, Metrics } from '../base/metrics.ts';
import type { Cache } from './cache.ts';
import type { Entry, Place, Queue } from './queue/queue.ts';

export type AttemptResult = 'scheduled' | 'unschedulable' | 'error';

export interface Meters {
  /** One cycle took so many milliseconds. */
  cycle(ms: number): void;
  /** The attempt that began with the pod's leaving the queue has come to an end. */
  attempted(result: AttemptResult, profile: string, entry: Entry): void;
  preempted(victims: number): void;
  /** A pod came to a place of the queue. */
  incoming(place: Place, cause: string): void;
  /** From now on this queue and this cache are measured. */
  observe(queue: Queue, cache: Cache): void;
}

const powers = (first: number, factor: number, count: number) =>
  Array.from({ length: count }, (_, i) => first * factor ** i);

export function createMeters(metrics: Metrics, clock: Clock): Meters {
  const attempts = metrics.counter(
    'scheduler_schedule_attempts_total',
    'Attempts to schedule pods, by result: "unschedulable" found no node, "error" broke.',
  );
  const attemptSeconds = metrics.histogram(
    'scheduler_scheduling_attempt_duration_seconds',
    'Seconds from the queue to the end of an attempt, binding included.',
    powers(0.001, 2, 15),
  );
  const cycleSeconds = metrics.histogram(
    'scheduler_scheduling_algorithm_duration_seconds',
    'Seconds that a scheduling cycle took.',
    powers(0.001, 2, 15),
  );
  const podAttempts = metrics.histogram(
    'scheduler_pod_scheduling_attempts',
    'Attempts that pods took to be scheduled.',
    powers(1, 2, 5),
  );
  const podSeconds = metrics.histogram(
    'scheduler_pod_scheduling_sli_duration_seconds',
    'Seconds from the time a pod entered the queue to its binding, over all attempts.',
    powers(0.01, 2, 20),
  );
  const preemptions = metrics.counter('scheduler_preemption_attempts_total', 'Attempts to make room by preemption.');
  const victims = metrics.histogram('scheduler_preemption_victims', 'Pods that a preemption chose.', powers(1, 2, 7));
  const incoming = metrics.counter(
    'scheduler_queue_incoming_pods_total',
    'Pods that came to a queue, by what brought them.',
  );
  const pending = metrics.gauge('scheduler_pending_pods', 'Pods that wait to be scheduled, by queue.');
  const rejected = metrics.gauge(
    'scheduler_unschedulable_pods',
    'Unschedulable pods, by each plugin that rejects them.',
  );
  const cached = metrics.gauge('scheduler_cache_size', 'Nodes, pods and assumed pods that the scheduler knows of.');

  let observed: { queue: Queue; cache: Cache } | undefined;
  metrics.onCollect(() => {
    if (!observed) return;
    const { active, backoff, unschedulable, gated } = observed.queue.sizes();
    setAll(pending, 'queue', { active, backoff, unschedulable, gated });
    setAll(cached, 'type', observed.cache.sizes());
    rejected.clear();
    for (const { place, rejectedBy, info } of observed.queue.entries()) {
      if (place !== 'unschedulable' && place !== 'gated') continue;
      const profile = info.pod.spec.schedulerName ?? 'default-scheduler';
      for (const plugin of rejectedBy) rejected.add(1, { plugin, profile });
    }
  });
  return {
    cycle: ms => cycleSeconds.observe(ms / 1000),
    attempted(result, profile, { attempts: count, attemptAt, dueSince }) {
      const now = clock.now();
      attempts.inc({ result, profile });
      attemptSeconds.observe((now - attemptAt) / 1000, { result, profile });
      if (result !== 'scheduled') return;
      podAttempts.observe(count);
      podSeconds.observe((now - (dueSince ?? attemptAt)) / 1000, { attempts: count > 15 ? '16+' : String(count) });
    },
    preempted(count) {
      preemptions.inc();
      victims.observe(count);
    },
    incoming: (place, event) => incoming.inc({ queue: place === 'gated' ? 'unschedulable' : place, event }),
    observe(queue, cache) {
      observed = { queue, cache };
    },
  };
}

function setAll(gauge: Gauge, label: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) gauge.set(value, { [label]: name });
}
