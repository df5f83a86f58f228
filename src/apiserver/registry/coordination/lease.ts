import type { Lease } from '../../../api/types/coordination-v1.ts';
import { nonNegative, optional, positive } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';

/** Fields of coordinated leader election, which is off in v1.35 (the CoordinatedLeaderElection gate). */
function dropCoordination({ spec }: Lease): void {
  delete spec.strategy;
  delete spec.preferredHolder;
}

export const leases = namespaced<Lease>({
  resource: 'coordination.k8s.io/leases',
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  prepareForCreate: dropCoordination,
  prepareForUpdate: dropCoordination,
  validate: ({ spec }) => [
    ...optional(spec.leaseDurationSeconds, 'spec.leaseDurationSeconds', positive),
    ...optional(spec.leaseTransitions, 'spec.leaseTransitions', nonNegative),
  ],
  columns: [nameColumn, text('Holder', obj => obj.spec?.holderIdentity ?? ''), ageColumn],
});
