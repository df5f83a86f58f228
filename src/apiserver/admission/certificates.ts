/** Who may approve and sign which certificate requests, and for whom. */
import type { CertificateSigningRequest } from '../../api/types/certificates-v1.ts';
import { semanticEqual } from '../../api/util/values.ts';
import { parseCertificateRequest } from '../../base/x509/certificate.ts';
import type { Authorizer } from '../auth/contract.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from './contract.ts';
import { forbid, isFor, objectOf, oldObjectOf, on } from './helpers.ts';

const group = 'certificates.k8s.io';
const resource = `${group}/certificatesigningrequests`;
const clientSigner = 'kubernetes.io/kube-apiserver-client';

/** On the signer itself, or on all of its domain ("example.com/*"). */
async function mayUseSigner(
  request: AdmissionRequest,
  authorizer: Authorizer,
  verb: string,
  signer: string,
): Promise<boolean> {
  const domain = signer.split('/')[0] ?? '';
  for (const name of [signer, `${domain}/*`]) {
    const { result } = await authorizer.authorize({
      user: request.user,
      verb,
      group,
      version: '*',
      resource: 'signers',
      subresource: '',
      namespace: '',
      name,
      isResource: true,
      path: '',
    });
    if (result === 'allow') return true;
  }
  return false;
}

export const certificateApproval: AdmissionPluginFactory = {
  name: 'CertificateApproval',
  create: ({ authorizer }) => ({
    name: 'CertificateApproval',
    resources: [resource],
    handles: on('UPDATE'),
    async validate(request) {
      if (!isFor(request, resource, 'approval')) return;
      const { signerName } = oldObjectOf<CertificateSigningRequest>(request).spec;
      if (!(await mayUseSigner(request, authorizer, 'approve', signerName)))
        throw forbid(request, `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`);
    },
  }),
};

export const certificateSigning: AdmissionPluginFactory = {
  name: 'CertificateSigning',
  create: ({ authorizer }) => ({
    name: 'CertificateSigning',
    resources: [resource],
    handles: on('UPDATE'),
    async validate(request) {
      if (!isFor(request, resource, 'status')) return;
      const old = oldObjectOf<CertificateSigningRequest>(request);
      const { status } = objectOf<CertificateSigningRequest>(request);
      const same =
        status?.certificate === old.status?.certificate &&
        semanticEqual(status?.conditions ?? [], old.status?.conditions ?? []);
      if (same) return;
      const { signerName } = old.spec;
      if (!(await mayUseSigner(request, authorizer, 'sign', signerName)))
        throw forbid(request, `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`);
    },
  }),
};

/** Nobody becomes a member of system:masters by certificate. */
export const certificateSubjectRestriction: AdmissionPluginFactory = {
  name: 'CertificateSubjectRestriction',
  create: () => ({
    name: 'CertificateSubjectRestriction',
    resources: [resource],
    handles: on('CREATE'),
    validate(request) {
      if (!isFor(request, resource)) return;
      const { spec } = objectOf<CertificateSigningRequest>(request);
      if (spec.signerName !== clientSigner) return;
      let organizations: readonly string[];
      try {
        organizations = parseCertificateRequest(atob(spec.request)).organizations;
      } catch {
        throw forbid(request, 'could not parse the certificate request');
      }
      if (organizations.includes('system:masters'))
        throw forbid(request, `use of ${clientSigner} signer with system:masters group is not allowed`);
    },
  }),
};
