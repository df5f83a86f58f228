/** Where waiting pods stand: due, in back-off, or waiting for a change. Time moves pods from back-off on. */
import type { Clock, Timer } from '../../base/clock.ts';
import type { QueuedPod } from '../framework/plugin.ts';
import { createHeap } from './heap.ts';
import type { Entry, Place } from './queue.ts';

export interface LaneOptions {
  readonly clock: Clock;
  readonly less: (a: QueuedPod, b: QueuedPod) => boolean;
  /** A pod became due. */
  onDue(): void;
  /** Has to put the pod elsewhere. */
  backoffOver(entry: Entry): void;
}

export interface Lanes {
  readonly unschedulable: ReadonlySet<Entry>;
  put(entry: Entry, place: Place): void;
  /** Takes the next due pod, else one in back-off after "does not fit"; it has to be put elsewhere then. */
  take(): Entry | undefined;
  close(): void;
}

/** A place in a heap, with what its order depends on as it was then: the entry itself changes. */
interface Slot extends QueuedPod {
  readonly entry: Entry;
  readonly ticket: number;
  readonly backoffUntil: number;
}

function slotOf(entry: Entry): Slot {
  const { info, queuedAt, attempts, ticket, backoffUntil } = entry;
  return { entry, info, queuedAt, attempts, ticket, backoffUntil };
}

export function createLanes({ clock, less, onDue, backoffOver }: LaneOptions): Lanes {
  const valid = (place: Place) => (slot: Slot) => slot.entry.place === place && slot.entry.ticket === slot.ticket;
  const active = createHeap<Slot>(less, valid('active'));
  const backoff = createHeap<Slot>((a, b) => a.backoffUntil < b.backoffUntil, valid('backoff'));
  const unschedulable = new Set<Entry>();
  let timer: Timer | undefined;
  let closed = false;

  function arm(): void {
    timer?.cancel();
    timer = undefined;
    const next = backoff.peek();
    if (!next || closed) return;
    const wait = Math.max(0, next.backoffUntil - clock.now());
    timer = clock.setTimer(flush, wait, { background: true });
  }
  function flush(): void {
    const now = clock.now();
    for (let next = backoff.peek(); next && next.backoffUntil <= now; next = backoff.peek()) {
      backoff.pop();
      backoffOver(next.entry);
    }
    arm();
  }
  return {
    unschedulable,
    put(entry, place) {
      if (entry.place === 'unschedulable') unschedulable.delete(entry);
      entry.place = place;
      entry.ticket++;
      if (place === 'unschedulable') unschedulable.add(entry);
      if (place === 'active') {
        active.push(slotOf(entry));
        onDue();
      } else if (place === 'backoff') {
        backoff.push(slotOf(entry));
        arm();
      }
    },
    take() {
      const due = active.pop();
      if (due) return due.entry;
      // With nothing else to do, waiting out a back-off would be idle time; after an error it spares who is in trouble.
      return backoff.peek()?.entry.errors === 0 ? backoff.pop()?.entry : undefined;
    },
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}
