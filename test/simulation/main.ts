/**
 * `npm run simulate -- --seed S [--steps N | --only 3,7] [--without fault,…] [--nodes N] [--store memory|embedded] [--verbose]` replays one
 * run and tells its story.
 * `npm run simulate -- --minutes M [--seed S]` hunts with new seeds; for a failing one it prints the shortest history and how to replay it.
 */
import { parseArgs } from 'node:util';
import type { FaultRates, SimulationOptions, SimulationReport } from '../../src/testing/simulation/index.ts';
import { defaultFaults, replayArguments, shrink, simulate } from '../../src/testing/simulation/index.ts';
import { storageOf } from './seeds.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    steps: { type: 'string', default: '60' },
    only: { type: 'string' },
    nodes: { type: 'string' },
    store: { type: 'string' },
    without: { type: 'string', default: '' },
    minutes: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});

function optionsFor(seed: number): SimulationOptions {
  const without = values.without.split(',').filter(name => name !== '');
  const unknown = without.find(name => !(name in defaultFaults));
  if (unknown) throw new Error(`--without ${unknown}: known are ${Object.keys(defaultFaults).join(', ')}`);
  const faults = Object.fromEntries(without.map(name => [name, 0])) as Partial<FaultRates>;
  const storage = values.store ?? storageOf(seed);
  if (storage !== 'memory' && storage !== 'embedded') throw new Error('--store takes memory or embedded');
  return {
    seed,
    steps: Number(values.steps),
    storage,
    faults,
    ...(values.only !== undefined && { only: values.only === 'none' ? [] : values.only.split(',').map(Number) }),
    ...(values.nodes !== undefined && { nodes: Number(values.nodes) }),
  };
}

const print = (line: string) => void process.stdout.write(`${line}\n`);

function summary({ fingerprint, elapsedMs, revision, requests }: SimulationReport, realMs: number): void {
  const rate = elapsedMs / 3_600_000 / (realMs / 60_000);
  print(
    `history ${fingerprint}: ${revision} revisions, ${requests} requests, ${(elapsedMs / 60_000).toFixed(1)} simulated minutes`,
  );
  print(`${rate.toFixed(1)} simulated cluster-hours per real minute`);
}

async function replay(seed: number): Promise<number> {
  const began = performance.now();
  const report = await simulate({ ...optionsFor(seed), onLine: print, verbose: values.verbose });
  summary(report, performance.now() - began);
  return report.findings.length;
}

async function hunt(first: number, minutes: number): Promise<number> {
  const began = performance.now();
  const left = () => minutes * 60_000 - (performance.now() - began);
  let elapsedMs = 0;
  let seed = first;
  for (; left() > 0; seed++) {
    const report = await simulate(optionsFor(seed));
    elapsedMs += report.elapsedMs;
    if (report.findings.length > 0) return await explain(optionsFor(seed), report, left);
  }
  const rate = elapsedMs / 3_600_000 / ((performance.now() - began) / 60_000);
  print(`${seed - first} seeds from ${first} on are fine: ${rate.toFixed(1)} simulated cluster-hours per real minute`);
  return 0;
}

async function explain(options: SimulationOptions, report: SimulationReport, left: () => number): Promise<number> {
  print(`seed ${options.seed} fails; replay with: npm run simulate -- ${replayArguments(options)}`);
  for (const { invariant, message } of report.findings) print(`  ${invariant}: ${message}`);
  const shrunk = await shrink(options, report, { goOn: () => left() > -120_000 });
  print(`shortest history, after ${shrunk.runs} runs:`);
  for (const line of shrunk.report.story) print(line);
  print(`replay with: npm run simulate -- ${replayArguments(shrunk.options)}`);
  return report.findings.length;
}

const seed = values.seed === undefined ? undefined : Number(values.seed);
const found =
  values.minutes === undefined
    ? await replay(seed ?? 1)
    : await hunt(seed ?? Math.floor(Date.now() / 1000) % 1_000_000_000, Number(values.minutes));
process.exitCode = found > 0 ? 1 : 0;
