/** Affinity terms of the pods on nodes: equal terms are one entry with the number of pods that hold it, per node. */
import type { PodInfo } from '../framework/pod-info.ts';
import type { AffinityTerm, AffinityTerms } from '../framework/terms.ts';
import { createTally, type Frame, type Tally } from './tally.ts';

export interface HeldTerm {
  readonly term: AffinityTerm;
  /** Pods that hold the term. */
  readonly tally: Tally;
}

export type TermKind = keyof AffinityTerms;
const kinds: readonly TermKind[] = [
  'requiredAffinity',
  'requiredAntiAffinity',
  'preferredAffinity',
  'preferredAntiAffinity',
];

export interface TermIndex {
  add(row: number, pod: PodInfo, delta: 1 | -1): void;
  held(kind: TermKind): Iterable<HeldTerm>;
}

export function createTermIndex(frame: Frame): TermIndex {
  const byKind = new Map<TermKind, Map<string, HeldTerm>>(kinds.map(kind => [kind, new Map()]));
  return {
    add(row, pod, delta) {
      for (const kind of kinds) {
        const terms = pod.terms[kind];
        if (terms.length === 0) continue;
        const entries = byKind.get(kind);
        for (const term of terms) {
          let entry = entries?.get(term.key);
          if (!entry) {
            entry = { term, tally: createTally(frame) };
            entries?.set(term.key, entry);
          }
          entry.tally.add(row, delta);
          if (entry.tally.total === 0) entries?.delete(term.key);
        }
      }
    },
    held: kind => byKind.get(kind)?.values() ?? [],
  };
}
