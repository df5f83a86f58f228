import type { PodDisruptionBudget } from '../../../api/types/policy-v1.ts';
import { isPathSegmentName } from '../../../api/validation/names.ts';
import { type Check, type Errors, nonNegative, oneOf, optional } from '../checks.ts';
import { ageColumn, integer, nameColumn, text } from '../columns.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { internalForm, shownSelector } from '../internal-form.ts';
import { validateConditions } from '../meta/conditions.ts';
import { atMost100Percent, intOrPercent } from '../meta/int-or-percent.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';

const initialStatus = () => ({ currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 });

const limit: Check<number | string> = (value, at) => [...intOrPercent(value, at), ...atMost100Percent(value, at)];

const shownSpec = {
  MinAvailable: null,
  Selector: shownSelector,
  MaxUnavailable: null,
  UnhealthyPodEvictionPolicy: null,
};

function validateBudget({ spec }: PodDisruptionBudget): Errors {
  const both = spec.minAvailable !== undefined && spec.maxUnavailable !== undefined;
  return [
    ...(both
      ? [field.invalid('spec', internalForm(shownSpec, spec), 'minAvailable and maxUnavailable cannot be both set')]
      : []),
    ...optional(spec.minAvailable, 'spec.minAvailable', limit),
    ...optional(spec.maxUnavailable, 'spec.maxUnavailable', limit),
    ...validateLabelSelector(spec.selector, 'spec.selector'),
    ...optional(
      spec.unhealthyPodEvictionPolicy,
      'spec.unhealthyPodEvictionPolicy',
      oneOf(['AlwaysAllow', 'IfHealthyBudget']),
    ),
  ];
}

const counts = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const;

export const podDisruptionBudgets = namespaced<PodDisruptionBudget>({
  resource: 'policy/poddisruptionbudgets',
  generation: true,
  default(budget) {
    budget.status = { ...initialStatus(), ...budget.status };
  },
  initialStatus,
  allowUnconditionalUpdate: false,
  // Upstream checks no more of the name than that it can stand in a path.
  validateName: isPathSegmentName,
  validate: validateBudget,
  subresources: {
    status: statusSubresource<PodDisruptionBudget>({
      validateUpdate: ({ status }) => [
        ...validateConditions(status?.conditions, 'status.conditions'),
        ...counts.flatMap(key => optional(status?.[key], `status.${key}`, nonNegative)),
      ],
    }),
  },
  columns: [
    nameColumn,
    text('Min Available', obj => String(obj.spec.minAvailable ?? 'N/A')),
    text('Max Unavailable', obj => String(obj.spec.maxUnavailable ?? 'N/A')),
    integer('Allowed Disruptions', obj => obj.status?.disruptionsAllowed ?? 0),
    ageColumn,
  ],
});
