import type { DeviceClass } from '../../../api/types/resource-v1.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { clusterScoped } from '../define.ts';
import { validateClass } from './validate.ts';

export const deviceClasses = clusterScoped<DeviceClass>({
  resource: 'resource.k8s.io/deviceclasses',
  generation: true,
  validate: validateClass,
  columns: [nameColumn, ageColumn],
});
