/** PreScore, Score and NormalizeScore: which of the nodes that fit is best. */
import type { Plugin } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import type { NodeInfo, Snapshot } from '../snapshot/snapshot.ts';
import type { Evaluation } from './evaluations.ts';
import type { Profile } from './profile.ts';

export interface PluginScores {
  readonly plugin: string;
  readonly weight: number;
  /** Normalised, before the weight; by position in the list of nodes. */
  readonly scores: Float64Array;
}

interface Scorer {
  readonly plugin: Plugin;
  readonly state: unknown;
  readonly weight: number;
  /** Position among the local score plugins, or -1. */
  readonly local: number;
}

/** The score plugins whose scores depend on one node only, in order. */
export const localScorers = (profile: Profile): number => profile.score.filter(s => s.plugin.signature).length;

function preScore(profile: Profile, snapshot: Snapshot, pod: PodInfo, nodes: readonly NodeInfo[]): Scorer[] {
  const states = new Map<Plugin, unknown>();
  const skipped = new Set<Plugin>();
  for (const plugin of profile.preScore) {
    const outcome = plugin.preScore?.(pod, snapshot, nodes);
    if (!outcome) continue;
    if ('skip' in outcome) skipped.add(plugin);
    else states.set(plugin, outcome.state);
  }
  const scorers: Scorer[] = [];
  let local = 0;
  for (const { plugin, weight } of profile.score) {
    const position = plugin.signature ? local++ : -1;
    if (!skipped.has(plugin)) scorers.push({ plugin, weight, state: states.get(plugin), local: position });
  }
  return scorers;
}

export interface Scored {
  /** By position in the list of nodes. */
  readonly totals: Float64Array;
  /** Each plugin's part; empty unless details were asked for. */
  readonly scores: readonly PluginScores[];
}

/** Scores of the nodes. Without `details` the totals hold until the next call with the same `known`. */
export function scoreNodes(
  profile: Profile,
  snapshot: Snapshot,
  pod: PodInfo,
  nodes: readonly NodeInfo[],
  known: Evaluation,
  details: boolean,
): Scored {
  const scorers = preScore(profile, snapshot, pod, nodes);
  refreshLocal(scorers, snapshot, pod, nodes, known);
  const count = nodes.length;
  const totals = details ? new Float64Array(count) : known.totals.subarray(0, count).fill(0);
  const parts: PluginScores[] = [];
  for (const { plugin, state, weight, local } of scorers) {
    const column = known.scores[local];
    const scores = details ? new Float64Array(count) : known.scratch.subarray(0, count);
    for (let i = 0; i < count; i++) {
      const node = nodes[i] as NodeInfo;
      scores[i] = column ? (column[node.row] ?? 0) : (plugin.score?.(state, node, pod, snapshot) ?? 0);
    }
    plugin.normalize?.(state, scores, nodes, pod, snapshot);
    for (let i = 0; i < count; i++) totals[i] = (totals[i] ?? 0) + weight * (scores[i] ?? 0);
    if (details) parts.push({ plugin: plugin.name, weight, scores });
  }
  return { totals, scores: parts };
}

/** Brings the kept scores of the nodes up to date. */
function refreshLocal(
  scorers: readonly Scorer[],
  snapshot: Snapshot,
  pod: PodInfo,
  nodes: readonly NodeInfo[],
  known: Evaluation,
): void {
  const { generation } = snapshot.columns;
  for (const node of nodes) {
    const { row } = node;
    if (known.scored[row] === generation[row]) continue;
    for (const { plugin, state, local } of scorers) {
      const column = known.scores[local];
      if (column) column[row] = plugin.score?.(state, node, pod, snapshot) ?? 0;
    }
    known.scored[row] = generation[row] ?? 0;
  }
}
