import type { Lease } from '../../../api/types/coordination-v1.ts';
import { type Errors, nonNegative, optional, positive, qualifiedName } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';
import { field } from '../field-errors.ts';

function validateLease({ spec }: Lease): Errors {
  const { strategy, preferredHolder } = spec;
  return [
    ...optional(spec.leaseDurationSeconds, 'spec.leaseDurationSeconds', positive),
    ...optional(spec.leaseTransitions, 'spec.leaseTransitions', nonNegative),
    ...optional(strategy, 'spec.strategy', (value, at) =>
      value === 'OldestEmulationVersion' || value.includes('/')
        ? qualifiedName(value, at)
        : [field.invalid(at, value, 'must be a known or qualified strategy')],
    ),
    ...(preferredHolder && !strategy
      ? [field.forbidden('spec.preferredHolder', 'may only be specified if `strategy` is defined')]
      : []),
  ];
}

export const leases = namespaced<Lease>({
  resource: 'coordination.k8s.io/leases',
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  validate: validateLease,
  columns: [nameColumn, text('Holder', obj => obj.spec?.holderIdentity ?? ''), ageColumn],
});
