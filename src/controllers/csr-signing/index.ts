/** Signs approved requests of the built-in signers. */

import { keyOf } from '../../api/object.ts';
import type { CertificateSigningRequest } from '../../api/types/index.ts';
import { rfc3339 } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { parseCertificateRequest } from '../../base/x509/certificate.ts';
import { type Controller, watch } from '../../controller/contract.ts';
import { complaintOf, signers } from './recognize.ts';

export interface CsrSigningOptions {
  /** Signs a PEM request with the cluster's CA and gives a PEM certificate. Cryptography is the host's. Times in milliseconds. */
  readonly sign: (
    request: string,
    policy: { usages: readonly string[]; notBefore: number; notAfter: number },
  ) => string | Promise<string>;
  /** Longest and default validity; one year as upstream. */
  readonly durationMs?: number;
}

const fiveMinutes = 300_000;
const builtIn: readonly string[] = Object.values(signers);

export const isApproved = (csr: CertificateSigningRequest) =>
  csr.status?.conditions?.some(c => c.type === 'Approved') === true &&
  !csr.status.conditions.some(c => c.type === 'Denied');
const hasFailed = (csr: CertificateSigningRequest) => csr.status?.conditions?.some(c => c.type === 'Failed') === true;

export function csrSigningController(options: CsrSigningOptions): Controller {
  return {
    name: 'certificatesigningrequest-signing-controller',
    account: 'certificate-controller',
    setUp({ client, clock, informers, log }) {
      const requests = informers.informer('certificates.k8s.io/v1/certificatesigningrequests');
      const longest = options.durationMs ?? 365 * 86_400_000;

      async function fail(csr: CertificateSigningRequest, message: string): Promise<void> {
        const now = rfc3339(clock.now());
        const condition = {
          type: 'Failed',
          status: 'True',
          reason: 'SignerValidationFailure',
          message,
          lastUpdateTime: now,
          lastTransitionTime: now,
        };
        await client.certificatesigningrequests().updateStatus({
          ...csr,
          status: { ...csr.status, conditions: [...(csr.status?.conditions ?? []), condition] },
        });
      }

      return {
        sources: [watch<'certificates.k8s.io/v1/certificatesigningrequests'>(requests, csr => [keyOf(csr)])],
        async reconcile(name) {
          const csr = requests.store.get(name);
          if (
            !csr ||
            csr.status?.certificate ||
            !isApproved(csr) ||
            hasFailed(csr) ||
            !builtIn.includes(csr.spec.signerName)
          )
            return;
          const pem = atob(csr.spec.request);
          const usages = csr.spec.usages ?? [];
          let certificate: string;
          try {
            const complaint = complaintOf(csr.spec.signerName, parseCertificateRequest(pem), usages);
            if (complaint !== undefined) return await fail(csr, complaint);
            const wanted = csr.spec.expirationSeconds === undefined ? longest : csr.spec.expirationSeconds * 1000;
            const now = clock.now();
            certificate = await options.sign(pem, {
              usages,
              notBefore: now - fiveMinutes,
              notAfter: now + Math.min(longest, Math.max(wanted, 600_000)),
            });
          } catch (error) {
            log.warn('A certificate request cannot be signed', { name, error: messageOf(error) });
            return await fail(csr, messageOf(error));
          }
          await client
            .certificatesigningrequests()
            .updateStatus({ ...csr, status: { ...csr.status, certificate: btoa(certificate) } });
        },
      };
    },
  };
}
