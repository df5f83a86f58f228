import type { Lease } from '../../../api/types/coordination-v1.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';

export const leases = namespaced<Lease>({
  resource: 'coordination.k8s.io/leases',
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  default(lease) {
    lease.spec ??= {};
  },
  columns: [nameColumn, text('Holder', obj => obj.spec?.holderIdentity ?? ''), ageColumn],
});
