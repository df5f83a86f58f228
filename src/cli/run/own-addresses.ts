/** Whether this machine still has the addresses that others were told. */
import { networkInterfaces } from 'node:os';
import { type Clock, sleep } from '../../base/clock.ts';

const lookMs = 10_000;

function present(): string[] {
  return Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(each => each.address));
}

/** Resolves with one of the addresses that is gone at two looks in a row; undefined when the signal is aborted. */
export async function addressGone(
  own: readonly string[],
  clock: Clock,
  signal: AbortSignal,
  look: () => readonly string[] = present,
): Promise<string | undefined> {
  let missing: string | undefined;
  while (!signal.aborted) {
    const now = look();
    const gone = own.find(address => !now.includes(address));
    if (gone !== undefined && gone === missing) return gone;
    missing = gone;
    await sleep(clock, lookMs, signal).catch(() => {});
  }
  return undefined;
}
