/** Makes certificate authorities and certificates. Keys are ECDSA P-256; OpenSSL makes keys and signatures. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import {
  type AlternativeNames,
  encodeRequestInfo,
  encodeSigned,
  encodeSubject,
  encodeTbsCertificate,
  parseCertificate,
  parseCertificateRequest,
  publicKeyBits,
  type RequestInfo,
} from '../base/x509/certificate.ts';
import { DerError, der, toPem } from '../base/x509/der.ts';

/** A certificate and its private key, both PEM. */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateSpec extends Partial<AlternativeNames> {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  /** Names of certificates.k8s.io, such as "server auth". */
  readonly usages: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const caUsages = ['digital signature', 'key encipherment', 'cert sign'];
const ecdsaWithSha256 = der.sequence(der.oid('1.2.840.10045.4.3.2'));
const rsaWithSha256 = der.sequence(der.oid('1.2.840.113549.1.1.11'), der.value(5));
const ed25519 = der.sequence(der.oid('1.3.101.112'));

/** Signature algorithms that requests may use, by OID, with OpenSSL's digest name (null: built into the algorithm). */
const digests: Readonly<Record<string, string | null>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
};

/** A new private key as PKCS #8 PEM. */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The public half, as SubjectPublicKeyInfo PEM. */
export function publicKeyOf(key: string): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
}

function algorithmOf(key: KeyObject): { identifier: Uint8Array; digest: string | null } {
  if (key.asymmetricKeyType === 'rsa') return { identifier: rsaWithSha256, digest: 'sha256' };
  if (key.asymmetricKeyType === 'ed25519') return { identifier: ed25519, digest: null };
  return { identifier: ecdsaWithSha256, digest: 'sha256' };
}

const spkiOf = (key: KeyObject): Uint8Array => createPublicKey(key).export({ type: 'spki', format: 'der' });
const keyIdOf = (spki: Uint8Array): Uint8Array => createHash('sha1').update(publicKeyBits(spki)).digest();
const namesOf = (spec: Partial<AlternativeNames>): AlternativeNames => ({
  dnsNames: spec.dnsNames ?? [],
  addresses: spec.addresses ?? [],
  emails: spec.emails ?? [],
  uris: spec.uris ?? [],
});

interface Issue extends AlternativeNames {
  readonly rawSubject: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly usages: readonly string[];
  readonly isCa: boolean;
  readonly notBefore: number;
  readonly notAfter: number;
}

function issue(what: Issue, issuer: { rawSubject: Uint8Array; key: KeyObject }): string {
  const { identifier, digest } = algorithmOf(issuer.key);
  const body = encodeTbsCertificate({
    ...what,
    serial: positiveSerial(),
    rawIssuer: issuer.rawSubject,
    ...(what.isCa && { subjectKeyId: keyIdOf(what.publicKey) }),
    ...(!what.isCa && { authorityKeyId: keyIdOf(spkiOf(issuer.key)) }),
    signatureAlgorithm: identifier,
  });
  return toPem('CERTIFICATE', encodeSigned(body, identifier, sign(digest, body, issuer.key)));
}

/** 63 random bits, never zero. */
function positiveSerial(): Uint8Array {
  const bytes = randomBytes(8);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

/** A self-signed authority. With `key`, the same key is certified anew, so that what it signed before stays valid. */
export function createAuthority(
  spec: { commonName: string; notBefore: number; notAfter: number },
  key: string = newKey(),
): Credentials {
  const privateKey = createPrivateKey(key);
  const rawSubject = encodeSubject({ commonName: spec.commonName, organizations: [] });
  const certificate = issue(
    {
      ...namesOf({ dnsNames: [spec.commonName] }),
      rawSubject,
      publicKey: spkiOf(privateKey),
      usages: caUsages,
      isCa: true,
      notBefore: spec.notBefore,
      notAfter: spec.notAfter,
    },
    { rawSubject, key: privateKey },
  );
  return { certificate, key };
}

/** Issues a certificate for `key`, or for a new key. It never outlives its authority. */
export function issueCertificate(authority: Credentials, spec: CertificateSpec, key: string = newKey()): Credentials {
  const issuer = parseCertificate(authority.certificate);
  const certificate = issue(
    {
      ...namesOf(spec),
      rawSubject: encodeSubject({ commonName: spec.commonName, organizations: spec.organizations ?? [] }),
      publicKey: spkiOf(createPrivateKey(key)),
      usages: spec.usages,
      isCa: false,
      notBefore: spec.notBefore,
      notAfter: Math.min(spec.notAfter, issuer.notAfter),
    },
    { rawSubject: issuer.rawSubject, key: createPrivateKey(authority.key) },
  );
  return { certificate, key };
}

/** A PEM request that asks for this subject and these names. */
export function createCertificateRequest(
  spec: { commonName: string; organizations?: readonly string[] } & Partial<AlternativeNames>,
  key: string,
): string {
  const privateKey = createPrivateKey(key);
  const { identifier, digest } = algorithmOf(privateKey);
  const body = encodeRequestInfo({
    rawSubject: encodeSubject({ commonName: spec.commonName, organizations: spec.organizations ?? [] }),
    publicKey: spkiOf(privateKey),
    names: namesOf(spec),
  });
  return toPem('CERTIFICATE REQUEST', encodeSigned(body, identifier, sign(digest, body, privateKey)));
}

/** Parses a request and proves that its sender holds the key. Throws DerError. */
export function verifyCertificateRequest(pem: string): RequestInfo {
  const request = parseCertificateRequest(pem);
  const digest = digests[request.signatureAlgorithm];
  if (digest === undefined) throw new DerError(`unsupported signature algorithm ${request.signatureAlgorithm}`);
  if (!signatureHolds(request, digest)) throw new DerError('the signature of the request does not match its key');
  return request;
}

function signatureHolds(request: RequestInfo, digest: string | null): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(request.publicKey), format: 'der', type: 'spki' });
    return verify(digest, request.signedBytes, key, request.signature);
  } catch {
    return false;
  }
}

/**
 * Signs a request as the signers of kube-controller-manager do: subject and alternative names are the request's, usages
 * and times are the caller's policy. Gives PEM. Throws DerError for a bad request.
 */
export function signCertificateRequest(
  authority: Credentials,
  pem: string,
  policy: { usages: readonly string[]; notBefore: number; notAfter: number },
): string {
  const request = verifyCertificateRequest(pem);
  const issuer = parseCertificate(authority.certificate);
  const { dnsNames, addresses, emails, uris, rawSubject, publicKey } = request;
  return issue(
    {
      ...{ dnsNames, addresses, emails, uris, rawSubject, publicKey },
      usages: policy.usages,
      isCa: false,
      notBefore: policy.notBefore,
      notAfter: Math.min(policy.notAfter, issuer.notAfter),
    },
    { rawSubject: issuer.rawSubject, key: createPrivateKey(authority.key) },
  );
}
