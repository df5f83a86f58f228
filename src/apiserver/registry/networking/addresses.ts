import type { IPAddress, ServiceCIDR } from '../../../api/types/networking-v1.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';

function parent({ spec: { parentRef: ref } }: IPAddress): string {
  const resource = ref.group ? `${ref.resource}.${ref.group}` : ref.resource;
  return ref.namespace ? `${resource}/${ref.namespace}/${ref.name}` : `${resource}/${ref.name}`;
}

export const ipAddresses = clusterScoped<IPAddress>({
  resource: 'networking.k8s.io/ipaddresses',
  columns: [nameColumn, text('ParentRef', parent), ageColumn],
  selectableFields: { 'spec.parentRef.name': obj => obj.spec.parentRef.name },
});

export const serviceCidrs = clusterScoped<ServiceCIDR>({
  resource: 'networking.k8s.io/servicecidrs',
  default: obj => {
    obj.status ??= {};
  },
  initialStatus: () => ({}),
  columns: [nameColumn, text('CIDRs', obj => (obj.spec.cidrs ?? []).join(',')), ageColumn],
});
