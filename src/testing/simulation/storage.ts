/** What the API server keeps its state in: it outlives the server. */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { type Store, StoreError } from '../../store/contract.ts';
import { createMemoryStore } from '../../store/memory/index.ts';
import type { FaultRates } from './faults.ts';

/** Few, so that histories are compacted within a run. */
export const keptRevisions = 2_000;

export interface Storage {
  /** For a server that starts. Rejects when the disk refuses; then it may be tried again. */
  open(): Promise<Store>;
  /** The server, and with it what it holds of the store, ends in the middle of whatever it does. */
  crash(): Promise<void>;
  /** Asked before each write: the error with which the disk refuses it. */
  refusal?(): StoreError | undefined;
  /** For good. */
  close(): Promise<void>;
}

export interface StorageOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly rates: () => FaultRates;
  readonly isFull: () => boolean;
}

/** Forgets nothing when its server crashes, as a database of its own would. */
export function memoryStorage({ clock, random, rates, isFull }: StorageOptions): Storage {
  const store = createMemoryStore({ clock, compaction: { revisions: keptRevisions } });
  return {
    open: async () => store,
    crash: async () => undefined,
    refusal() {
      if (isFull()) return new StoreError('no-space', 'simulated: no space left on device');
      const fails = rates().diskError > 0 && random.next() < rates().diskError;
      return fails ? new StoreError('io', 'simulated: disk I/O error') : undefined;
    },
    close: () => store.close(),
  };
}
