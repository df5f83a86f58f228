/**
 * What kind of day a run has. Always doing a little of everything seldom gets anywhere unusual, so each seed likes some actions and
 * leaves out others, has its own pace and its own luck ("swarm testing").
 */
import type { Action } from './contract.ts';
import type { FaultRates } from './faults.ts';
import { namedRandom } from './processes.ts';

export interface Character {
  readonly actions: readonly Action[];
  /** Mean virtual time between steps. */
  readonly stepMs: number;
  readonly faults: FaultRates;
}

const fondness = [0, 0.5, 1, 1, 2, 6];
const luck = [0, 0.3, 1, 1, 3];
const paces = [1_000, 2_000, 5_000, 5_000, 10_000];

/** Drawn from the seed, around what is given. */
export function characterOf(seed: number, given: Character): Character {
  const random = namedRandom(seed, 'character');
  const draw = (from: readonly number[]) => from[random.int(from.length)] ?? 1;
  const pace = draw(paces);
  const actions = given.actions.map(action => ({ ...action, weight: action.weight * draw(fondness) }));
  const rates = Object.entries(given.faults).map(([name, rate]: [string, number]) => [name, rate * draw(luck)]);
  return {
    // A day on which nothing is done shows nothing.
    actions: actions.some(({ weight }) => weight > 0) ? actions : given.actions,
    stepMs: (given.stepMs * pace) / 5_000,
    faults: Object.fromEntries(rates) as unknown as FaultRates,
  };
}
