/** The scheduler's metrics, named as upstream's. */
import type { Metrics } from '../base/metrics.ts';

export interface Meters {
  /** One cycle took so many milliseconds. */
  attempt(ms: number): void;
  result(result: 'scheduled' | 'unschedulable' | 'error', profile: string): void;
  preempted(victims: number): void;
}

export function createMeters(metrics: Metrics): Meters {
  const attempts = metrics.counter(
    'scheduler_schedule_attempts_total',
    'Number of attempts to schedule pods, by the result.',
  );
  const seconds = metrics.histogram(
    'scheduler_scheduling_algorithm_duration_seconds',
    'Scheduling algorithm latency in seconds',
    [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1],
  );
  const preemptions = metrics.counter(
    'scheduler_preemption_attempts_total',
    'Total preemption attempts in the cluster',
  );
  const victims = metrics.histogram(
    'scheduler_preemption_victims',
    'Number of selected preemption victims',
    [1, 2, 4, 8, 16, 32, 64],
  );
  return {
    attempt: ms => seconds.observe(ms / 1000),
    result: (result, profile) => attempts.inc({ result, profile }),
    preempted(count) {
      preemptions.inc();
      victims.observe(count);
    },
  };
}
