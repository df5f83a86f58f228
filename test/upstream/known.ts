/** What changed in Kubernetes between 1.20 and 1.35, so that our answers rightly differ. Each rule says since when or why. */
import type { Difference, Json } from './exchange.ts';

export interface Known {
  /** Where in the answer; list items are "N". */
  readonly at: RegExp;
  /** Method and target of the request, or the name of the scenario. */
  readonly of?: RegExp;
  /** The original's value as JSON text; "undefined" when absent. */
  readonly original?: RegExp;
  readonly ours?: RegExp;
  readonly why: string;
}

const absent = /^undefined$/;
const inTemplate = String.raw`(spec\.)?(template\.)?`;

export const known: readonly Known[] = [
  { at: /managedFields/, of: /^(?!.*apply:)/, why: 'compared in the scenarios about apply' },
  { at: /columnDefinitions\.N\.description$/, why: 'texts of documentation' },
  { at: /metadata\.creationTimestamp$/, original: /^null$/, ours: absent, why: '1.34 leaves empty times out' },
  { at: /^body\.items$/, original: /^null$/, ours: /^\[\]$/, why: '1.25 never answers null for no items' },
  { at: /labels\.kubernetes\.io\/metadata\.name$/, original: absent, why: 'on every namespace since 1.21' },
  { at: /spec\.(internalTrafficPolicy|ipFamilyPolicy|ipFamilies)$/, original: absent, why: 'defaulted since 1.21 and 1.22' },
  { at: /rollingUpdate\.maxSurge$/, of: /DaemonSet/, original: absent, why: 'since 1.21' },
  { at: /deprecated\.daemonset\.template\.generation$/, ours: absent, why: 'gone with extensions/v1beta1' },
  { at: /persistentVolumeClaimRetentionPolicy$/, original: absent, why: 'since 1.23' },
  { at: /status\.availableReplicas$/, of: /StatefulSet/, original: absent, why: 'since 1.22' },
  { at: /spec\.(completionMode|suspend|podReplacementPolicy|manualSelector)$/, of: /Job/, original: absent, why: 'since 1.21 and later' },
  { at: /(batch\.kubernetes\.io\/)?(controller-uid|job-name)$/, of: /Job/, why: 'prefixed labels since 1.27' },
  { at: /spec\.(storageCapacity|requiresRepublish|seLinuxMount)$/, of: /CSIDriver/, original: absent, why: 'since 1.21 and later' },
  { at: /^warnings$/, original: absent, ours: /v1 (Endpoints|ComponentStatus) is deprecated/, why: 'deprecated since' },
];

const places = (at: string) => at.replaceAll(/\.\d+(?=\.|$)/g, '.N');
const textOf = (value: Json) => JSON.stringify(value) ?? 'undefined';

export function matches(rule: Known, { scenario, request, at, original, ours }: Difference): boolean {
  const says = (pattern: RegExp | undefined, text: string) => pattern === undefined || pattern.test(text);
  return (
    rule.at.test(places(at)) &&
    says(rule.of, `${scenario}: ${request.method} ${request.target}`) &&
    says(rule.original, textOf(original)) &&
    says(rule.ours, textOf(ours))
  );
}
void inTemplate;
