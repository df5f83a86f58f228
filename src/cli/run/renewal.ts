/** Certificates of processes that run for longer than their certificates. */
import type { Clock } from '../../base/clock.ts';
import type { CredentialSource } from '../../client/node/credentials.ts';
import type { Environment } from '../../controller/contract.ts';
import type { Credentials } from '../../pki/index.ts';

const renewEveryMs = 12 * 3_600_000;

/** Runs `work`, which looks after certificates, twice a day; a failure is logged. */
export function renewRegularly(
  { clock, log }: Pick<Environment, 'clock' | 'log'>,
  work: () => void,
): { cancel(): void } {
  let timer = clock.setTimer(run, renewEveryMs, { background: true });
  function run(): void {
    try {
      work();
    } catch (error) {
      log.error('Certificates could not be renewed', { error });
    }
    timer = clock.setTimer(run, renewEveryMs, { background: true });
  }
  return { cancel: () => timer.cancel() };
}

/** A client certificate that is asked for anew, at most twice a day, when a connection is made. */
export function renewedCredentials(clock: Clock, issue: () => Credentials): CredentialSource {
  let current = issue();
  let at = clock.now();
  return {
    async get() {
      if (clock.now() - at >= renewEveryMs) {
        current = issue();
        at = clock.now();
      }
      return { cert: current.certificate, key: current.key };
    },
    refused: () => false,
  };
}
