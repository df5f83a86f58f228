/** What a seed means when nothing else is said, and which ones are tried next. */
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import type { SimulationOptions } from '../../src/testing/simulation/index.ts';

/** The embedded store takes longer: one seed in so many uses it. */
const embeddedEvery = 5;

export const storageOf = (seed: number): NonNullable<SimulationOptions['storage']> =>
  seed % embeddedEvery === 0 ? 'embedded' : 'memory';

export interface NewSeeds {
  readonly first: number;
  /** Where `first` comes from, for who reads the log. */
  readonly from: string;
}

/** Seeds that depend on the sources alone: each state of them tries others, and whoever has the same sources tries the same. */
export function newSeeds(given: string | undefined, sources = sourcesHere()): NewSeeds {
  if (given !== undefined && given !== '') {
    if (!/^\d{1,9}$/.test(given)) throw new Error(`a seed is a number of at most nine digits, not "${given}"`);
    return { first: Number(given), from: 'as given' };
  }
  if (sources)
    return { first: Number.parseInt(sources.slice(0, 12), 16) % seeds, from: `sources ${sources.slice(0, 12)}` };
  return { first: randomInt(seeds), from: 'at random, for want of a checkout' };
}
const seeds = 1_000_000_000;

/** What git calls the committed sources by. Undefined without git, or outside a checkout. */
function sourcesHere(): string | undefined {
  try {
    const text = execFileSync('git', ['rev-parse', 'HEAD:src'], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /^[0-9a-f]{40,64}$/.exec(text.toString().trim())?.[0];
  } catch {
    return undefined;
  }
}
