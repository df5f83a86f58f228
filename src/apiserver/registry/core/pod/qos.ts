import type { Pod } from '../../../../api/types/core-v1.ts';

const isZero = (quantity: string) => !/[1-9]/.test(quantity.split(/[eE]/)[0] ?? '');
const computed = ['cpu', 'memory'] as const;

/** Guaranteed, Burstable or BestEffort, from cpu and memory only (pkg/apis/core/helper/qos). Pod-level resources win over containers'. */
export function qosClass(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])];
  const all = pod.spec.resources ? [pod.spec.resources] : containers.map(c => c.resources ?? {});
  const positive = (list: Record<string, string> | undefined, name: string) => {
    const quantity = list?.[name];
    return quantity !== undefined && !isZero(String(quantity)) ? String(quantity) : undefined;
  };
  const any = all.some(r => computed.some(name => positive(r.requests, name) ?? positive(r.limits, name)));
  if (!any) return 'BestEffort';
  const guaranteed = all.every(r =>
    computed.every(name => {
      const limit = positive(r.limits, name);
      return limit !== undefined && (positive(r.requests, name) ?? limit) === limit;
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
