import type { LimitRange, LimitRangeItem, ResourceQuota } from '../../../api/types/core-v1.ts';
import { ageColumn, createdColumn, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';

/** Container limits fill each other: max → default → defaultRequest ← min. */
function defaultItem(item: LimitRangeItem): void {
  if (item.type !== 'Container') return;
  item.default = { ...item.max, ...item.default };
  item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
}

export const limitRanges = namespaced<LimitRange>({
  resource: '/limitranges',
  default: range => range.spec?.limits?.forEach(defaultItem),
  columns: [nameColumn, createdColumn],
});

function usage(quota: ResourceQuota, limits: boolean): string {
  const { hard = {}, used = {} } = quota.status ?? {};
  return Object.keys(hard)
    .filter(name => name.includes('limits.') === limits)
    .sort()
    .map(name => `${name}: ${used[name] ?? '0'}/${hard[name]}`)
    .join(', ');
}

export const resourceQuotas = namespaced<ResourceQuota>({
  resource: '/resourcequotas',
  initialStatus: () => ({}),
  columns: [
    nameColumn,
    text('Request', quota => usage(quota, false)),
    text('Limit', quota => usage(quota, true)),
    ageColumn,
  ],
});
