/** Counts of pods per node, and sums of them per topology domain, kept current while pods come and go. */
import type { Topology } from './topology.ts';

/** Which nodes take part in a sum. Built anew when nodes change. */
export interface Eligibility {
  readonly key: string;
  /** By row: 1 or 0. Current for `structure`. */
  rows(): Uint8Array;
}

/** What sums need to know of the snapshot. */
export interface Frame {
  readonly capacity: number;
  /** Changes when a node comes, goes, or changes labels or taints. */
  readonly structure: number;
  /** Rows that hold a node. */
  readonly order: Int32Array;
  topology(key: string): Topology;
}

export interface View {
  readonly topology: Topology;
  /** Pods per domain id. */
  readonly counts: Int32Array;
  /** Eligible nodes per domain id: domains with none do not exist for a rule. */
  readonly nodes: Int32Array;
  /** Pods in all domains. */
  readonly sum: number;
  /** Changes with the counts. */
  readonly version: number;
}

interface LiveView {
  topology: Topology;
  counts: Int32Array;
  nodes: Int32Array;
  sum: number;
  version: number;
  structure: number;
  eligibility: Eligibility | undefined;
  eligible: Uint8Array | undefined;
}

export interface Tally {
  readonly byRow: Int32Array;
  readonly total: number;
  add(row: number, delta: number): void;
  /** Sums per value of a node label, over the nodes that have it (and are eligible). Current when asked for; do not keep it over a change of nodes. */
  view(topologyKey: string, eligibility?: Eligibility): View;
}

export function createTally(frame: Frame): Tally {
  let byRow = new Int32Array(frame.capacity);
  let total = 0;
  const views = new Map<string, LiveView>();

  function rebuild(view: LiveView, topologyKey: string): void {
    const topology = frame.topology(topologyKey);
    view.topology = topology;
    view.counts = new Int32Array(topology.size);
    view.nodes = new Int32Array(topology.size);
    view.sum = 0;
    view.eligible = view.eligibility?.rows();
    view.structure = frame.structure;
    view.version++;
    for (const row of frame.order) {
      const domain = topology.domainOf[row] ?? -1;
      if (domain < 0 || view.eligible?.[row] === 0) continue;
      const count = byRow[row] ?? 0;
      view.counts[domain] = (view.counts[domain] ?? 0) + count;
      view.nodes[domain] = (view.nodes[domain] ?? 0) + 1;
      view.sum += count;
    }
  }
  return {
    get byRow() {
      return byRow;
    },
    get total() {
      return total;
    },
    add(row, delta) {
      if (row >= byRow.length) {
        const grown = new Int32Array(Math.max(frame.capacity, row + 1));
        grown.set(byRow);
        byRow = grown;
      }
      byRow[row] = (byRow[row] ?? 0) + delta;
      total += delta;
      for (const view of views.values()) {
        if (view.structure !== frame.structure) continue;
        const domain = view.topology.domainOf[row] ?? -1;
        if (domain < 0 || view.eligible?.[row] === 0) continue;
        view.counts[domain] = (view.counts[domain] ?? 0) + delta;
        view.sum += delta;
        view.version++;
      }
    },
    view(topologyKey, eligibility) {
      const key = eligibility ? `${topologyKey}\n${eligibility.key}` : topologyKey;
      let view = views.get(key);
      if (!view) {
        const empty = new Int32Array(0);
        view = {
          topology: frame.topology(topologyKey),
          counts: empty,
          nodes: empty,
          sum: 0,
          version: 0,
          structure: -1,
          eligibility,
          eligible: undefined,
        };
        views.set(key, view);
      }
      if (view.structure !== frame.structure) rebuild(view, topologyKey);
      return view;
    },
  };
}
