import type { Node, NodeSelectorTerm, Pod } from '../../api/types/core-v1.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import { type Rejection, rejections } from '../framework/status.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import {
  compileNodeSelector,
  compileTerm,
  type NodePredicate,
  requiredNodeKey,
  requiredNodeSelection,
} from './node-selector.ts';
import { normalizeToMax } from './normalize.ts';

const name = 'NodeAffinity';
const reject = rejections(name);

interface Preference {
  readonly weight: number;
  readonly matches: NodePredicate;
}

const facts = (node: Node) => ({ name: node.metadata.name, labels: node.metadata.labels ?? {} });

/** When every term names its nodes, those: a daemon's pods look at one node instead of all. */
function namedNodes(pod: Pod): ReadonlySet<string> | undefined {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!terms?.length) return undefined;
  const all = new Set<string>();
  for (const term of terms) {
    const names = namesOfTerm(term);
    if (!names) return undefined;
    for (const each of names) all.add(each);
  }
  return all;
}

function namesOfTerm(term: NodeSelectorTerm): ReadonlySet<string> | undefined {
  let names: Set<string> | undefined;
  for (const { key, operator, values = [] } of term.matchFields ?? []) {
    if (key !== 'metadata.name' || operator !== 'In') continue;
    const current = names;
    names = new Set(current ? values.filter(v => current.has(v)) : values);
  }
  return names;
}

const preferenceKey = (pod: Pod): string =>
  pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution
    ? JSON.stringify(pod.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution)
    : '';

function preferencesOf(terms: readonly { weight: number; preference: NodeSelectorTerm }[] | undefined): Preference[] {
  return (terms ?? [])
    .filter(t => t.weight !== 0)
    .map(({ weight, preference }) => ({ weight, matches: compileTerm(preference) }));
}

/** `addedAffinity` of the arguments applies to every pod of the profile. */
interface Args {
  addedAffinity?: NonNullable<NonNullable<Pod['spec']['affinity']>['nodeAffinity']>;
}

export const nodeAffinity: PluginFactory = {
  name,
  create(args: Args) {
    const { addedAffinity } = args;
    const addedRequired = addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    const enforced = addedRequired && compileNodeSelector(addedRequired);
    const addedPreferences = preferencesOf(addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution);
    const verdict = (required: NodePredicate | undefined, node: NodeInfo): Rejection | undefined => {
      if (enforced && !enforced(node))
        return reject('UnschedulableAndUnresolvable', "node(s) didn't match scheduler-enforced node affinity");
      if (required && !required(node))
        return reject('UnschedulableAndUnresolvable', "node(s) didn't match Pod's node affinity/selector");
      return undefined;
    };
    return definePlugin<NodePredicate | undefined, readonly Preference[]>({
      name,
      signature: ({ pod }) => `${requiredNodeKey(pod)}|${preferenceKey(pod)}`,
      preFilter({ pod }) {
        const required = requiredNodeSelection(pod);
        if (!required && !enforced) return { skip: true };
        const nodes = namedNodes(pod);
        if (nodes?.size === 0) return { reject: reject('UnschedulableAndUnresolvable', 'pod affinity terms conflict') };
        return { state: required, ...(nodes && { nodes }) };
      },
      filter: verdict,
      preScore({ pod }) {
        const own = preferencesOf(pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution);
        const all = [...addedPreferences, ...own];
        return all.length === 0 ? { skip: true } : { state: all };
      },
      score(preferences, node) {
        let sum = 0;
        for (const { weight, matches } of preferences) if (matches(node)) sum += weight;
        return sum;
      },
      normalize: (_state, scores) => normalizeToMax(scores, false),
      events: [
        {
          resource: 'Node',
          actions: ['add', 'update'],
          hint: ({ pod }, { object, old }) => {
            const required = requiredNodeSelection(pod);
            const fits = (node: Node) => (!enforced || enforced(facts(node))) && (!required || required(facts(node)));
            return fits(object as Node) && (!old || !fits(old as Node)) ? 'queue' : 'skip';
          },
        },
        { resource: 'TargetPod', actions: ['update'] },
      ],
    });
  },
};
