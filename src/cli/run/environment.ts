/** The host's clock, chance and logging, as every component started from the command line uses them. */
import { systemClock } from '../../base/clock.ts';
import { type LogLevel, lineLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { systemRandom } from '../../base/random.ts';
import type { Environment } from '../../controller/contract.ts';
import { tellOfProcess } from './process-metrics.ts';

export function hostEnvironment(component: string, level: LogLevel = 'info'): Environment {
  const log = lineLogger(systemClock, line => process.stderr.write(line), level, { component });
  const metrics = createMetrics();
  tellOfProcess(metrics);
  return { clock: systemClock, random: systemRandom, log, metrics };
}

/** Somebody asked this process to stop, or the supervisor that started it is gone. */
export type StopReason = 'SIGTERM' | 'SIGINT' | 'orphaned';

const abandon = () => process.exit(1);

/**
 * Ends this process at once should the supervisor that started it go before the start is done, which may wait for a server that went, too.
 * Called first; `stopSignal` takes over from it.
 */
export function startWithParent(): void {
  if (process.connected === false) abandon();
  process.once('disconnect', abandon);
}

/** Resolves at SIGTERM or SIGINT, and with `withParent` when the supervisor is gone. A second signal ends the process at once. */
export function stopSignal(options: { withParent?: boolean } = {}): Promise<StopReason> {
  return new Promise(resolve => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve(signal);
      });
    if (!options.withParent) return;
    process.removeListener('disconnect', abandon);
    process.once('disconnect', () => resolve('orphaned'));
    // Listening keeps the channel, and with it this process, alive.
    process.channel?.unref();
  });
}
