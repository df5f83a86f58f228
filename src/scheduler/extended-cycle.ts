/** The parts of a cycle that ask extenders: after the filters, after the scores, and before room is made. */
import type { CycleInput, Feasible } from './cycle/cycle.ts';
import type { Extender } from './extenders.ts';
import type { Candidate, Room } from './framework/plugin.ts';
import type { PodInfo } from './framework/pod-info.ts';

export interface Extended {
  readonly found: Feasible;
  /** Adds what the extenders prefer, by position in the list of feasible nodes. */
  addPreferences(totals: Float64Array): void;
}

/** @throws when an extender that may not be ignored fails. */
export async function askExtenders(
  { pod }: CycleInput,
  found: Feasible,
  asked: readonly Extender[],
  signal: AbortSignal,
): Promise<Extended> {
  let nodes = found.nodes;
  const rejections = [...found.diagnosis.rejections];
  for (const extender of asked) {
    const { rejected } = await extender.filter(pod, nodes, signal);
    for (const [row, rejection] of rejected) rejections[row] = rejection;
    nodes = nodes.filter(n => !rejected.has(n.row));
    if (nodes.length === 0) break;
  }
  const preferences = nodes.length > 1 ? await preferencesOf(pod, nodes, asked, signal) : [];
  return {
    found: { ...found, nodes, diagnosis: { ...found.diagnosis, rejections } },
    addPreferences(totals) {
      for (const [i, sum] of preferences.entries()) totals[i] = (totals[i] ?? 0) + sum;
    },
  };
}

async function preferencesOf(
  pod: PodInfo,
  nodes: Feasible['nodes'],
  asked: readonly Extender[],
  signal: AbortSignal,
): Promise<number[]> {
  const scores = await Promise.all(asked.map(extender => extender.prioritize(pod, nodes, signal)));
  return nodes.map(node => scores.reduce((sum, byNode) => sum + (byNode.get(node.name) ?? 0), 0));
}

/**
 * Each extender may drop nodes from the candidates or spare victims; the choice is made from what all of them leave.
 * @throws when an extender that may not be ignored fails.
 */
export async function askAboutVictims(
  pod: PodInfo,
  room: Room,
  extenders: readonly Extender[],
  signal: AbortSignal,
): Promise<Room | undefined> {
  const asked = extenders.filter(e => e.preempt && e.isInterested(pod));
  if (!room.among || asked.length === 0) return room;
  let left: readonly Candidate[] = room.among.candidates;
  for (const extender of asked) {
    left = (await extender.preempt?.(pod, left, signal)) ?? left;
    if (left.length === 0) break;
  }
  return room.among.choose(left);
}
