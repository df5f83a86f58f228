/**
 * The queues of one priority level (k8s.io/apiserver pkg/util/flowcontrol/fairqueuing): requests of a flow wait in the emptiest queue of
 * its hand, and free seats go to the queue that has had the least, in virtual time.
 *
 * While nothing waits, requests take seats without passing a queue: what they took is not held against their flow later.
 */
import type { Clock } from '../../../base/clock.ts';
import { dealHand, flowHash } from './shuffle-sharding.ts';

export interface QueueShape {
  /** 0: whoever finds no seat is refused. */
  readonly queues: number;
  readonly handSize: number;
  readonly queueLengthLimit: number;
}

/** A request that waits. */
export interface Waiter {
  readonly seats: number;
  /** Called once, when it has its seats. */
  start(): void;
}

interface Queue {
  waiting: Waiter[];
  seatsWaiting: number;
  seatsInUse: number;
  executing: number;
  /** Virtual time (seat-milliseconds) at which the next request would begin. */
  nextStart: number;
}

/** Seats that were taken; given back with `release`. */
export interface Seats {
  readonly seats: number;
  readonly queue: Queue | undefined;
  readonly since: number;
}

export interface QueueSet {
  readonly seatsInUse: number;
  readonly seatsWaiting: number;
  /** Raising it starts who waits. */
  limit: number;
  configure(shape: QueueShape): void;
  /** The seats, at once, when they are free and nobody waits for them. */
  take(seats: number): Seats | undefined;
  /**
   * Waits in a queue of the flow. `started` is told the seats. A text says why not: "queue-full" or "concurrency-limit". The function
   * that is given takes the request out of the queue again.
   */
  wait(flow: string, seats: number, started: (seats: Seats) => void): (() => void) | 'queue-full' | 'concurrency-limit';
  release(seats: Seats): void;
}

/** What a request is thought to take before it is known, in milliseconds. */
const estimatedMs = 3;
const handsKept = 1_000;
const newQueue = (): Queue => ({ waiting: [], seatsWaiting: 0, seatsInUse: 0, executing: 0, nextStart: 0 });

export function createQueueSet(clock: Clock, shape: QueueShape, seats: number): QueueSet {
  let limit = seats;
  let current = shape;
  let queues = Array.from({ length: shape.queues }, newQueue);
  const hands = new Map<string, readonly number[]>();
  let seatsInUse = 0;
  let seatsWaiting = 0;
  let virtualTime = 0;
  let lastReal = clock.now();
  let turn = 0;
  let enqueued = 0;

  function handOf(flow: string): readonly number[] {
    let hand = hands.get(flow);
    if (!hand) {
      if (hands.size >= handsKept) hands.clear();
      hand = dealHand(flowHash(flow), current.queues, Math.min(current.handSize, current.queues));
      hands.set(flow, hand);
    }
    return hand;
  }
  /** Virtual time passes as fast as each busy queue gets seats. */
  function advance(): number {
    const now = clock.now();
    let busy = 0;
    let wanted = 0;
    for (const queue of queues) {
      wanted += queue.seatsInUse + queue.seatsWaiting;
      if (queue.waiting.length > 0 || queue.executing > 0) busy += 1;
    }
    if (busy > 0) virtualTime += ((now - lastReal) * Math.min(wanted, limit)) / busy;
    lastReal = now;
    return now;
  }
  /** What is wider than the level has it for itself. */
  const fits = (seats: number) => (seats > limit ? seatsInUse === 0 : seatsInUse + seats <= limit);

  function emptiest(flow: string): Queue | undefined {
    const hand = handOf(flow);
    const offset = enqueued++;
    let best: Queue | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < hand.length; i++) {
      const queue = queues[hand[(offset + i) % hand.length] ?? 0];
      const load = queue ? queue.seatsWaiting + queue.seatsInUse : least;
      if (load >= least) continue;
      best = queue;
      least = load;
    }
    return best;
  }
  function nextQueue(): Queue | undefined {
    let best: Queue | undefined;
    let earliest = Number.POSITIVE_INFINITY;
    let at = turn;
    for (let i = 1; i <= queues.length; i++) {
      const index = (turn + i) % queues.length;
      const queue = queues[index];
      const [first] = queue?.waiting ?? [];
      if (!queue || !first) continue;
      const finish = queue.nextStart + first.seats * estimatedMs;
      if (finish >= earliest) continue;
      best = queue;
      earliest = finish;
      at = index;
    }
    turn = at;
    return best;
  }
  function dispatch(): void {
    while (seatsWaiting > 0) {
      const queue = nextQueue();
      const [first] = queue?.waiting ?? [];
      if (!queue || !first || !fits(first.seats)) return;
      queue.waiting.shift();
      queue.seatsWaiting -= first.seats;
      seatsWaiting -= first.seats;
      first.start();
    }
  }
  function occupy(queue: Queue, seats: number): Seats {
    seatsInUse += seats;
    queue.seatsInUse += seats;
    queue.executing += 1;
    queue.nextStart += seats * estimatedMs;
    return { seats, queue, since: clock.now() };
  }
  return {
    get seatsInUse() {
      return seatsInUse;
    },
    get seatsWaiting() {
      return seatsWaiting;
    },
    get limit() {
      return limit;
    },
    set limit(next) {
      limit = next;
      dispatch();
    },
    configure(next) {
      if (next.queues !== current.queues || next.handSize !== current.handSize) hands.clear();
      current = next;
      if (queues.length === next.queues) return;
      // Queues that go are emptied into those that stay.
      const [kept, gone] = [queues.slice(0, next.queues), queues.slice(next.queues)];
      while (kept.length < next.queues) kept.push(newQueue());
      for (const [i, queue] of gone.entries()) {
        const heir = kept[i % kept.length];
        if (!heir || queue.waiting.length === 0) continue;
        heir.waiting.push(...queue.waiting);
        heir.seatsWaiting += queue.seatsWaiting;
        queue.waiting = [];
        queue.seatsWaiting = 0;
      }
      if (kept.length > 0 || seatsWaiting === 0) queues = kept;
    },
    take(seats) {
      if (seatsWaiting > 0 || !fits(seats)) return undefined;
      seatsInUse += seats;
      return { seats, queue: undefined, since: 0 };
    },
    wait(flow, seats, started) {
      if (current.queues === 0) return 'concurrency-limit';
      const queue = emptiest(flow);
      if (!queue || queue.waiting.length >= current.queueLengthLimit) return 'queue-full';
      advance();
      if (queue.waiting.length === 0 && queue.executing === 0) queue.nextStart = virtualTime;
      const waiter: Waiter = { seats, start: () => started(occupy(queue, seats)) };
      queue.waiting.push(waiter);
      queue.seatsWaiting += seats;
      seatsWaiting += seats;
      dispatch();
      return () => {
        const owner = queues.find(q => q.waiting.includes(waiter));
        if (!owner) return;
        owner.waiting.splice(owner.waiting.indexOf(waiter), 1);
        owner.seatsWaiting -= seats;
        seatsWaiting -= seats;
        dispatch();
      };
    },
    release({ seats, queue, since }) {
      seatsInUse -= seats;
      if (queue) {
        const took = advance() - since;
        queue.seatsInUse -= seats;
        queue.executing -= 1;
        // What it really took, instead of what was thought; but no queue is owed time from before now.
        queue.nextStart += seats * (took - estimatedMs);
        if (queue.executing === 0 && queue.waiting.length > 0) queue.nextStart = Math.max(queue.nextStart, virtualTime);
      }
      dispatch();
    },
  };
}
