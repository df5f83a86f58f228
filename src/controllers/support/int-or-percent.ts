import type { IntOrString } from '../../api/types/scalars.ts';

/** "25%" of a total, rounded as asked, or the plain number. Undefined for what is neither. */
export function scaled(value: IntOrString | undefined, total: number, roundUp: boolean): number | undefined {
  if (typeof value === 'number') return value;
  const match = /^(-?\d+)%$/.exec(value ?? '');
  if (!match) return undefined;
  // Integer arithmetic: 0.07 * 100 is not 7 in floating point.
  const parts = Number(match[1]) * total;
  return roundUp ? Math.ceil(parts / 100) : Math.floor(parts / 100);
}
