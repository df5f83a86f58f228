/** Node selectors (k8s.io/component-helpers/scheduling/corev1/nodeaffinity), compiled. */
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../../api/types/core-v1.ts';

export interface NodeFacts {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}
export type NodePredicate = (node: NodeFacts) => boolean;

const integer = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^[-+]?[0-9]{1,19}$/.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined;

function requirement({ key, operator, values = [] }: NodeSelectorRequirement): NodePredicate {
  const set = new Set(values);
  const [only] = values;
  switch (operator) {
    case 'In':
      return values.length === 1 && only !== undefined
        ? ({ labels }) => labels[key] === only
        : ({ labels }) => set.has(labels[key] ?? '\u0000');
    case 'NotIn':
      return ({ labels }) => !set.has(labels[key] ?? '\u0000');
    case 'Exists':
      return ({ labels }) => labels[key] !== undefined;
    case 'DoesNotExist':
      return ({ labels }) => labels[key] === undefined;
    case 'Gt':
    case 'Lt':
      return ({ labels }) => {
        const value = integer(labels[key]);
        const bound = integer(only);
        if (value === undefined || bound === undefined) return false;
        return operator === 'Gt' ? value > bound : value < bound;
      };
    default:
      return () => false;
  }
}

function field({ key, operator, values = [] }: NodeSelectorRequirement): NodePredicate {
  if (key !== 'metadata.name') return () => false;
  if (operator === 'In') return ({ name }) => values.includes(name);
  if (operator === 'NotIn') return ({ name }) => !values.includes(name);
  return () => false;
}

/** A term without conditions selects nothing. */
export function compileTerm(term: NodeSelectorTerm): NodePredicate {
  const all = [...(term.matchExpressions ?? []).map(requirement), ...(term.matchFields ?? []).map(field)];
  if (all.length === 0) return () => false;
  return node => all.every(matches => matches(node));
}

/** Any of the terms. */
export function compileNodeSelector(selector: NodeSelector): NodePredicate {
  const terms = selector.nodeSelectorTerms.map(compileTerm);
  return node => terms.some(matches => matches(node));
}

/** What the pod requires of its node: `nodeSelector` and required node affinity. Undefined when nothing. */
export function requiredNodeSelection(pod: Pod): NodePredicate | undefined {
  const { nodeSelector, affinity } = pod.spec;
  const labels = Object.entries(nodeSelector ?? {});
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const matches = required && compileNodeSelector(required);
  if (labels.length === 0) return matches;
  return node => labels.every(([key, value]) => node.labels[key] === value) && (!matches || matches(node));
}

/** Equal for pods that require the same of their node. */
export function requiredNodeKey({ spec }: Pod): string {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return spec.nodeSelector || required ? JSON.stringify([spec.nodeSelector, required]) : '';
}
