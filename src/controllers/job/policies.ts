/** spec.podFailurePolicy and spec.successPolicy. */
import type { Job, PodFailurePolicyRule } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { parseIndexes } from './indexes.ts';

export type FailureVerdict =
  | { action: 'Count' }
  | { action: 'Ignore' }
  | { action: 'FailIndex' }
  | { action: 'FailJob'; message: string };

/** The first rule that matches decides; none counts the failure. */
export function judgeFailure(job: Job, pod: Pod): FailureVerdict {
  const rules = job.spec?.podFailurePolicy?.rules ?? [];
  for (const [index, rule] of rules.entries()) {
    const why = matchExitCodes(rule, pod) ?? matchConditions(rule, pod);
    if (!why) continue;
    if (rule.action === 'FailJob')
      return { action: 'FailJob', message: `${why} matching FailJob rule at index ${index}` };
    if (rule.action === 'Ignore' || rule.action === 'FailIndex') return { action: rule.action };
    return { action: 'Count' };
  }
  return { action: 'Count' };
}

function matchExitCodes({ onExitCodes: rule }: PodFailurePolicyRule, pod: Pod): string | undefined {
  if (!rule) return undefined;
  const all = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  for (const { name, state } of all) {
    const code = state?.terminated?.exitCode;
    // Success is no failure, whatever a NotIn rule says.
    if (code === undefined || code === 0 || (rule.containerName && rule.containerName !== name)) continue;
    if (rule.values.includes(code) === (rule.operator === 'In'))
      return `Container ${name} for pod ${pod.metadata.namespace}/${pod.metadata.name} failed with exit code ${code}`;
  }
  return undefined;
}

function matchConditions({ onPodConditions: patterns = [] }: PodFailurePolicyRule, pod: Pod): string | undefined {
  for (const { type, status = 'True' } of patterns) {
    if (pod.status?.conditions?.some(c => c.type === type && c.status === status))
      return `Pod ${pod.metadata.namespace}/${pod.metadata.name} has condition ${type}`;
  }
  return undefined;
}

/** The message of the first success rule that the completed indexes meet. */
export function judgeSuccess(job: Job, completed: ReadonlySet<number>): string | undefined {
  if (completed.size === 0) return undefined;
  const { completions = 0, successPolicy } = job.spec ?? {};
  for (const [index, { succeededIndexes, succeededCount }] of (successPolicy?.rules ?? []).entries()) {
    const wanted = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, completions);
    // All the indexes of a rule are beyond a job that was made smaller.
    if (wanted?.size === 0) continue;
    const met = wanted ? [...wanted].filter(i => completed.has(i)).length : completed.size;
    const needed = Math.min(succeededCount ?? Number.POSITIVE_INFINITY, wanted?.size ?? Number.POSITIVE_INFINITY);
    if (met >= needed) return `Matched rules at index ${index}`;
  }
  return undefined;
}
