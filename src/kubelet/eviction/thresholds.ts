/** When the node is short of something, and when that was so for long enough. Pure. Upstream: pkg/kubelet/eviction/helpers.go, api/types.go. */
import { unitsOf } from '../../api/quantity.ts';

export const signals = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;
export type Signal = (typeof signals)[number];

/** Absolute, or a share of the capacity. */
export interface Amount {
  quantity?: number;
  share?: number;
}
export interface Threshold extends Amount {
  signal: Signal;
  /** A soft threshold: pressure at once, evictions when it was so for this long. Milliseconds. */
  graceMs?: number;
  /** Once met, a threshold stays so until this much more than it asks for is free. */
  reclaim?: Amount;
}
export interface Observation {
  available: number;
  capacity: number;
}
export type Observations = Partial<Record<Signal, Observation>>;

/** Upstream's defaults. */
export const defaultThresholds: readonly Threshold[] = [
  { signal: 'memory.available', quantity: 100 * 2 ** 20 },
  { signal: 'nodefs.available', share: 0.1 },
  { signal: 'imagefs.available', share: 0.15 },
  { signal: 'nodefs.inodesFree', share: 0.05 },
  { signal: 'imagefs.inodesFree', share: 0.05 },
];

export const amountOf = ({ quantity, share }: Amount, capacity: number): number => quantity ?? (share ?? 0) * capacity;

export function isBelow(threshold: Threshold, seen: Observation | undefined, wasBelow = false): boolean {
  if (!seen || seen.capacity <= 0) return false;
  const margin = wasBelow && threshold.reclaim ? amountOf(threshold.reclaim, seen.capacity) : 0;
  return seen.available < amountOf(threshold, seen.capacity) + margin;
}

export interface EvictionFlags {
  /** As the kubelet's flags: `memory.available<100Mi`. Empty: upstream's defaults. */
  hard: readonly string[];
  /** Each needs a grace period. */
  soft: readonly string[];
  /** `memory.available=1m30s` */
  softGracePeriod: readonly string[];
  /** `memory.available=50Mi` */
  minimumReclaim: readonly string[];
}

/** Throws an Error that names the flag's mistake. */
export function parseThresholds(flags: EvictionFlags): readonly Threshold[] {
  const grace = pairs(flags.softGracePeriod, '=', milliseconds);
  const reclaim = pairs(flags.minimumReclaim, '=', amount);
  const more = (signal: Signal) => {
    const least = reclaim.get(signal);
    return least ? { reclaim: least } : {};
  };
  const hard = [...pairs(flags.hard, '<', amount)].map(([signal, a]): Threshold => ({ signal, ...a, ...more(signal) }));
  const soft = [...pairs(flags.soft, '<', amount)].map(([signal, a]): Threshold => {
    const graceMs = grace.get(signal);
    if (graceMs === undefined)
      throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`);
    return { signal, ...a, graceMs, ...more(signal) };
  });
  return [...(hard.length > 0 ? hard : defaultThresholds), ...soft];
}

function pairs<T>(texts: readonly string[], separator: string, parse: (text: string) => T): Map<Signal, T> {
  const found = new Map<Signal, T>();
  for (const text of texts) {
    const at = text.indexOf(separator);
    const name = text.slice(0, Math.max(0, at)).trim();
    const signal = signals.find(s => s === name);
    if (!signal) throw new Error(`invalid eviction threshold syntax ${text}, expected <signal>${separator}<value>`);
    found.set(signal, parse(text.slice(at + separator.length).trim()));
  }
  return found;
}
function amount(text: string): Amount {
  if (!text.endsWith('%')) return { quantity: unitsOf(text) };
  const share = Number(text.slice(0, -1)) / 100;
  if (!(share >= 0 && share <= 1)) throw new Error(`eviction percentage ${text} must be between 0% and 100%`);
  return { share };
}
/** A Go duration in whole hours, minutes and seconds. */
export function milliseconds(text: string): number {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (!match || !text) throw new Error(`invalid duration ${text}`);
  const [hours = 0, minutes = 0, seconds = 0] = match.slice(1).map(n => Number(n ?? 0));
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

export interface Pressure {
  memory: boolean;
  disk: boolean;
  pid: boolean;
}
const conditionOf: Record<Signal, keyof Pressure> = {
  'memory.available': 'memory',
  'nodefs.available': 'disk',
  'nodefs.inodesFree': 'disk',
  'imagefs.available': 'disk',
  'imagefs.inodesFree': 'disk',
  'pid.available': 'pid',
};

export interface Verdict {
  pressure: Pressure;
  /** Thresholds to act on now, memory first. */
  due: readonly Threshold[];
}

/** Remembers since when each threshold is met and when each condition was last true. Times are monotonic milliseconds. */
export function createJudge(thresholds: readonly Threshold[], transitionMs: number) {
  const since = new Map<Threshold, number>();
  const lastTrue = new Map<keyof Pressure, number>();
  return (seen: Observations, now: number): Verdict => {
    const met = thresholds.filter(t => isBelow(t, seen[t.signal], since.has(t)));
    for (const t of since.keys()) if (!met.includes(t)) since.delete(t);
    for (const t of met) {
      if (!since.has(t)) since.set(t, now);
      lastTrue.set(conditionOf[t.signal], now);
    }
    const recent = (name: keyof Pressure) => {
      const at = lastTrue.get(name);
      return at !== undefined && (now === at || now - at < transitionMs);
    };
    const pressure = { memory: recent('memory'), disk: recent('disk'), pid: recent('pid') };
    const due = met.filter(t => now - (since.get(t) ?? now) >= (t.graceMs ?? 0));
    const order = (t: Threshold) => (t.signal === 'memory.available' ? 0 : 1);
    return { pressure, due: due.sort((a, b) => order(a) - order(b)) };
  };
}
