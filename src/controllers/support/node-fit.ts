/** Whether a node suits a pod spec by its labels and taints. Rules of k8s.io/component-helpers/scheduling/corev1. */
import type {
  Node,
  NodeSelector,
  NodeSelectorRequirement,
  PodSpec,
  Taint,
  Toleration,
} from '../../api/types/core-v1.ts';

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  if (toleration.operator === 'Lt' || toleration.operator === 'Gt') {
    const [bound, value] = [Number(toleration.value), Number(taint.value)];
    return toleration.operator === 'Lt' ? value < bound : value > bound;
  }
  return toleration.key !== undefined && toleration.key !== '' && (toleration.value ?? '') === (taint.value ?? '');
}

/** The first taint with one of the effects that nothing tolerates. */
export function untolerated(
  node: Node,
  tolerations: readonly Toleration[],
  effects: readonly string[],
): Taint | undefined {
  return node.spec?.taints?.find(
    taint => effects.includes(taint.effect) && !tolerations.some(t => tolerates(t, taint)),
  );
}

export function fitsAffinity(node: Node, spec: PodSpec): boolean {
  const labels = node.metadata.labels ?? {};
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || matchesNodeSelector(node, required);
}

/** Terms are alternatives; an empty one matches nothing. */
export function matchesNodeSelector(node: Node, { nodeSelectorTerms }: NodeSelector): boolean {
  return nodeSelectorTerms.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false;
    const labels = node.metadata.labels ?? {};
    return (
      matchExpressions.every(r => matches(r, Object.hasOwn(labels, r.key) ? labels[r.key] : undefined)) &&
      matchFields.every(r => matches(r, r.key === 'metadata.name' ? node.metadata.name : undefined))
    );
  });
}

function matches({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
