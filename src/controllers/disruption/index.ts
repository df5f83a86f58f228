/** Keeps the status of disruption budgets, which evictions go by (pkg/controller/disruption of v1.35). */
import { keyOf, splitKey } from '../../api/object.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { LabelSelector } from '../../api/types/meta-v1.ts';
import type { PodDisruptionBudget } from '../../api/types/policy-v1.ts';
import { semanticEqual } from '../../api/util/values.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isConflict, isNotFound, messageOf } from '../../base/errors.ts';
import type { Controller, ControllerContext, Loop, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { withCondition } from '../support/conditions.ts';
import { selectorFor } from '../support/ownership.ts';
import { countHealthy, desiredHealthy, disruptedPods, disruptionsAllowed, needsScale, staleIn } from './budget.ts';
import { createScaleFinder } from './scale.ts';

export const disruptionController: Controller = {
  name: 'disruption-controller',
  component: 'controllermanager',
  aliases: ['disruption'],
  setUp: context => [budgetLoop(context), staleConditionLoop(context)],
};

function budgetLoop(context: ControllerContext): Loop {
  const { informers, clock, recorder } = context;
  const budgets = informers.informer('policy/v1/poddisruptionbudgets');
  const pods = informers.informer('v1/pods');
  const findScale = createScaleFinder(context);

  /** Undefined: the number cannot be told, which was reported. */
  async function expectedPods(budget: PodDisruptionBudget, matching: readonly Pod[]): Promise<number> {
    if (!needsScale(budget)) return matching.length;
    const { expected, unmanaged } = await findScale(matching);
    if (unmanaged.length > 0) {
      const selector = goText(budget.spec.selector);
      recorder.event(
        budget,
        'Warning',
        'UnmanagedPods',
        `Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`,
      );
    }
    return expected;
  }

  async function sync(budget: PodDisruptionBudget): Promise<ReconcileResult> {
    const selector = selectorFor(budget.spec.selector);
    const { namespace = '' } = budget.metadata;
    const matching = pods.store.byIndex('namespace', namespace).filter(pod => selector.matches(pod.metadata.labels));
    if (matching.length === 0) recorder.event(budget, 'Normal', 'NoPods', 'No matching pods found');
    const expected = await expectedPods(budget, matching).catch(e => {
      const message = `Failed to calculate the number of expected pods: ${messageOf(e)}`;
      recorder.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', message);
      throw e;
    });
    const now = clock.now();
    const disrupted = disruptedPods(matching, budget.status?.disruptedPods ?? {}, now);
    for (const pod of disrupted.overdue) {
      const message = `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`;
      recorder.event(pod, 'Warning', 'NotDeleted', message);
    }
    const currentHealthy = countHealthy(matching, disrupted.pods);
    const desired = desiredHealthy(budget, expected);
    await writeStatus(context, budget, {
      currentHealthy,
      desiredHealthy: desired,
      expectedPods: expected,
      disruptionsAllowed: disruptionsAllowed(currentHealthy, desired, expected),
      disruptedPods: disrupted.pods,
    });
    if (disrupted.recheckAt !== undefined) return { requeueAfter: disrupted.recheckAt - now + 1 };
  }

  const budgetsOf = ({ metadata }: Pod) =>
    budgets.store
      .byIndex('namespace', metadata.namespace ?? '')
      .filter(({ spec }) => selectorFor(spec.selector).matches(metadata.labels));

  return {
    sources: [
      watch<'policy/v1/poddisruptionbudgets'>(budgets, budget => [keyOf(budget)]),
      watch<'v1/pods'>(pods, (pod, old, kind) => {
        const concerned = budgetsOf(pod);
        const [first] = concerned;
        if (first && concerned.length > 1 && kind !== 'delete') {
          const { namespace, name } = pod.metadata;
          const message = `Pod "${namespace}"/"${name}" matches multiple PodDisruptionBudgets.  Chose "${first.metadata.name}" arbitrarily.`;
          recorder.event(pod, 'Warning', 'MultiplePodDisruptionBudgets', message);
        }
        return new Set([...concerned, ...(old ? budgetsOf(old) : [])].map(keyOf));
      }),
    ],
    async reconcile(key) {
      const budget = budgets.store.get(key);
      if (!budget || budget.metadata.deletionTimestamp) return;
      try {
        return await sync(budget);
      } catch (e) {
        // After a conflict the next attempt knows better.
        if (!isConflict(e)) await failSafe(context, budget, messageOf(e));
        throw e;
      }
    },
  };
}

/** A selector as upstream's message has it: printed by Go. */
export function goText({ matchLabels = {}, matchExpressions = [] }: LabelSelector = {}): string {
  const labels = Object.entries(matchLabels).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = matchExpressions.map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
  );
  const map = labels.map(([key, value]) => `${key}: ${value},`).join('');
  return `&LabelSelector{MatchLabels:map[string]string{${map}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`;
}

type Counts = Omit<NonNullable<PodDisruptionBudget['status']>, 'conditions' | 'observedGeneration'>;

async function writeStatus({ client, clock }: ControllerContext, budget: PodDisruptionBudget, counts: Counts) {
  const { generation } = budget.metadata;
  const enough = (counts.disruptionsAllowed ?? 0) > 0;
  const condition = {
    type: 'DisruptionAllowed',
    status: enough ? 'True' : 'False',
    reason: enough ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    ...(generation !== undefined && { observedGeneration: generation }),
    lastTransitionTime: rfc3339(clock.now()),
  };
  const conditions = withCondition(budget.status?.conditions, condition, clock.now());
  const status = { ...counts, conditions, ...(generation !== undefined && { observedGeneration: generation }) };
  if (semanticEqual(status, budget.status)) return;
  await client.poddisruptionbudgets(budget.metadata.namespace).updateStatus({ ...budget, status });
}

/** Nothing may be evicted by numbers that could not be made. Best effort: the next attempt comes anyway. */
async function failSafe({ client, clock, log }: ControllerContext, budget: PodDisruptionBudget, message: string) {
  const { generation } = budget.metadata;
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'SyncFailed',
    message,
    ...(generation !== undefined && { observedGeneration: generation }),
    lastTransitionTime: rfc3339(clock.now()),
  };
  const conditions = withCondition(budget.status?.conditions, condition, clock.now());
  const counts = { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  const status = { ...counts, ...budget.status, disruptionsAllowed: 0, conditions };
  if (semanticEqual(status, budget.status)) return;
  await client
    .poddisruptionbudgets(budget.metadata.namespace)
    .updateStatus({ ...budget, status })
    .catch(e => log.debug('The budget could not be closed', { error: messageOf(e) }));
}

/** Takes back DisruptionTarget conditions of pods that were not deleted after all. */
function staleConditionLoop({ informers, client, clock }: ControllerContext): Loop {
  const pods = informers.informer('v1/pods');
  return {
    sources: [
      watch<'v1/pods'>(pods, (pod, _old, kind) =>
        kind !== 'delete' && staleIn(pod, clock.now()) !== undefined ? [keyOf(pod)] : [],
      ),
    ],
    async reconcile(key) {
      const pod = pods.store.get(key);
      const left = pod && staleIn(pod, clock.now());
      if (!pod || left === undefined) return undefined;
      if (left > 0) return { requeueAfter: left };
      const { namespace, name } = splitKey(key);
      const { uid, resourceVersion } = pod.metadata;
      const lastTransitionTime = rfc3339(clock.now());
      const conditions = [{ type: 'DisruptionTarget', status: 'False', reason: '', message: '', lastTransitionTime }];
      await client
        .pods(namespace)
        .patch(
          name,
          'strategic',
          { metadata: { uid, resourceVersion }, status: { conditions } },
          { subresource: 'status' },
        )
        .catch(e => {
          if (!isNotFound(e)) throw e;
        });
      return undefined;
    },
  };
}
