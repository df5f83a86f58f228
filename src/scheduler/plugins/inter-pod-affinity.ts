import type { Pod } from '../../api/types/core-v1.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { type Rejection, rejections } from '../framework/status.ts';
import { type AffinityTerm, affinityTermsOf, termMatches } from '../framework/terms.ts';
import type { GroupFacts } from '../snapshot/groups.ts';
import type { NodeInfo, Snapshot } from '../snapshot/snapshot.ts';
import type { View } from '../snapshot/tally.ts';
import type { TermKind } from '../snapshot/term-index.ts';
import { maxNodeScore } from './normalize.ts';

const name = 'InterPodAffinity';
const reject = rejections(name);

const existing = reject('Unschedulable', "node(s) didn't satisfy existing pods anti-affinity rules");
const antiAffinity = reject('Unschedulable', "node(s) didn't match pod anti-affinity rules");
const affinity = reject('UnschedulableAndUnresolvable', "node(s) didn't match pod affinity rules");

interface FilterState {
  /** Per anti-affinity term of pods on nodes that is about this pod. */
  existing: readonly View[];
  termVersion: number;
  readonly anti: readonly View[];
  /** Pods that satisfy all terms at once, per term's topology. */
  readonly affinity: readonly View[];
  /** The pod satisfies its own terms: the first of a group may go anywhere. */
  readonly selfMatches: boolean;
}

interface Weighted {
  readonly view: View;
  readonly weight: number;
}

const namespaceLabels = (snapshot: Snapshot) => (namespace: string) =>
  snapshot.lookup.of('v1/namespaces').get(namespace)?.metadata.labels;

/** Terms that pods on nodes hold and that are about the pod. */
function heldAbout(kind: TermKind, pod: PodInfo, snapshot: Snapshot): { term: AffinityTerm; view: View }[] {
  const labelsOf = namespaceLabels(snapshot);
  return snapshot.terms
    .held(kind)
    .filter(({ term }) => termMatches(term, pod, labelsOf))
    .map(({ term, tally }) => ({ term, view: tally.view(term.topologyKey) }));
}

function countMatching(terms: readonly AffinityTerm[], snapshot: Snapshot) {
  const labelsOf = namespaceLabels(snapshot);
  const key = `affinity ${terms.map(t => t.key).join(' ')}`;
  return snapshot.groups.count(key, (group: GroupFacts) => terms.every(t => termMatches(t, group, labelsOf)));
}

function prepare(pod: PodInfo, snapshot: Snapshot): FilterState {
  const { requiredAffinity, requiredAntiAffinity } = pod.terms;
  const labelsOf = namespaceLabels(snapshot);
  const all = requiredAffinity.length > 0 ? countMatching(requiredAffinity, snapshot) : undefined;
  return {
    existing: heldAbout('requiredAntiAffinity', pod, snapshot).map(h => h.view),
    termVersion: snapshot.terms.version,
    anti: requiredAntiAffinity.map(term => countMatching([term], snapshot).view(term.topologyKey)),
    affinity: all ? requiredAffinity.map(term => all.view(term.topologyKey)) : [],
    selfMatches: requiredAffinity.every(term => termMatches(term, pod, labelsOf)),
  };
}

const holds = (view: View, row: number): boolean => {
  const domain = view.topology.domainOf[row] ?? -1;
  return domain >= 0 && (view.counts[domain] ?? 0) > 0;
};

function satisfiesAffinity(state: FilterState, row: number): boolean {
  if (state.affinity.length === 0) return true;
  let satisfied = true;
  for (const view of state.affinity) {
    if ((view.topology.domainOf[row] ?? -1) < 0) return false;
    if (satisfied && !holds(view, row)) satisfied = false;
  }
  return satisfied || (state.selfMatches && state.affinity.every(view => view.sum === 0));
}

function verdict(state: FilterState, node: NodeInfo, pod: PodInfo, snapshot: Snapshot): Rejection | undefined {
  const { row } = node;
  if (!satisfiesAffinity(state, row)) return affinity;
  for (const view of state.anti) if (holds(view, row)) return antiAffinity;
  if (state.termVersion !== snapshot.terms.version) {
    state.existing = heldAbout('requiredAntiAffinity', pod, snapshot).map(h => h.view);
    state.termVersion = snapshot.terms.version;
  }
  for (const view of state.existing) if (holds(view, row)) return existing;
  return undefined;
}

interface Args {
  hardPodAffinityWeight?: number;
  ignorePreferredTermsOfExistingPods?: boolean;
}

function preferences(pod: PodInfo, snapshot: Snapshot, hardWeight: number, ignoreExisting: boolean): Weighted[] {
  const out: Weighted[] = [];
  const own = (terms: readonly AffinityTerm[], sign: 1 | -1) => {
    for (const term of terms)
      out.push({ view: countMatching([term], snapshot).view(term.topologyKey), weight: sign * term.weight });
  };
  own(pod.terms.preferredAffinity, 1);
  own(pod.terms.preferredAntiAffinity, -1);
  if (hardWeight > 0)
    for (const { view } of heldAbout('requiredAffinity', pod, snapshot)) out.push({ view, weight: hardWeight });
  if (!ignoreExisting) {
    for (const { term, view } of heldAbout('preferredAffinity', pod, snapshot)) out.push({ view, weight: term.weight });
    for (const { term, view } of heldAbout('preferredAntiAffinity', pod, snapshot))
      out.push({ view, weight: -term.weight });
  }
  return out.filter(({ view }) => view.sum !== 0);
}

/** Whether a change of another pod can satisfy a term, or remove what stood against one. */
function concerns(pod: PodInfo, other: Pod): boolean {
  const facts = { namespace: other.metadata.namespace ?? '', labels: other.metadata.labels ?? {} };
  // Labels of namespaces are not known here: selectors of namespaces count as met.
  const matches = (term: AffinityTerm) =>
    (term.namespaces.has(facts.namespace) || term.namespaceSelector !== undefined) &&
    term.selector.matches(facts.labels);
  return pod.terms.requiredAffinity.some(matches) || pod.terms.requiredAntiAffinity.some(matches);
}

function heldAgainst(pod: PodInfo, other: Pod): boolean {
  const terms = affinityTermsOf(other).requiredAntiAffinity;
  return terms.some(
    t => (t.namespaces.has(pod.namespace) || t.namespaceSelector !== undefined) && t.selector.matches(pod.labels),
  );
}

/** Pods together with, or apart from, other pods. */
export const interPodAffinity: PluginFactory = {
  name,
  create({ hardPodAffinityWeight = 1, ignorePreferredTermsOfExistingPods = false }: Args) {
    return definePlugin<FilterState, readonly Weighted[]>({
      name,
      preFilter(pod, snapshot) {
        const state = prepare(pod, snapshot);
        const idle =
          state.anti.length === 0 && state.affinity.length === 0 && state.existing.every(view => view.sum === 0);
        return idle ? { skip: true } : { state };
      },
      filter: verdict,
      preScore(pod, snapshot) {
        const { preferredAffinity, preferredAntiAffinity } = pod.terms;
        const hasOwn = preferredAffinity.length > 0 || preferredAntiAffinity.length > 0;
        if (!hasOwn && ignorePreferredTermsOfExistingPods) return { skip: true };
        const state = preferences(pod, snapshot, hardPodAffinityWeight, ignorePreferredTermsOfExistingPods);
        return state.length === 0 ? { skip: true } : { state };
      },
      score(state, { row }) {
        let score = 0;
        for (const { view, weight } of state) {
          const domain = view.topology.domainOf[row] ?? -1;
          if (domain >= 0) score += weight * (view.counts[domain] ?? 0);
        }
        return score;
      },
      normalize(_state, scores) {
        let min = Infinity;
        let max = -Infinity;
        for (const score of scores) {
          if (score < min) min = score;
          if (score > max) max = score;
        }
        const range = max - min;
        for (let i = 0; i < scores.length; i++)
          scores[i] = range > 0 ? Math.trunc((maxNodeScore * ((scores[i] ?? 0) - min)) / range) : 0;
      },
      events: [
        {
          resource: 'Pod',
          actions: ['add', 'update', 'delete'],
          hint: (pod, { object, old, action }) => {
            const other = object as Pod;
            if (concerns(pod, other) || (old !== undefined && concerns(pod, old as Pod))) return 'queue';
            return action === 'delete' && heldAgainst(pod, other) ? 'queue' : 'skip';
          },
        },
        { resource: 'Node', actions: ['add', 'update'] },
        { resource: 'Namespace', actions: ['add', 'update'] },
        { resource: 'TargetPod', actions: ['update'] },
      ],
    });
  },
};
