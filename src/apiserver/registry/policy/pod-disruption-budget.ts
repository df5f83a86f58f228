import type { PodDisruptionBudget } from '../../../api/types/policy-v1.ts';
import { ageColumn, integer, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';

const initialStatus = () => ({ currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 });

export const podDisruptionBudgets = namespaced<PodDisruptionBudget>({
  resource: 'policy/poddisruptionbudgets',
  generation: true,
  default(budget) {
    budget.status = { ...initialStatus(), ...budget.status };
  },
  initialStatus,
  columns: [
    nameColumn,
    text('Min Available', obj => String(obj.spec.minAvailable ?? 'N/A')),
    text('Max Unavailable', obj => String(obj.spec.maxUnavailable ?? 'N/A')),
    integer('Allowed Disruptions', obj => obj.status?.disruptionsAllowed ?? 0),
    ageColumn,
  ],
});
