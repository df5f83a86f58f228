/** What the built-in signers sign (pkg/controller/certificates/signer and pkg/apis/certificates/helpers.go of upstream). Pure. */
import type { RequestInfo } from '../../base/x509/certificate.ts';

export const signers = {
  kubeletClient: 'kubernetes.io/kube-apiserver-client-kubelet',
  kubeletServing: 'kubernetes.io/kubelet-serving',
  apiserverClient: 'kubernetes.io/kube-apiserver-client',
  legacy: 'kubernetes.io/legacy-unknown',
} as const;

const sameSet = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every(x => b.includes(x));
const subset = (a: readonly string[], b: readonly string[]) => a.every(x => b.includes(x));
const noNames = (r: RequestInfo) => r.dnsNames.length + r.addresses.length + r.emails.length + r.uris.length === 0;

/** Undefined when the request is one of this signer's; else what is wrong, in upstream's words. */
export function complaintOf(signer: string, request: RequestInfo, usages: readonly string[]): string | undefined {
  if (signer === signers.kubeletClient) return kubeletClientComplaint(request, usages);
  if (signer === signers.kubeletServing) return kubeletServingComplaint(request, usages);
  if (signer === signers.apiserverClient) return apiserverClientComplaint(usages);
  return undefined;
}

export function kubeletClientComplaint(request: RequestInfo, usages: readonly string[]): string | undefined {
  if (!sameSet(request.organizations, ['system:nodes'])) return 'subject organization is not system:nodes';
  if (request.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (request.emails.length > 0) return 'email subjectAltNames are not allowed';
  if (request.addresses.length > 0) return 'IP subjectAltNames are not allowed';
  if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
  if (!request.commonName.startsWith('system:node:')) return 'subject common name does not begin with system:node:';
  const wanted = ['digital signature', 'client auth'];
  if (!sameSet(usages, wanted) && !sameSet(usages, [...wanted, 'key encipherment']))
    return 'usages did not match [digital signature key encipherment client auth]';
  return undefined;
}

export function kubeletServingComplaint(request: RequestInfo, usages: readonly string[]): string | undefined {
  if (!sameSet(request.organizations, ['system:nodes'])) return 'subject organization is not system:nodes';
  if (request.dnsNames.length + request.addresses.length === 0) return 'DNS or IP subjectAltName is required';
  if (request.emails.length > 0) return 'email subjectAltNames are not allowed';
  if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
  if (!request.commonName.startsWith('system:node:')) return 'subject common name does not begin with system:node:';
  const wanted = ['digital signature', 'server auth'];
  if (!sameSet(usages, wanted) && !sameSet(usages, [...wanted, 'key encipherment']))
    return 'usages did not match [digital signature key encipherment server auth]';
  return undefined;
}

function apiserverClientComplaint(usages: readonly string[]): string | undefined {
  if (!usages.includes('client auth')) return 'usages does not include client auth';
  return subset(usages, ['digital signature', 'key encipherment', 'client auth'])
    ? undefined
    : 'usages include entries outside of [digital signature key encipherment client auth]';
}

/** Whether a node asks for a client certificate of its own name, for the first time (with a bootstrap token) or again. */
export function isSelfNodeClient(request: RequestInfo, usages: readonly string[], username: string): boolean {
  return kubeletClientComplaint(request, usages) === undefined && request.commonName === username;
}
export function isNodeClient(request: RequestInfo, usages: readonly string[]): boolean {
  return kubeletClientComplaint(request, usages) === undefined;
}
/** Upstream leaves serving certificates to people; here a node's own name and addresses, as its Node object has them, are let through. */
export function isOwnServing(
  request: RequestInfo,
  usages: readonly string[],
  username: string,
  known: { names: readonly string[]; addresses: readonly string[] },
): boolean {
  return (
    kubeletServingComplaint(request, usages) === undefined &&
    request.commonName === username &&
    subset(request.dnsNames, known.names) &&
    subset(request.addresses, known.addresses) &&
    !noNames(request)
  );
}
