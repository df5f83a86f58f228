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
  /** Terms that some pod holds. */
  held(kind: TermKind): readonly HeldTerm[];
  /** Changes when a term is held for the first time. */
  readonly version: number;
  /** Forgets terms that nobody holds. Between cycles only. */
  sweep(): void;
}

export function createTermIndex(frame: Frame): TermIndex {
  let version = 0;
  /** Entries without pods stay until this many: a trial that takes a pod away and puts it back must find its entry again. */
  const maxEmpty = 1000;
  let empty = 0;
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
            version++;
            empty++;
          }
          if (entry.tally.total === 0) empty--;
          entry.tally.add(row, delta);
          if (entry.tally.total === 0) empty++;
        }
      }
    },
    held(kind) {
      const out: HeldTerm[] = [];
      for (const entry of byKind.get(kind)?.values() ?? []) if (entry.tally.total > 0) out.push(entry);
      return out;
    },
    get version() {
      return version;
    },
    sweep() {
      if (empty < maxEmpty) return;
      for (const entries of byKind.values())
        for (const [key, entry] of entries) if (entry.tally.total === 0) entries.delete(key);
      empty = 0;
    },
  };
}
