/** Events that happened while pods were being scheduled: an attempt that fails looks at what it missed. */
import type { ClusterEvent } from '../framework/plugin.ts';

export interface EventLog {
  /** A pod went in flight; the mark stands for this moment. */
  depart(): number;
  /** A pod is in flight no more; what nobody in flight can ask for is dropped when the last one lands. */
  land(): void;
  add(event: ClusterEvent): void;
  /** Undefined when there were more events than the log keeps. */
  since(mark: number): readonly ClusterEvent[] | undefined;
}

const limit = 4096;

export function createEventLog(): EventLog {
  let events: ClusterEvent[] = [];
  let first = 0;
  let inFlight = 0;
  const drop = (count: number) => {
    events = events.slice(count);
    first += count;
  };
  return {
    depart() {
      inFlight++;
      return first + events.length;
    },
    land() {
      inFlight--;
      if (inFlight === 0) drop(events.length);
    },
    add(event) {
      if (inFlight === 0) return;
      events.push(event);
      if (events.length > limit) drop(limit / 2);
    },
    since: mark => (mark < first ? undefined : events.slice(mark - first)),
  };
}
