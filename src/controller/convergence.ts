/** Brings something outside to what the cluster's objects ask for: one round at a time, again after a failure, and once more when something changed meanwhile. */
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

export interface Convergence {
  /** Something changed: a round is due. */
  touch(): void;
  /** Resolves when all changes seen so far are applied. */
  flushed(): Promise<void>;
  /** No more rounds; resolves when the one at work has ended. */
  stop(): Promise<void>;
}

export interface ConvergenceOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** One round. Idempotent; throwing means that it is tried again. */
  readonly apply: () => Promise<void>;
  /** What the log says of a round that failed. */
  readonly failure: string;
  /** Milliseconds between a failed round and the next. */
  readonly retryMs: number;
  /** Milliseconds that changes are gathered before a round; default none. */
  readonly gatherMs?: number;
}

export function createConvergence({ clock, log, apply, failure, retryMs, gatherMs }: ConvergenceOptions): Convergence {
  let dirty = false;
  let running: Promise<void> | undefined;
  const stopping = new AbortController();
  const { signal } = stopping;

  /** Ends early when it is stopped. */
  function wait(ms: number, background: boolean): Promise<void> {
    return new Promise(resolve => {
      const timer = clock.setTimer(done, ms, { background });
      function done(): void {
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
    });
  }

  async function work(): Promise<void> {
    while (dirty && !signal.aborted) {
      if (gatherMs !== undefined) await wait(gatherMs, false);
      if (signal.aborted) return;
      dirty = false;
      try {
        await apply();
      } catch (error) {
        log.error(failure, { error: messageOf(error) });
        dirty = true;
        await wait(retryMs, true);
      }
    }
  }
  function touch(): void {
    dirty = true;
    running ??= work().finally(() => {
      running = undefined;
      if (dirty && !signal.aborted) touch();
    });
  }
  return {
    touch,
    async flushed() {
      while (running) await running;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
