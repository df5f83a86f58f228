import type { ResourceSlice } from '../../../api/types/resource-v1.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';
import { dropFromSlice } from './gates.ts';
import { validateSlice, validateSliceUpdate } from './slice-validate.ts';

export const resourceSlices = clusterScoped<ResourceSlice>({
  resource: 'resource.k8s.io/resourceslices',
  generation: true,
  prepareForCreate: dropFromSlice,
  prepareForUpdate: dropFromSlice,
  validate: validateSlice,
  warnings: ({ spec: { driver = '' } }) =>
    driver === driver.toLowerCase()
      ? []
      : [`spec.driver: driver names should be lowercase; ${JSON.stringify(driver)} contains uppercase characters`],
  validateUpdate: validateSliceUpdate,
  columns: [
    nameColumn,
    text('Node', obj => obj.spec.nodeName ?? ''),
    text('Driver', obj => obj.spec.driver),
    text('Pool', obj => obj.spec.pool?.name ?? ''),
    ageColumn,
  ],
  selectableFields: { 'spec.nodeName': obj => obj.spec.nodeName ?? '', 'spec.driver': obj => obj.spec.driver ?? '' },
});
