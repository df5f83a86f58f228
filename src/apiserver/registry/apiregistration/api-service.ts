import type { APIService } from '../../../api/types/apiregistration-v1.ts';
import { nameIsPathSegment } from '../../../api/validation/names.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';

function available({ status }: APIService): string {
  const condition = status?.conditions?.find(c => c.type === 'Available');
  if (!condition) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason ?? ''})`;
}

export const apiServices = clusterScoped<APIService>({
  resource: 'apiregistration.k8s.io/apiservices',
  default(obj) {
    obj.status ??= {};
    if (obj.spec?.service) obj.spec.service.port ??= 443;
  },
  initialStatus: () => ({}),
  validateName: nameIsPathSegment,
  columns: [
    nameColumn,
    text('Service', ({ spec: { service } }) =>
      service ? `${service.namespace ?? ''}/${service.name ?? ''}` : 'Local',
    ),
    text('Available', available),
    ageColumn,
  ],
});
