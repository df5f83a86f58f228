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

/** Every plugin's scores of the nodes. */
export function scoreNodes(
  profile: Profile,
  snapshot: Snapshot,
  pod: PodInfo,
  nodes: readonly NodeInfo[],
  known: Evaluation,
): PluginScores[] {
  const scorers = preScore(profile, snapshot, pod, nodes);
  refreshLocal(scorers, snapshot, pod, nodes, known);
  return scorers.map(({ plugin, state, weight, local }) => {
    const scores = new Float64Array(nodes.length);
    const column = local < 0 ? undefined : known.scores[local];
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i] as NodeInfo;
      scores[i] = column ? (column[node.row] ?? 0) : (plugin.score?.(state, node, pod, snapshot) ?? 0);
    }
    plugin.normalize?.(state, scores, nodes, pod, snapshot);
    return { plugin: plugin.name, weight, scores };
  });
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

export function totalScores(scores: readonly PluginScores[], count: number): Float64Array {
  const totals = new Float64Array(count);
  for (const { weight, scores: each } of scores)
    for (let i = 0; i < count; i++) totals[i] = (totals[i] ?? 0) + weight * (each[i] ?? 0);
  return totals;
}
