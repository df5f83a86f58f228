/**
 * Verdicts and scores that depend on one node only, kept until that node changes and shared by equal pods. This is a memo: with or without it
 * the cycle's result is the same.
 */
import type { Rejection } from '../framework/status.ts';

export interface Evaluation {
  /** By row: the node's generation when it was judged. */
  readonly generation: Float64Array;
  readonly rejection: (Rejection | undefined)[];
  /** By local score plugin, by row. */
  readonly scores: readonly Float64Array[];
  /** By row: the node's generation when it was scored. */
  readonly scored: Float64Array;
  /** Room for sums, so that a cycle makes no garbage. */
  readonly totals: Float64Array;
  readonly scratch: Float64Array;
}

export interface Evaluations {
  get(key: string, capacity: number, scorers: number): Evaluation;
}

/** Beyond this the one that was not asked for longest is dropped: 64 of 5,000 nodes take some 20 MB. */
const limit = 64;

export function createEvaluations(): Evaluations {
  const byKey = new Map<string, Evaluation>();
  let totals = new Float64Array(0);
  let scratch = new Float64Array(0);
  return {
    get(key, capacity, scorers) {
      const known = byKey.get(key);
      if (known && known.generation.length >= capacity) {
        byKey.delete(key);
        byKey.set(key, known);
        return known;
      }
      const oldest = !known && byKey.size >= limit ? byKey.entries().next().value : undefined;
      if (oldest) {
        byKey.delete(oldest[0]);
        const reused = oldest[1];
        if (reused.generation.length >= capacity && reused.scores.length === scorers) {
          reused.generation.fill(0);
          reused.scored.fill(0);
          byKey.set(key, reused);
          return reused;
        }
      }
      if (totals.length < capacity) {
        totals = new Float64Array(capacity);
        scratch = new Float64Array(capacity);
      }
      const made: Evaluation = {
        generation: new Float64Array(capacity),
        rejection: new Array<Rejection | undefined>(capacity).fill(undefined),
        scores: Array.from({ length: scorers }, () => new Float64Array(capacity)),
        scored: new Float64Array(capacity),
        totals,
        scratch,
      };
      byKey.set(key, made);
      return made;
    },
  };
}
