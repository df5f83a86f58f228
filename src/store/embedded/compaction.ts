import type { Clock, Timer } from '../../base/clock.ts';

export interface CompactionPolicy {
  /** History is kept for at least this long, and at most twice as long. Upstream's API server compacts every five minutes. */
  intervalMs: number;
  /** More revisions than this are not kept, however young. */
  maxRevisions: number;
}

/** Decides when history is forgotten. */
export class AutoCompaction {
  readonly #clock: Clock;
  readonly #policy: CompactionPolicy;
  readonly #revision: () => number;
  readonly #compact: (revision: number) => Promise<void>;
  #atLastTick: number;
  #timer: Timer | undefined;
  #running = false;

  constructor(
    clock: Clock,
    policy: Partial<CompactionPolicy> | undefined,
    revision: () => number,
    compact: (revision: number) => Promise<void>,
  ) {
    this.#clock = clock;
    this.#policy = { intervalMs: 300_000, maxRevisions: 500_000, ...policy };
    this.#revision = revision;
    this.#compact = compact;
    this.#atLastTick = revision();
    this.#schedule();
  }

  /** Takes note of how many revisions are kept. */
  grown(revisions: number): void {
    // A quarter more, so that the work is done rarely.
    if (revisions > this.#policy.maxRevisions * 1.25) this.#run(this.#revision() - this.#policy.maxRevisions);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#running = true;
  }

  #schedule(): void {
    const due = () => {
      this.#run(this.#atLastTick);
      this.#atLastTick = this.#revision();
      this.#schedule();
    };
    this.#timer = this.#clock.setTimer(due, this.#policy.intervalMs, { background: true });
  }

  #run(revision: number): void {
    if (this.#running) return;
    this.#running = true;
    void this.#compact(revision).finally(() => {
      this.#running = false;
    });
  }
}
