/** Fits a request into the quotas of its namespace (apiserver/pkg/admission/plugin/resourcequota, CheckRequest). Pure. */
import type { KubeObject } from '../../../api/object.ts';
import {
  addLists,
  exceeding,
  maskList,
  negativeNames,
  type QuotaEvaluator,
  quotaMatches,
  type ResourceList,
  showList,
  subtractToZero,
  withoutZeros,
} from '../../../api/quota/index.ts';
import type { ResourceQuota } from '../../../api/types/core-v1.ts';

export interface Charge {
  readonly object: KubeObject;
  /** Set for updates: only the difference is charged. */
  readonly old: KubeObject | undefined;
  /** Reports what is a fact already: counted, never refused. */
  readonly statusOnly: boolean;
}

export type Verdict =
  | { readonly fits: true; readonly quotas: readonly ResourceQuota[] }
  | { readonly fits: false; readonly why: string };

const refuse = (why: string): Verdict => ({ fits: false, why });

/** Updates of objects that did not count before are charged whole. */
function chargeFor(evaluator: QuotaEvaluator, quota: ResourceQuota, charge: Charge, now: number): ResourceList {
  const usage = evaluator.usage(charge.object, now);
  if (!charge.old?.metadata.resourceVersion || !quotaMatches(evaluator, quota, charge.old)) return usage;
  return subtractToZero(usage, evaluator.usage(charge.old, now));
}

/** Whether the quota can be judged at all; undefined when it does not concern the object. */
function concerns(evaluator: QuotaEvaluator, quota: ResourceQuota, object: KubeObject): true | string | undefined {
  const hard = Object.keys(quota.status?.hard ?? {});
  if (!quotaMatches(evaluator, quota, object, hard)) return undefined;
  const restricted = evaluator.matchingResources(hard);
  const missing = evaluator.missing?.(restricted, object);
  if (missing) return `failed quota: ${quota.metadata.name}: ${missing}`;
  if (restricted.some(name => quota.status?.used?.[name] === undefined))
    return `status unknown for quota: ${quota.metadata.name}, resources: ${[...restricted].sort().join(',')}`;
  return true;
}

function apply(quota: ResourceQuota, delta: ResourceList, statusOnly: boolean): ResourceQuota | string {
  const hard = quota.status?.hard ?? {};
  const used = quota.status?.used ?? {};
  const requested = maskList(delta, Object.keys(hard));
  const next = addLists(used, requested);
  const over = statusOnly ? [] : exceeding(maskList(next, Object.keys(requested)), hard);
  if (over.length > 0) {
    const show = (list: ResourceList) => showList(maskList(list, over));
    return `exceeded quota: ${quota.metadata.name}, requested: ${show(requested)}, used: ${show(used)}, limited: ${show(hard)}`;
  }
  return { ...quota, status: { ...quota.status, hard, used: next } };
}

/** The quotas with the request charged to them, in the order given; those it does not touch are the same objects. */
export function fit(quotas: readonly ResourceQuota[], evaluator: QuotaEvaluator, charge: Charge, now: number): Verdict {
  const interesting = new Set<ResourceQuota>();
  for (const quota of quotas) {
    const answer = concerns(evaluator, quota, charge.object);
    if (typeof answer === 'string') return refuse(answer);
    if (answer) interesting.add(quota);
  }
  if (interesting.size === 0) return { fits: true, quotas };
  const negative = negativeNames(evaluator.usage(charge.object, now));
  if (negative.length > 0) return refuse(`quota usage is negative for resource(s): ${negative.sort().join(',')}`);
  const out: ResourceQuota[] = [];
  for (const quota of quotas) {
    const delta = interesting.has(quota) ? withoutZeros(chargeFor(evaluator, quota, charge, now)) : {};
    const charged = Object.keys(delta).length > 0 ? apply(quota, delta, charge.statusOnly) : quota;
    if (typeof charged === 'string') return refuse(charged);
    out.push(charged);
  }
  return { fits: true, quotas: out };
}
