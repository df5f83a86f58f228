/** What a seed means when nothing else is said. */
import type { SimulationOptions } from '../../src/testing/simulation/index.ts';

/** The embedded store takes longer: one seed in so many uses it. */
const embeddedEvery = 5;

export const storageOf = (seed: number): NonNullable<SimulationOptions['storage']> =>
  seed % embeddedEvery === 0 ? 'embedded' : 'memory';
