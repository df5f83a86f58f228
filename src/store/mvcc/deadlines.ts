import type { Clock, Timer } from '../../base/clock.ts';
import type { LeaseRecord } from './state.ts';

/**
 * Calls `expire` for each lease once its deadline has passed. One timer serves all leases; it is set for the earliest deadline known and
 * looks again when a lease was kept alive meanwhile.
 */
export class LeaseTimer {
  readonly #clock: Clock;
  readonly #leases: () => Iterable<LeaseRecord>;
  readonly #expire: (id: number) => void;
  #timer: Timer | undefined;
  #setFor = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, leases: () => Iterable<LeaseRecord>, expire: (id: number) => void) {
    this.#clock = clock;
    this.#leases = leases;
    this.#expire = expire;
  }

  /** Takes note of a new or prolonged lease. */
  note(deadline: number): void {
    if (deadline >= this.#setFor) return;
    this.#timer?.cancel();
    this.#setFor = deadline;
    const wait = Math.max(0, deadline - this.#clock.monotonic());
    this.#timer = this.#clock.setTimer(() => this.#due(), wait, { background: true });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#setFor = Number.NEGATIVE_INFINITY;
  }

  #due(): void {
    this.#setFor = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const lease of [...this.#leases()]) {
      if (lease.deadline <= now) this.#expire(lease.id);
      else next = Math.min(next, lease.deadline);
    }
    if (next !== Number.POSITIVE_INFINITY) this.note(next);
  }
}

/** An id from the time, so that it is not given out again after a restart. */
export function newLeaseId(clock: Clock, taken: (id: number) => boolean): number {
  let id = Math.floor(clock.now()) * 1024;
  while (taken(id)) id += 1;
  return id;
}
