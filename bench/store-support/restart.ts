/** Opens the store of a directory in a process of its own, and prints how long it took and what it holds in memory. */
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { openEmbeddedStore } from '../../src/store/embedded/index.ts';

const [directory = ''] = process.argv.slice(2);
function used(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
const before = used();
const start = performance.now();
const store = await openEmbeddedStore({ directory, clock: systemClock, log: silentLogger, metrics: createMetrics() });
const seconds = (performance.now() - start) / 1000;
await new Promise(resolve => setTimeout(resolve, 100));
const { count: keys } = await store.range({ start: '', end: '' }, { countOnly: true });
process.stdout.write(JSON.stringify({ seconds, keys, bytesPerKey: (used() - before) / keys }));
await store.close();
