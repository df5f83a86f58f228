/**
 * The scheduler, in rows shaped like upstream's scheduler_perf: the cycle alone at 5,000 nodes, and bound pods per second through an API server
 * in a process of its own.
 */
import { systemClock } from '../src/base/clock.ts';
import { silentLogger } from '../src/base/log.ts';
import { seededRandom } from '../src/base/random.ts';
import { createCache } from '../src/scheduler/cache.ts';
import { buildProfiles } from '../src/scheduler/config/profiles.ts';
import { type CycleInput, choose, findFeasible } from '../src/scheduler/cycle/cycle.ts';
import { createEvaluations } from '../src/scheduler/cycle/evaluations.ts';
import { runPostFilters } from '../src/scheduler/cycle/post-filter.ts';
import type { PluginHandle } from '../src/scheduler/framework/plugin.ts';
import { podInfoOf } from '../src/scheduler/framework/pod-info.ts';
import { builtInPlugins } from '../src/scheduler/plugins/index.ts';
import { createNominations } from '../src/scheduler/queue/nominations.ts';
import { lookupOver } from '../src/scheduler/snapshot/lookup.ts';
import type { BenchResult } from './result.ts';
import { basic, node, nodeCount, type Row, rows } from './scheduler-support/rows.ts';
import { throughApi } from './scheduler-support/through-api.ts';

function measure(row: Row): BenchResult {
  const random = seededRandom(1);
  const lookup = lookupOver(row.lookup);
  const handle = { clock: systemClock, random, log: silentLogger, lookup } as unknown as PluginHandle;
  const profile = buildProfiles({}, builtInPlugins, handle).get('default-scheduler');
  if (!profile) throw new Error('no profile');
  const cache = createCache(lookup);
  for (let i = 0; i < nodeCount; i++) cache.setNode(node(i));
  for (let i = 0; i < (row.beforeCount ?? 0); i++)
    cache.assume(podInfoOf(row.before?.(i) ?? basic(i)), `node-${i % nodeCount}`);
  cache.snapshot();
  const pods = Array.from({ length: row.count }, (_, i) => row.pods(i));
  const evaluations = createEvaluations();
  const nominations = createNominations();
  let start = 0;
  let placed = 0;
  const began = performance.now();
  for (const each of pods) {
    const info = podInfoOf(each);
    const snapshot = cache.snapshot();
    const input: CycleInput = {
      profile,
      snapshot,
      pod: info,
      start,
      random,
      evaluations,
      nominated: nominations.on,
      hasNominations: nominations.size > 0,
    };
    const found = findFeasible(input);
    start = (start + found.evaluated) % nodeCount;
    const choice = choose(input, found);
    if (choice) {
      cache.assume(info, choice.node.name);
      placed++;
      continue;
    }
    const { room } = runPostFilters(input, found);
    if (room) {
      placed++;
      for (const victim of room.evict.victims) cache.removePod(victim.key);
      cache.assume(info, room.node);
    }
  }
  const seconds = (performance.now() - began) / 1000;
  if (!row.attempts && placed !== row.count) throw new Error(`${row.name}: only ${placed} of ${row.count} were placed`);
  const value = row.count / seconds;
  return {
    name: `cycle, ${nodeCount} nodes: ${row.name}`,
    value,
    unit: row.attempts ? 'attempts/s' : 'pods/s',
    ...(row.target !== undefined && { target: `≥ ${row.target}`, met: value >= row.target }),
  };
}

export async function run(): Promise<BenchResult[]> {
  const only = process.env['TSUKUBE_BENCH_ROW'];
  const wanted = (name: string) => !only || name.startsWith(only);
  const results = rows.filter(row => wanted(row.name)).map(measure);
  if (wanted('through the API server')) results.push(...(await throughApi()));
  return results;
}
