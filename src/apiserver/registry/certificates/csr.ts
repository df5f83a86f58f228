import { humanDuration } from '../../../api/duration.ts';
import type { CertificateSigningRequest } from '../../../api/types/certificates-v1.ts';
import { ageColumn, nameColumn, orNone, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';

function condition({ status }: CertificateSigningRequest): string {
  const has = (type: string) => status?.conditions?.some(c => c.type === type);
  const words = [has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'];
  if (has('Failed')) words.push('Failed');
  if (status?.certificate) words.push('Issued');
  return words.join(',');
}

export const certificateSigningRequests = clusterScoped<CertificateSigningRequest>({
  resource: 'certificates.k8s.io/certificatesigningrequests',
  default(csr) {
    csr.status ??= {};
    if (csr.spec) csr.spec.usages ??= ['digital signature', 'key encipherment'];
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
  selectableFields: { 'spec.signerName': obj => obj.spec.signerName },
});
