/** The files that secure a cluster, named and filled as kubeadm does. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { encodeAddress, formatAddress } from '../base/x509/address.ts';
import { type CertificateInfo, parseCertificate } from '../base/x509/certificate.ts';
import { createOnce, readIfPresent, writeFileSecurely } from './files.ts';
import {
  type CertificateSpec,
  type Credentials,
  createAuthority,
  issueCertificate,
  newKey,
  publicKeyOf,
} from './issue.ts';

const day = 86_400_000;
const authorityLifetime = 3650 * day;
const certificateLifetime = 365 * day;
/** Renewed when less than this is left. */
const renewBefore = 90 * day;
/** Tolerates clocks of other machines that are behind. */
const backdate = 5 * 60_000;

const clientUsages = ['digital signature', 'key encipherment', 'client auth'];
const serverUsages = ['digital signature', 'key encipherment', 'server auth'];

export interface ClusterPkiOptions {
  /** Host names of the API server besides the built-in ones. */
  readonly names?: readonly string[];
  /** Its IP addresses, the first service address among them. */
  readonly addresses?: readonly string[];
  readonly clock: Clock;
  /** Default "cluster.local". */
  readonly clusterDomain?: string;
}

export type ClientName = 'apiserver-kubelet-client' | 'admin' | 'controller-manager' | 'scheduler' | 'kube-proxy';

export interface ClusterPki {
  /** Signs the API server, kubelets and clients. */
  readonly ca: Credentials;
  readonly frontProxyCa: Credentials;
  readonly frontProxyClient: Credentials;
  readonly apiserver: Credentials;
  readonly clients: Readonly<Record<ClientName, Credentials>>;
  /** Signs and checks service-account tokens: PKCS #8 and SubjectPublicKeyInfo PEM. */
  readonly serviceAccount: { readonly key: string; readonly publicKey: string };
  /** Files written by this call, relative to the directory. Empty when everything was there and fresh. */
  readonly written: readonly string[];
}

const clientSubjects: Readonly<Record<ClientName, { commonName: string; organizations: readonly string[] }>> = {
  'apiserver-kubelet-client': { commonName: 'kube-apiserver-kubelet-client', organizations: [] },
  admin: { commonName: 'kubernetes-admin', organizations: ['system:masters'] },
  'controller-manager': { commonName: 'system:kube-controller-manager', organizations: [] },
  scheduler: { commonName: 'system:kube-scheduler', organizations: [] },
  'kube-proxy': { commonName: 'system:kube-proxy', organizations: [] },
};

/**
 * Makes what is missing, renews what is about to expire, was signed by another authority or lacks a name, and reads the
 * rest. Keys are mode 0600 and are kept when a certificate is renewed. Safe to call from several processes at once.
 * Throws an Error that names the file when one is unusable.
 */
export function ensureClusterPki(directory: string, options: ClusterPkiOptions): ClusterPki {
  const now = options.clock.now();
  const written: string[] = [];
  const files: Files = { directory, now, written };
  const ca = ensureAuthority(files, 'ca', 'kubernetes');
  const frontProxyCa = ensureAuthority(files, 'front-proxy-ca', 'front-proxy-ca');
  const client = (name: ClientName) =>
    ensureCertificate(files, name, ca, { ...clientSubjects[name], usages: clientUsages });
  return {
    ca,
    frontProxyCa,
    frontProxyClient: ensureCertificate(files, 'front-proxy-client', frontProxyCa, {
      commonName: 'front-proxy-client',
      usages: clientUsages,
    }),
    apiserver: ensureCertificate(files, 'apiserver', ca, apiserverSpec(options)),
    clients: {
      'apiserver-kubelet-client': client('apiserver-kubelet-client'),
      admin: client('admin'),
      'controller-manager': client('controller-manager'),
      scheduler: client('scheduler'),
      'kube-proxy': client('kube-proxy'),
    },
    serviceAccount: ensureServiceAccountKeys(files),
    written,
  };
}

type LeafSpec = Omit<CertificateSpec, 'notBefore' | 'notAfter'>;
interface Files {
  readonly directory: string;
  readonly now: number;
  readonly written: string[];
}

function apiserverSpec(options: ClusterPkiOptions): LeafSpec {
  const domain = options.clusterDomain ?? 'cluster.local';
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${domain}`];
  const canonical = (options.addresses ?? []).map(a => formatAddress(encodeAddress(a)));
  return {
    commonName: 'kube-apiserver',
    usages: serverUsages,
    dnsNames: [...new Set([...service, 'localhost', ...(options.names ?? [])])],
    addresses: [...new Set(['127.0.0.1', '::1', ...canonical])],
  };
}

function put(files: Files, name: string, content: string, mode: number): void {
  writeFileSecurely(join(files.directory, name), content, mode);
  files.written.push(name);
}

function ensureKey(files: Files, name: string): string {
  const path = join(files.directory, name);
  const key = createOnce(
    path,
    () => {
      files.written.push(name);
      return newKey();
    },
    0o600,
  );
  usable(path, () => createPrivateKey(key));
  return key;
}

function usable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (e) {
    throw new Error(`${path}: ${messageOf(e)}`);
  }
}

function readCertificate(files: Files, name: string): { pem: string; info: CertificateInfo } | undefined {
  const path = join(files.directory, name);
  const pem = readIfPresent(path);
  return pem === undefined ? undefined : { pem, info: usable(path, () => parseCertificate(pem)) };
}

function samePublicKey(info: CertificateInfo, key: string): boolean {
  return createPublicKey(key).export({ type: 'spki', format: 'der' }).equals(info.publicKey);
}

function ensureAuthority(files: Files, name: string, commonName: string): Credentials {
  const present = readCertificate(files, `${name}.crt`);
  const keyPath = join(files.directory, `${name}.key`);
  if (present && readIfPresent(keyPath) === undefined)
    throw new Error(`${keyPath}: missing, and ${name}.crt cannot be used for signing without it`);
  const key = ensureKey(files, `${name}.key`);
  if (present && samePublicKey(present.info, key) && present.info.notAfter - files.now > renewBefore)
    return { certificate: present.pem, key };
  const notBefore = files.now - backdate;
  const made = createAuthority(
    { commonName: present?.info.commonName || commonName, notBefore, notAfter: files.now + authorityLifetime },
    key,
  );
  put(files, `${name}.crt`, made.certificate, 0o644);
  return made;
}

function covers(info: CertificateInfo, spec: LeafSpec): boolean {
  const all = (wanted: readonly string[] | undefined, has: readonly string[]) =>
    (wanted ?? []).every(w => has.includes(w));
  return (
    info.commonName === spec.commonName &&
    // No more of them either: groups are rights.
    info.organizations.length === (spec.organizations ?? []).length &&
    all(spec.organizations, info.organizations) &&
    all(spec.dnsNames, info.dnsNames) &&
    all(spec.addresses, info.addresses)
  );
}

function ensureCertificate(files: Files, name: string, authority: Credentials, spec: LeafSpec): Credentials {
  const present = readCertificate(files, `${name}.crt`);
  const key = ensureKey(files, `${name}.key`);
  if (
    present &&
    present.info.notAfter - files.now > renewBefore &&
    covers(present.info, spec) &&
    samePublicKey(present.info, key) &&
    signedBy(present.pem, authority)
  )
    return { certificate: present.pem, key };
  const lifetime = { notBefore: files.now - backdate, notAfter: files.now + certificateLifetime };
  const made = issueCertificate(authority, { ...spec, ...lifetime }, key);
  put(files, `${name}.crt`, made.certificate, 0o644);
  return made;
}

function signedBy(pem: string, authority: Credentials): boolean {
  return new X509Certificate(pem).verify(new X509Certificate(authority.certificate).publicKey);
}

function ensureServiceAccountKeys(files: Files): { key: string; publicKey: string } {
  const key = ensureKey(files, 'sa.key');
  const publicKey = publicKeyOf(key);
  if (readIfPresent(join(files.directory, 'sa.pub')) !== publicKey) put(files, 'sa.pub', publicKey, 0o644);
  return { key, publicKey };
}

/** An identity for a part of the cluster that keeps no file of its own: made anew each time it starts. */
export function issueClientCredentials(
  authority: Credentials,
  subject: Pick<CertificateSpec, 'commonName' | 'organizations'>,
  clock: Clock,
): Credentials {
  const lifetime = { notBefore: clock.now() - backdate, notAfter: clock.now() + certificateLifetime };
  return issueCertificate(authority, { ...subject, ...lifetime, usages: clientUsages });
}

/** What a kubelet needs to join: its client identity, and its serving certificate for these names and addresses. */
export function issueNodeCredentials(
  authority: Credentials,
  node: { name: string; names?: readonly string[]; addresses?: readonly string[] },
  clock: Clock,
): { client: Credentials; serving: Credentials } {
  const identity = { commonName: `system:node:${node.name}`, organizations: ['system:nodes'] };
  const lifetime = { notBefore: clock.now() - backdate, notAfter: clock.now() + certificateLifetime };
  return {
    client: issueClientCredentials(authority, identity, clock),
    serving: issueCertificate(authority, {
      ...identity,
      ...lifetime,
      usages: serverUsages,
      dnsNames: [...new Set([node.name, ...(node.names ?? [])])],
      addresses: node.addresses ?? [],
    }),
  };
}
