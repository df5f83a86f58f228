import type { PriorityClass } from '../../../api/types/scheduling-v1.ts';
import { ageColumn, flag, integer, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';

export const priorityClasses = clusterScoped<PriorityClass>({
  resource: 'scheduling.k8s.io/priorityclasses',
  specless: true,
  generation: true,
  default(obj) {
    obj.preemptionPolicy ??= 'PreemptLowerPriority';
    obj.value ??= 0;
  },
  columns: [
    nameColumn,
    integer('Value', obj => obj.value ?? 0),
    flag('Global-Default', obj => obj.globalDefault ?? false),
    ageColumn,
    text('PreemptionPolicy', obj => obj.preemptionPolicy ?? ''),
  ],
});
