import { humanDuration } from '../../../api/duration.ts';
import type { CertificateSigningRequest } from '../../../api/types/certificates-v1.ts';
import { rfc3339 } from '../../../base/clock.ts';
import { ageColumn, nameColumn, orNone, text } from '../columns.ts';
import { clusterScoped, statusSubresource } from '../define.ts';
import { validateCsr, validateCsrApproval, validateCsrStatus, validateCsrUpdate } from './csr-validate.ts';

function condition({ status }: CertificateSigningRequest): string {
  const has = (type: string) => status?.conditions?.some(c => c.type === type);
  const words = [has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'];
  if (has('Failed')) words.push('Failed');
  if (status?.certificate) words.push('Issued');
  return words.join(',');
}

/** Decisions are not this subresource's: where there are as many as before, they are the stored ones. */
function keepDecisions(csr: CertificateSigningRequest, old: CertificateSigningRequest): void {
  for (const type of ['Approved', 'Denied']) {
    const before = (old.status?.conditions ?? []).filter(c => c.type === type);
    const conditions = csr.status?.conditions ?? [];
    const places = conditions.flatMap((c, i) => (c.type === type ? [i] : []));
    if (places.length !== before.length) continue;
    for (const [i, condition] of before.entries()) conditions[places[i] ?? 0] = structuredClone(condition);
  }
}

/** New conditions get their times. In place. */
function stampConditions(csr: CertificateSigningRequest, old: CertificateSigningRequest, now: string): void {
  for (const condition of csr.status?.conditions ?? []) {
    condition.lastUpdateTime ??= now;
    if (condition.lastTransitionTime) continue;
    const before = old.status?.conditions?.find(c => c.type === condition.type && c.status === condition.status);
    condition.lastTransitionTime = before?.lastTransitionTime ?? now;
  }
}

export const certificateSigningRequests = clusterScoped<CertificateSigningRequest>({
  resource: 'certificates.k8s.io/certificatesigningrequests',
  generation: false,
  validateName: () => [],
  default(csr) {
    csr.status ??= {};
  },
  initialStatus: () => ({}),
  prepareForCreate(csr, { user }) {
    // Who asks is decided by authentication, never by the request.
    csr.spec.username = user.name;
    csr.spec.uid = user.uid ?? '';
    csr.spec.groups = [...user.groups];
    csr.spec.extra = Object.fromEntries(Object.entries(user.extra ?? {}).map(([key, values]) => [key, [...values]]));
    if (Object.keys(csr.spec.extra).length === 0) delete csr.spec.extra;
  },
  prepareForUpdate(csr, old) {
    csr.spec = structuredClone(old.spec);
  },
  validateCreate: validateCsr,
  validateUpdate: validateCsrUpdate,
  subresources: {
    status: statusSubresource<CertificateSigningRequest>({
      prepareForUpdate(csr, old, { clock }) {
        keepDecisions(csr, old);
        stampConditions(csr, old, rfc3339(clock.now()));
      },
      validateUpdate: validateCsrStatus,
    }),
    approval: statusSubresource<CertificateSigningRequest>({
      prepareForUpdate(csr, old, { clock }) {
        stampConditions(csr, old, rfc3339(clock.now()));
        const { conditions } = csr.status ?? {};
        csr.status = { ...structuredClone(old.status), ...(conditions && { conditions }) };
        if (!conditions) delete csr.status.conditions;
      },
      validateUpdate: validateCsrApproval,
    }),
  },
  columns: [
    nameColumn,
    ageColumn,
    text('SignerName', obj => orNone(obj.spec.signerName)),
    text('Requestor', obj => obj.spec.username ?? ''),
    text('RequestedDuration', ({ spec: { expirationSeconds: s } }) =>
      s === undefined ? '<none>' : humanDuration(s * 1000),
    ),
    text('Condition', condition),
  ],
  selectableFields: { 'spec.signerName': obj => obj.spec.signerName ?? '' },
});
