import { compareQuantity, isZeroQuantity, tryParseQuantity } from '../../../../api/quantity.ts';
import type { Pod, ResourceRequirements } from '../../../../api/types/core-v1.ts';

const computed = ['cpu', 'memory'] as const;

/** The amount asked for, or undefined when it is absent or zero. */
function positive(list: Readonly<Record<string, string>> | undefined, name: string): string | undefined {
  const value = list?.[name];
  const quantity = value === undefined ? undefined : tryParseQuantity(value);
  return quantity && !isZeroQuantity(quantity) ? value : undefined;
}

/** Limited in cpu and memory, and asking for no less than its limits. */
function isGuaranteed({ limits, requests }: ResourceRequirements): boolean {
  return computed.every(name => {
    const limit = positive(limits, name);
    return limit !== undefined && compareQuantity(positive(requests, name) ?? limit, limit) === 0;
  });
}

const asksForAny = ({ limits, requests }: ResourceRequirements) =>
  computed.some(name => positive(requests, name) !== undefined || positive(limits, name) !== undefined);

/** Guaranteed, Burstable or BestEffort, from cpu and memory only (pkg/apis/core/helper/qos). Pod-level resources win over containers'. */
export function qosClass(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])];
  const all = pod.spec.resources ? [pod.spec.resources] : containers.map(c => c.resources ?? {});
  if (!all.some(asksForAny)) return 'BestEffort';
  return all.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}
