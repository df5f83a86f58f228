import type { RuntimeClass } from '../../../api/types/node-v1.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';

export const runtimeClasses = clusterScoped<RuntimeClass>({
  resource: 'node.k8s.io/runtimeclasses',
  specless: true,
  columns: [nameColumn, text('Handler', obj => obj.handler), ageColumn],
});
