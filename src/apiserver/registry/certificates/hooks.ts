/** The part of a request's validation that takes time. */
import type { CertificateSigningRequest } from '../../../api/types/certificates-v1.ts';
import { errors } from '../../../base/errors.ts';
import type { Hooks } from '../../server/scope.ts';
import { aggregate, field } from '../field-errors.ts';
import { requestComplaint, requestPem } from './csr-validate.ts';
import { signatureComplaint } from './signature.ts';

/** Refuses requests whose sender does not hold the key. */
export const signingRequestHooks: Hooks = {
  async beginCreate(obj) {
    const csr = obj as unknown as CertificateSigningRequest;
    // What is malformed the validation refuses, which comes after this.
    if (requestComplaint(csr) !== undefined) return undefined;
    const why = await signatureComplaint(requestPem(csr));
    if (why === undefined) return undefined;
    const { causes, message } = aggregate([field.invalid('spec.request', csr.spec.request, why)]);
    const kind = { group: 'certificates.k8s.io', kind: 'CertificateSigningRequest' };
    throw errors.invalid(kind, csr.metadata.name, causes, message);
  },
};
