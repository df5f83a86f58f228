import type { Clock, Timer } from '../../base/clock.ts';
import type { Watchers } from './watchers.ts';

/** Asks for progress notices as long as a watch wants them. */
export class ProgressTimer {
  readonly #clock: Clock;
  readonly #watchers: Watchers;
  readonly #intervalMs: number;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(clock: Clock, watchers: Watchers, intervalMs = 10_000) {
    this.#clock = clock;
    this.#watchers = watchers;
    this.#intervalMs = intervalMs;
  }

  start(): void {
    if (this.#stopped || this.#timer) return;
    const due = () => {
      this.#timer = undefined;
      if (this.#watchers.notifyProgress()) this.start();
    };
    this.#timer = this.#clock.setTimer(due, this.#intervalMs, { background: true });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
