import { rfc3339 } from '../../base/clock.ts';

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/** The conditions with this one in place. The transition time is kept while the status stays the same. Nothing changes: same array. */
export function withCondition<C extends Condition>(conditions: C[] | undefined, next: C, now: number): C[] {
  const old = conditions?.find(c => c.type === next.type);
  if (old && old.status === next.status && old.reason === next.reason && old.message === next.message)
    return conditions ?? [];
  const lastTransitionTime = old?.status === next.status ? old?.lastTransitionTime : rfc3339(now);
  const made = { ...next, ...(lastTransitionTime !== undefined && { lastTransitionTime }) };
  return [...(conditions ?? []).filter(c => c.type !== next.type), made];
}

export function withoutCondition<C extends Condition>(conditions: C[] | undefined, type: string): C[] {
  return (conditions ?? []).filter(c => c.type !== type);
}

export function conditionOf<C extends Condition>(conditions: readonly C[] | undefined, type: string): C | undefined {
  return conditions?.find(c => c.type === type);
}
