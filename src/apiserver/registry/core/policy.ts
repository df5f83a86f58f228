import type { LimitRange, LimitRangeItem, ResourceQuota } from '../../../api/types/core-v1.ts';
import { type Errors, eachEntry, same } from '../checks.ts';
import { ageColumn, createdColumn, nameColumn, text } from '../columns.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { validateLimitRange } from './limit-range.ts';
import { validateScopes } from './quota-scopes.ts';
import { compareQuantity, validateQuantity, validateQuotaResourceName } from './resource-names.ts';

/** Container limits fill each other: max → default → defaultRequest ← min. */
function defaultItem(item: LimitRangeItem): void {
  if (item.type !== 'Container') return;
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  if (Object.keys(limits).length > 0) item.default = limits;
  if (Object.keys(requests).length > 0) item.defaultRequest = requests;
}

export const limitRanges = namespaced<LimitRange>({
  resource: '/limitranges',
  allowCreateOnUpdate: true,
  default: range => range.spec.limits?.forEach(defaultItem),
  validate: validateLimitRange,
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

const quantities = (list: Record<string, string> | undefined, path: string) =>
  eachEntry(list, path, (value, at, name) => [
    ...validateQuotaResourceName(name, at),
    ...validateQuantity(name, value, at),
  ]);

function validateQuota({ spec }: ResourceQuota): Errors {
  return [...quantities(spec.hard, 'spec.hard'), ...validateScopes(spec)];
}

const limitedTwice = ['cpu', 'memory', 'storage', 'ephemeral-storage'];

/** Requests that may be more than the limits are a mistake. Cpu and memory also go by their bare names. */
function quotaWarnings({ spec }: ResourceQuota): string[] {
  const hard = spec.hard ?? {};
  return limitedTwice.flatMap(name => {
    const prefixed = `requests.${name}`;
    const bare = name === 'cpu' || name === 'memory';
    const request = bare && hard[prefixed] === undefined ? name : prefixed;
    const limit = `limits.${name}`;
    const [low, high] = [hard[request], hard[limit]];
    return low !== undefined && high !== undefined && compareQuantity(low, high) > 0
      ? [`ResourceQuota ${request} (${low}) should be less than ${limit} (${high})`]
      : [];
  });
}

export const resourceQuotas = namespaced<ResourceQuota>({
  resource: '/resourcequotas',
  default(quota) {
    quota.status ??= {};
  },
  validate: validateQuota,
  warnings: (quota, old) => (old ? [] : quotaWarnings(quota)),
  validateUpdate(quota, old) {
    const scopes = quota.spec.scopes ?? [];
    return same([...scopes].sort(), [...(old.spec.scopes ?? [])].sort())
      ? []
      : [field.invalid('spec.scopes', scopes, 'field is immutable')];
  },
  subresources: {
    status: statusSubresource<ResourceQuota>({
      validateUpdate: ({ status }) => [
        ...quantities(status?.hard, 'status.hard'),
        ...quantities(status?.used, 'status.used'),
      ],
    }),
  },
  initialStatus: () => ({}),
  columns: [
    nameColumn,
    text('Request', quota => usage(quota, false)),
    text('Limit', quota => usage(quota, true)),
    ageColumn,
  ],
});
