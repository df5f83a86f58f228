/** How many seats each priority level has now: what one does not need is lent to others (apf_controller.go and conc_alloc.go). */

export interface LevelBounds {
  readonly nominal: number;
  /** What is left when everything lendable is lent. */
  readonly min: number;
  /** With all that may be borrowed. */
  readonly max: number;
}

/** What a level asked for since the last time. */
export interface Demand {
  readonly highest: number;
  /** A slow average that rises at once: it says what a level can be expected to ask for. */
  readonly smoothed: number;
}

interface Claim {
  readonly target: number;
  readonly lower: number;
  readonly upper: number;
}

const smallestTarget = 0.001;
const halvings = 60;
const clamp = (value: number, { lower, upper }: Claim) => Math.max(lower, Math.min(upper, value));

/**
 * Shares of `sum` in proportion to the targets, each within its bounds. When the bounds do not allow the sum, the bounds: the lower ones
 * when they are too high, the upper ones when they are too low.
 */
export function allocate(sum: number, claims: readonly Claim[]): number[] {
  const at = (proportion: number) => claims.map(c => clamp(proportion * Math.max(c.target, smallestTarget), c));
  const total = (shares: readonly number[]) => shares.reduce((a, b) => a + b, 0);
  let low = 0;
  let high = Math.max(0, ...claims.map(c => c.upper / Math.max(c.target, smallestTarget)));
  for (let i = 0; i < halvings; i++) {
    const middle = (low + high) / 2;
    if (total(at(middle)) < sum) low = middle;
    else high = middle;
  }
  return at(high);
}

export interface LevelState {
  readonly bounds: LevelBounds;
  readonly exempt: boolean;
  readonly demand: Demand;
}

/** The new limits, in the order of the levels. Exempt levels take what they need first. */
export function currentLimits(levels: readonly LevelState[]): number[] {
  const least = ({ bounds, exempt, demand }: LevelState) =>
    exempt ? Math.max(bounds.min, demand.highest) : Math.max(bounds.min, Math.min(bounds.nominal, demand.highest));
  const sumOf = (list: readonly LevelState[], of: (level: LevelState) => number) =>
    list.reduce((sum, level) => sum + of(level), 0);
  const total = sumOf(levels, level => level.bounds.nominal);
  const limited = levels.filter(level => !level.exempt);
  const left =
    total -
    sumOf(
      levels.filter(level => level.exempt),
      least,
    );
  const minimum = sumOf(limited, level => level.bounds.min);
  const wanted = sumOf(limited, least);
  const shares =
    left > wanted
      ? allocate(
          total,
          limited.map(level => ({
            lower: least(level),
            upper: level.bounds.max,
            target: Math.max(least(level), level.demand.smoothed),
          })),
        )
      : limited.map(level => {
          const fraction = left > minimum ? (left - minimum) / (wanted - minimum) : 0;
          return level.bounds.min + (least(level) - level.bounds.min) * fraction;
        });
  const limits = new Map(limited.map((level, i) => [level, Math.round(shares[i] ?? 0)]));
  return levels.map(level => limits.get(level) ?? least(level));
}

/** Follows how many seats a level asks for. */
export interface DemandMeter {
  set(seats: number): void;
  /** The demand since the last call. */
  read(): Demand;
}

const smoothing = 0.977;

export function createDemandMeter(now: () => number): DemandMeter {
  let seats = 0;
  let since = now();
  let start = since;
  let highest = 0;
  let area = 0;
  let squares = 0;
  let smoothed = 0;
  const integrate = () => {
    const time = now();
    area += seats * (time - since);
    squares += seats * seats * (time - since);
    since = time;
  };
  return {
    set(next) {
      if (next === seats) return;
      integrate();
      seats = next;
      if (seats > highest) highest = seats;
    },
    read() {
      integrate();
      const elapsed = since - start;
      const average = elapsed > 0 ? area / elapsed : seats;
      const variance = elapsed > 0 ? Math.max(0, squares / elapsed - average * average) : 0;
      const envelope = average + Math.sqrt(variance);
      smoothed = Math.max(envelope, smoothing * smoothed + (1 - smoothing) * envelope);
      const demand = { highest, smoothed };
      [start, area, squares, highest] = [since, 0, 0, seats];
      return demand;
    },
  };
}
