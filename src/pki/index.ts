export {
  type AlternativeNames,
  type CertificateInfo,
  parseCertificate,
  parseCertificateRequest,
  type RequestInfo,
} from '../base/x509/certificate.ts';
export {
  type ClientName,
  type ClusterPki,
  type ClusterPkiOptions,
  ensureClusterPki,
  issueClientCredentials,
  issueNodeCredentials,
} from './cluster.ts';
export {
  type CertificateSpec,
  type Credentials,
  createAuthority,
  createCertificateRequest,
  issueCertificate,
  newKey,
  publicKeyOf,
  signCertificateRequest,
  verifyCertificateRequest,
} from './issue.ts';
export { type KubeconfigSpec, kubeconfig, writeKubeconfig } from './kubeconfig.ts';
