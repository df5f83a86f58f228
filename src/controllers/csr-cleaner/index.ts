/** Removes requests that nobody needs any more (pkg/controller/certificates/cleaner of upstream). */

import { keyOf } from '../../api/object.ts';
import type { CertificateSigningRequest } from '../../api/types/index.ts';
import { isNotFound } from '../../base/errors.ts';
import { parseCertificate } from '../../base/x509/certificate.ts';
import { type Controller, watch } from '../../controller/contract.ts';

const hour = 3_600_000;
const ages = { approved: hour, denied: hour, failed: hour, pending: 24 * hour } as const;

/** Milliseconds since the epoch at which a request goes; undefined for "not by age". Pure. */
export function removalTime(csr: CertificateSigningRequest): number | undefined {
  const created = Date.parse(csr.metadata.creationTimestamp ?? '');
  const times = [created + ages.pending].filter(() => (csr.status?.conditions ?? []).length === 0);
  for (const c of csr.status?.conditions ?? []) {
    const at = Date.parse(c.lastUpdateTime ?? csr.metadata.creationTimestamp ?? '');
    if (c.type === 'Approved') times.push(at + (csr.status?.certificate ? ages.approved : ages.pending));
    if (c.type === 'Denied') times.push(at + ages.denied);
    if (c.type === 'Failed') times.push(at + ages.failed);
  }
  const expiry = expiryOf(csr);
  if (expiry !== undefined) times.push(expiry);
  const valid = times.filter(time => !Number.isNaN(time));
  return valid.length === 0 ? undefined : Math.min(...valid);
}

function expiryOf(csr: CertificateSigningRequest): number | undefined {
  if (!csr.status?.certificate) return undefined;
  try {
    return parseCertificate(atob(csr.status.certificate)).notAfter;
  } catch {
    // An unreadable certificate goes by the age of its approval.
    return undefined;
  }
}

export const csrCleanerController: Controller = {
  name: 'certificatesigningrequest-cleaner-controller',
  account: 'certificate-controller',
  setUp({ client, clock, informers }) {
    const requests = informers.informer('certificates.k8s.io/v1/certificatesigningrequests');
    return {
      sources: [watch<'certificates.k8s.io/v1/certificatesigningrequests'>(requests, csr => [keyOf(csr)])],
      async reconcile(name) {
        const csr = requests.store.get(name);
        const at = csr && removalTime(csr);
        if (!csr || at === undefined) return;
        const left = at - clock.now();
        if (left > 0) return { requeueAfter: left };
        try {
          await client.certificatesigningrequests().delete(name, { preconditions: { uid: csr.metadata.uid ?? '' } });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
        return;
      },
    };
  },
};
