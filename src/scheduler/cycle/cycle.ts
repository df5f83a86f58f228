/**
 * The scheduling cycle: a pure function of a snapshot, a pod, what was nominated, and chance. It changes nothing; what should happen is its
 * result (pkg/scheduler/schedule_one.go, schedulePod).
 */
import type { Random } from '../../base/random.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import type { Rejection } from '../framework/status.ts';
import type { NodeInfo, Snapshot } from '../snapshot/snapshot.ts';
import type { Evaluation, Evaluations } from './evaluations.ts';
import { judge, notAllowed, type Prepared, prepare, runAll } from './filter.ts';
import { feasibleNodesToFind, type Profile } from './profile.ts';
import { localScorers, type PluginScores, scoreNodes } from './score.ts';

export interface CycleInput {
  readonly profile: Profile;
  readonly snapshot: Snapshot;
  readonly pod: PodInfo;
  /** Where in the order of nodes to begin. */
  readonly start: number;
  /** Breaks ties. */
  readonly random: Random;
  /** What equal pods found out; only a memo. */
  readonly evaluations: Evaluations;
  /** Pods that wait for a node to become free, without the pod itself. */
  nominated(node: string): readonly PodInfo[];
  readonly hasNominations: boolean;
  /** Every node is wanted, for instance because an extender asks. */
  readonly allNodes?: boolean;
  /** The parts of the scores are wanted, and totals that last. */
  readonly details?: boolean;
}

export interface Diagnosis {
  readonly nodeCount: number;
  /** By row. */
  readonly rejections: readonly (Rejection | undefined)[];
  /** The pod was rejected before any node was looked at. */
  readonly preFilter?: Rejection;
}

/** Nodes that fit, before they are scored. */
export interface Feasible {
  readonly nodes: NodeInfo[];
  /** Nodes looked at: the next cycle begins so much further. */
  readonly evaluated: number;
  readonly diagnosis: Diagnosis;
  readonly prepared?: Prepared;
  readonly known?: Evaluation;
}

export interface Choice {
  readonly node: NodeInfo;
  /** Empty when there was one node only, or no details were asked for. */
  readonly scores: readonly PluginScores[];
  /** By position in the list of feasible nodes. Without details they hold until the next cycle. */
  readonly totals: Float64Array;
}

export function findFeasible(input: CycleInput): Feasible {
  const { profile, snapshot, pod } = input;
  const { order } = snapshot;
  const outcome = prepare(profile, snapshot, pod);
  if ('reject' in outcome) {
    const diagnosis = { nodeCount: order.length, rejections: [], preFilter: outcome.reject };
    return { nodes: [], evaluated: order.length, diagnosis };
  }
  const { prepared } = outcome;
  const known = input.evaluations.get(signatureOf(profile, prepared), snapshot.capacity, localScorers(profile));
  const rejected = new Array<Rejection | undefined>(snapshot.nodes.length);
  const diagnosis = { nodeCount: order.length, rejections: rejected };
  const own = nominatedFirst(input, prepared);
  if (own) return { nodes: [own], evaluated: 0, diagnosis, prepared, known };
  const found = prepared.allowed
    ? amongAllowed(input, prepared, known, rejected)
    : inOrder(input, prepared, known, rejected);
  return { ...found, diagnosis, prepared, known };
}

function signatureOf(profile: Profile, { pod, snapshot, filters, local }: Prepared): string {
  let key = `${profile.schedulerName}`;
  for (let i = 0; i < local; i++)
    key += `\u0001${filters[i]?.plugin.name}\u0001${filters[i]?.plugin.signature?.(pod, snapshot)}`;
  key += '\u0002';
  for (const { plugin } of profile.score) if (plugin.signature) key += `\u0001${plugin.signature(pod, snapshot)}`;
  return key;
}

/** A pod for which room was made goes there when it fits. */
function nominatedFirst(input: CycleInput, prepared: Prepared): NodeInfo | undefined {
  const name = input.pod.pod.status?.nominatedNodeName;
  if (!name) return undefined;
  const node = input.snapshot.node(name);
  if (!node || prepared.allowed?.has(name) === false) return undefined;
  return verdict(input, prepared, node, undefined) ? undefined : node;
}

function inOrder(
  input: CycleInput,
  prepared: Prepared,
  known: Evaluation,
  rejected: (Rejection | undefined)[],
): { nodes: NodeInfo[]; evaluated: number } {
  const { snapshot, profile, start } = input;
  const { order } = snapshot;
  const wanted = input.allNodes ? order.length : feasibleNodesToFind(profile.percentageOfNodesToScore, order.length);
  const nodes: NodeInfo[] = [];
  let evaluated = 0;
  for (; evaluated < order.length && nodes.length < wanted; evaluated++) {
    const row = order[(start + evaluated) % order.length] ?? 0;
    const node = snapshot.nodes[row];
    if (!node) continue;
    const rejection = verdict(input, prepared, node, known);
    if (rejection) rejected[row] = rejection;
    else nodes.push(node);
  }
  return { nodes, evaluated };
}

function amongAllowed(
  input: CycleInput,
  prepared: Prepared,
  known: Evaluation,
  rejected: (Rejection | undefined)[],
): { nodes: NodeInfo[]; evaluated: number } {
  const { snapshot } = input;
  const nodes: NodeInfo[] = [];
  const allowed = prepared.allowed ?? new Set<string>();
  for (const name of allowed) {
    const node = snapshot.node(name);
    if (!node) continue;
    const rejection = verdict(input, prepared, node, known);
    if (rejection) rejected[node.row] = rejection;
    else nodes.push(node);
  }
  if (nodes.length === 0) {
    const other = notAllowed(prepared.restrictedBy);
    for (const row of snapshot.order) if (!allowed.has(snapshot.nodes[row]?.name ?? '')) rejected[row] = other;
  }
  return { nodes, evaluated: allowed.size };
}

/**
 * Pods of at least this priority that wait for the node count as if they were there. The node must also do without them, since they may
 * never come.
 */
function verdict(
  input: CycleInput,
  prepared: Prepared,
  node: NodeInfo,
  known: Evaluation | undefined,
): Rejection | undefined {
  if (input.hasNominations) {
    const waiting = nominatedBefore(input, node.name);
    if (waiting.length > 0) {
      const rejection = input.snapshot.trial(node.row, trial => {
        for (const each of waiting) trial.add(each);
        return runAll(prepared, node);
      });
      if (rejection) return rejection;
    }
  }
  return known ? judge(prepared, node, known) : runAll(prepared, node);
}

/** Pods that have a claim on the node before this pod. */
export function nominatedBefore({ pod, nominated }: CycleInput, node: string): readonly PodInfo[] {
  const all = nominated(node);
  return all.length === 0 ? all : all.filter(p => p.priority >= pod.priority && p.uid !== pod.uid);
}

/** The best of the nodes; among equals each has the same chance. `extra` adds to the totals (extenders' priorities). */
export function choose(input: CycleInput, found: Feasible, extra?: (totals: Float64Array) => void): Choice | undefined {
  const { nodes, known } = found;
  const [first] = nodes;
  if (!first || !known) return undefined;
  if (nodes.length === 1) return { node: first, scores: [], totals: new Float64Array(1) };
  const { profile, snapshot, pod, details = false } = input;
  const { scores, totals } = scoreNodes(profile, snapshot, pod, nodes, known, details);
  extra?.(totals);
  return { node: nodes[pickBest(totals, input.random)] ?? first, scores, totals };
}

function pickBest(totals: Float64Array, random: Random): number {
  let best = -Infinity;
  let count = 0;
  for (const total of totals) {
    if (total > best) {
      best = total;
      count = 1;
    } else if (total === best) count++;
  }
  let nth = count > 1 ? random.int(count) : 0;
  for (let i = 0; i < totals.length; i++) if (totals[i] === best && nth-- === 0) return i;
  return 0;
}
