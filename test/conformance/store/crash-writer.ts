import { openSync, writeSync } from 'node:fs';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { openEmbeddedStore } from '../../../src/store/embedded/index.ts';
import { changesOf, randomOperation } from './linearizability.ts';

/**
 * A process to be killed: writes with 64 clients and watches, and writes to a file, line by line, what was acknowledged and what a watcher
 * was told. A line on standard output says that it has begun.
 */
const [directory = '', report = '', round = ''] = process.argv.slice(2);
const file = openSync(report, 'w');
const store = await openEmbeddedStore({
  directory,
  clock: systemClock,
  log: silentLogger,
  metrics: createMetrics(),
  // More than one round writes, so that kills also hit compactions, and the round itself can still be read.
  compaction: { maxRevisions: 15_000 },
});
const say = (line: unknown) => writeSync(file, `${JSON.stringify(line)}\n`);

let now = 0;
async function client(name: string): Promise<void> {
  const load = { store, prefix: '/crash/', client: name, chance: systemRandom.next, tick: () => ++now, keys: 50 };
  for (let n = 0; ; n++) say({ operation: await randomOperation(load, n) });
}
async function watch(): Promise<void> {
  const watching = store.watch({ start: '/crash/', end: '/crash0' });
  await watching.ready;
  process.stdout.write('begun\n');
  for await (const batch of watching) for (const change of changesOf(batch)) say({ told: change });
}
await Promise.all([watch(), ...Array.from({ length: 64 }, (_, i) => client(`${round}-${i}`))]);
