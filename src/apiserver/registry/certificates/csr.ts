import { humanDuration } from '../../../api/duration.ts';
import type { CertificateSigningRequest } from '../../../api/types/certificates-v1.ts';
import { rfc3339 } from '../../../base/clock.ts';
import { ageColumn, nameColumn, orNone, text } from '../columns.ts';
import { clusterScoped, keepAllButStatus } from '../define.ts';
import { validateCsr, validateCsrApproval, validateCsrStatus } from './csr-validate.ts';

function condition({ status }: CertificateSigningRequest): string {
  const has = (type: string) => status?.conditions?.some(c => c.type === type);
  const words = [has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'];
  if (has('Failed')) words.push('Failed');
  if (status?.certificate) words.push('Issued');
  return words.join(',');
}

/** Conditions of these types are not this subresource's to change: the stored ones are put back. */
function keepConditions(
  csr: CertificateSigningRequest,
  old: CertificateSigningRequest,
  types: readonly string[],
): void {
  const kept = (old.status?.conditions ?? []).filter(c => types.includes(c.type));
  const others = (csr.status?.conditions ?? []).filter(c => !types.includes(c.type));
  const conditions = [...kept, ...others];
  csr.status = { ...csr.status };
  if (conditions.length > 0) csr.status.conditions = conditions;
  else delete csr.status.conditions;
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
  default(csr) {
    csr.status ??= {};
    csr.spec.usages ??= ['digital signature', 'key encipherment'];
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
  validate: validateCsr,
  subresources: {
    status: {
      prepareForUpdate(csr, old, { clock }) {
        keepAllButStatus(csr, old);
        keepConditions(csr, old, ['Approved', 'Denied']);
        stampConditions(csr, old, rfc3339(clock.now()));
      },
      validateUpdate: validateCsrStatus,
    },
    approval: {
      prepareForUpdate(csr, old, { clock }) {
        keepAllButStatus(csr, old);
        const { certificate } = old.status ?? {};
        csr.status = { ...csr.status, ...(certificate !== undefined && { certificate }) };
        if (certificate === undefined) delete csr.status.certificate;
        stampConditions(csr, old, rfc3339(clock.now()));
      },
      validateUpdate: validateCsrApproval,
    },
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
