/** Conditions of definitions. */
import type { CustomResourceDefinitionCondition } from '../../api/types/apiextensions-v1.ts';
import { rfc3339 } from '../../base/clock.ts';

export function condition(
  type: string,
  status: string,
  reason: string,
  message: string,
): CustomResourceDefinitionCondition {
  return { type, status, reason, message };
}

/** Sets conditions, keeping the time of those whose status stays. */
export function setConditions(
  present: readonly CustomResourceDefinitionCondition[],
  wanted: readonly CustomResourceDefinitionCondition[],
  now: number,
): CustomResourceDefinitionCondition[] {
  const out = [...present];
  for (const next of wanted) {
    const at = out.findIndex(c => c.type === next.type);
    const before = out[at];
    const same = before?.status === next.status;
    const lastTransitionTime = same && before?.lastTransitionTime ? before.lastTransitionTime : rfc3339(now);
    if (at < 0) out.push({ ...next, lastTransitionTime });
    else out[at] = { ...before, ...next, lastTransitionTime };
  }
  return out;
}
