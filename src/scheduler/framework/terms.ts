/** Pod affinity terms, read once. */
import { type Selector, selectorFromObject } from '../../api/selectors/index.ts';
import type { Pod, PodAffinityTerm } from '../../api/types/core-v1.ts';
import type { LabelSelector } from '../../api/types/meta-v1.ts';

export interface AffinityTerm {
  /** Equal for terms that mean the same. */
  readonly key: string;
  readonly topologyKey: string;
  readonly namespaces: ReadonlySet<string>;
  /** Also namespaces with these labels. Missing: none. */
  readonly namespaceSelector: Selector | undefined;
  readonly selector: Selector;
  /** 0 for required terms. */
  readonly weight: number;
}

export interface AffinityTerms {
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
}

export const noTerms: AffinityTerms = {
  requiredAffinity: [],
  requiredAntiAffinity: [],
  preferredAffinity: [],
  preferredAntiAffinity: [],
};

export function affinityTermsOf(pod: Pod): AffinityTerms {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return noTerms;
  return {
    requiredAffinity: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(t => read(pod, t, 0)),
    requiredAntiAffinity: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(t =>
      read(pod, t, 0),
    ),
    preferredAffinity: (podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(t =>
      read(pod, t.podAffinityTerm, t.weight),
    ),
    preferredAntiAffinity: (podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(t =>
      read(pod, t.podAffinityTerm, t.weight),
    ),
  };
}

function read(pod: Pod, term: PodAffinityTerm, weight: number): AffinityTerm {
  const own = pod.metadata.namespace ?? '';
  const names = term.namespaces ?? [];
  const onlyOwn = names.length === 0 && !term.namespaceSelector;
  const namespaces = new Set(onlyOwn ? [own] : names);
  const labelSelector = withLabelKeys(pod, term.labelSelector, term.matchLabelKeys, term.mismatchLabelKeys);
  const key = JSON.stringify([
    term.topologyKey,
    [...namespaces].sort(),
    term.namespaceSelector ?? null,
    labelSelector ?? null,
    weight,
  ]);
  return {
    key,
    topologyKey: term.topologyKey,
    namespaces,
    namespaceSelector: term.namespaceSelector && selectorFromObject(term.namespaceSelector),
    selector: selectorFromObject(labelSelector),
    weight,
  };
}

/** The selector narrowed by the pod's own values of `matchLabelKeys`. The API server does so on creation; doing it twice changes nothing. */
export function withLabelKeys(
  pod: Pod,
  selector: LabelSelector | undefined,
  match: readonly string[] = [],
  mismatch: readonly string[] = [],
): LabelSelector | undefined {
  if (!selector || (match.length === 0 && mismatch.length === 0)) return selector;
  const labels = pod.metadata.labels ?? {};
  const present = selector.matchExpressions ?? [];
  const narrowing = (keys: readonly string[], operator: string) =>
    keys.flatMap(key => {
      const value = labels[key];
      const known = present.some(e => e.key === key && e.operator === operator && e.values?.[0] === value);
      return value === undefined || known ? [] : [{ key, operator, values: [value] }];
    });
  return { ...selector, matchExpressions: [...present, ...narrowing(match, 'In'), ...narrowing(mismatch, 'NotIn')] };
}

export function termMatches(
  term: AffinityTerm,
  pod: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined,
): boolean {
  if (!term.namespaces.has(pod.namespace)) {
    if (!term.namespaceSelector) return false;
    const labels = namespaceLabels(pod.namespace);
    if (!term.namespaceSelector.matches(labels ?? {})) return false;
  }
  return term.selector.matches(pod.labels);
}
