/** The sentences of events and conditions (pkg/scheduler/framework/types.go, FitError). */
import type { Rejection } from '../framework/status.ts';
import type { Diagnosis } from './cycle.ts';

export const noNodes = 'no nodes available to schedule pods';

/** "3 Insufficient cpu, 2 node(s) were unschedulable": counts of reasons, sorted as text. */
export function histogram(rejections: Iterable<Rejection | undefined>): string {
  const byRejection = new Map<Rejection, number>();
  for (const rejection of rejections) if (rejection) byRejection.set(rejection, (byRejection.get(rejection) ?? 0) + 1);
  const byReason = new Map<string, number>();
  for (const [{ reasons }, count] of byRejection)
    for (const reason of reasons) byReason.set(reason, (byReason.get(reason) ?? 0) + count);
  return [...byReason]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}

export function fitMessage(diagnosis: Diagnosis, postFilter = ''): string {
  const { nodeCount, preFilter, rejections } = diagnosis;
  if (nodeCount === 0) return noNodes;
  const why = preFilter ? preFilter.reasons.join(', ') : histogram(rejections);
  return `0/${nodeCount} nodes are available:${why && ` ${why}.`}${postFilter && ` ${postFilter}`}`;
}
