/** Labels named by key in affinity and spread terms are turned into requirements when the pod is made. */
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '../../../../api/types/core-v1.ts';

interface Term {
  labelSelector?: PodAffinityTerm['labelSelector'];
  matchLabelKeys?: string[];
  mismatchLabelKeys?: string[];
}

function merge(term: Term, labels: Readonly<Record<string, string>>): void {
  if (!term.labelSelector) return;
  const selector = term.labelSelector;
  const add = (keys: readonly string[] | undefined, operator: 'In' | 'NotIn') => {
    for (const key of keys ?? []) {
      const value = labels[key];
      if (value === undefined) continue;
      selector.matchExpressions = [...(selector.matchExpressions ?? []), { key, operator, values: [value] }];
    }
  };
  add(term.matchLabelKeys, 'In');
  add(term.mismatchLabelKeys, 'NotIn');
}

/** Applies matchLabelKeys and mismatchLabelKeys of every term of the pod. In place, once, on create. */
export function mergeLabelKeys(pod: Pod): void {
  const labels = pod.metadata.labels ?? {};
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  const terms: (PodAffinityTerm | TopologySpreadConstraint)[] = [podAffinity, podAntiAffinity].flatMap(affinity => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap(t => t.podAffinityTerm ?? []),
  ]);
  for (const term of [...terms, ...(pod.spec.topologySpreadConstraints ?? [])]) merge(term, labels);
}
