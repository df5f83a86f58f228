import type { Invariant } from '../contract.ts';

export function defaultInvariants(): readonly Invariant[] {
  return [];
}
