import type { DeviceClass } from '../../../api/types/resource-v1.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { clusterScoped } from '../define.ts';
import { dropFromClass } from './gates.ts';
import { validateClass } from './validate.ts';

export const deviceClasses = clusterScoped<DeviceClass>({
  resource: 'resource.k8s.io/deviceclasses',
  generation: true,
  prepareForCreate: dropFromClass,
  prepareForUpdate: dropFromClass,
  validate: validateClass,
  columns: [nameColumn, ageColumn],
});
