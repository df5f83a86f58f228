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
}

export interface Evaluations {
  get(key: string, capacity: number, scorers: number): Evaluation;
}

const limit = 64;

export function createEvaluations(): Evaluations {
  const byKey = new Map<string, Evaluation>();
  return {
    get(key, capacity, scorers) {
      const known = byKey.get(key);
      if (known && known.generation.length >= capacity) {
        byKey.delete(key);
        byKey.set(key, known);
        return known;
      }
      if (!known && byKey.size >= limit) byKey.delete(byKey.keys().next().value as string);
      const made: Evaluation = {
        generation: new Float64Array(capacity),
        rejection: new Array<Rejection | undefined>(capacity).fill(undefined),
        scores: Array.from({ length: scorers }, () => new Float64Array(capacity)),
        scored: new Float64Array(capacity),
      };
      byKey.set(key, made);
      return made;
    },
  };
}
