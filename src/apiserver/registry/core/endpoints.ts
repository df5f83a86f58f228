import type { ComponentStatus, EndpointSubset, Endpoints } from '../../../api/types/core-v1.ts';
import { ageColumn, firstFew, nameColumn, text } from '../columns.ts';
import { clusterScoped, namespaced } from '../define.ts';

function subsetAddresses(subset: EndpointSubset): string[] {
  const addresses = (subset.addresses ?? []).map(a => a.ip);
  if (!subset.ports?.length) return addresses;
  return subset.ports.flatMap(port =>
    addresses.map(ip => (ip.includes(':') ? `[${ip}]:${port.port}` : `${ip}:${port.port}`)),
  );
}

export const endpoints = namespaced<Endpoints>({
  resource: '/endpoints',
  specless: true,
  default(obj) {
    for (const subset of obj.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },
  columns: [
    nameColumn,
    text('Endpoints', obj => firstFew((obj.subsets ?? []).flatMap(subsetAddresses), 3, '<none>')),
    ageColumn,
  ],
});

export const componentStatuses = clusterScoped<ComponentStatus>({
  resource: '/componentstatuses',
  specless: true,
  columns: [
    nameColumn,
    text('Status', obj => {
      const healthy = obj.conditions?.find(c => c.type === 'Healthy')?.status;
      return healthy === 'True' ? 'Healthy' : healthy === 'False' ? 'Unhealthy' : 'Unknown';
    }),
    text('Message', obj => obj.conditions?.find(c => c.type === 'Healthy')?.message ?? ''),
    text('Error', obj => obj.conditions?.find(c => c.type === 'Healthy')?.error ?? ''),
  ],
});
