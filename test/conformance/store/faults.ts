import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../../../src/base/random.ts';
import { prefixRange, type Store } from '../../../src/store/contract.ts';
import {
  type Change,
  changesOf,
  type Recorded,
  randomOperation,
  readHistory,
  violations,
  watchViolations,
} from './linearizability.ts';

export interface FaultReport {
  readonly wrong: readonly string[];
  readonly operations: number;
  /** Operations that ended after the fault was over. */
  readonly afterwards: number;
  readonly told: number;
}

const prefix = '/fault/';
const operationsAfter = 200;

/** Lets many clients of several stores write and watch while `fault` happens, and checks what they were told. */
export async function underFault(stores: readonly Store[], fault: () => Promise<void>): Promise<FaultReport> {
  const random = seededRandom(11);
  const recorded: Recorded[] = [];
  let now = 0;
  let over = Number.POSITIVE_INFINITY;
  let afterwards = 0;
  const first = (await (stores[0] as Store).revision()) + 1;
  const watchers = stores.map(store => follow(store, first));
  const clients = stores.flatMap((store, s) =>
    Array.from({ length: 6 }, async (_, c) => {
      const load = { store, prefix, client: `${s}-${c}`, chance: random.next, tick: () => ++now, keys: 8 };
      for (let n = 0; afterwards < operationsAfter; n++) {
        const done = await randomOperation(load, n);
        if (!done) await delay(20);
        else if (recorded.push(done) && done.began > over) afterwards += 1;
      }
    }),
  );
  await delay(300);
  await fault();
  over = now;
  await Promise.all(clients);
  const history = await readHistory(stores[0] as Store, prefix, first);
  const last = history.at(-1)?.revision ?? 0;
  const told = await Promise.all(watchers.map(watcher => watcher.until(last)));
  const wrong = [...violations(recorded, history), ...told.flatMap(changes => watchViolations(changes, history))];
  for (const changes of told)
    if (changes.length !== history.length) wrong.push('a watcher did not see the whole history');
  return { wrong, operations: recorded.length, afterwards, told: told.flat().length };
}

/** Watches from `from` on, collecting. */
function follow(store: Store, from: number): { until(revision: number): Promise<Change[]> } {
  const told: Change[] = [];
  const watch = store.watch(prefixRange(prefix), { fromRevision: from });
  let wanted = Number.POSITIVE_INFINITY;
  const reading = (async () => {
    for await (const batch of watch) {
      told.push(...changesOf(batch));
      if (batch.revision >= wanted) return;
    }
  })();
  return {
    async until(revision) {
      wanted = revision;
      if ((told.at(-1)?.revision ?? 0) < revision) await reading;
      watch.cancel();
      await reading;
      return told;
    },
  };
}
