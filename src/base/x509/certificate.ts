/** X.509 certificates and PKCS #10 requests as values: what is in them, and the bytes to be signed. No cryptography here. */

import { encodeAddress, formatAddress } from './address.ts';
import {
  childAt,
  childrenOf,
  DerError,
  type DerValue,
  der,
  expectDer,
  fromPem,
  readDer,
  readOid,
  readText,
  readTime,
  tags,
} from './der.ts';

/** As `certificates.k8s.io` writes usages. */
export type KeyUsage =
  | 'digital signature'
  | 'content commitment'
  | 'key encipherment'
  | 'data encipherment'
  | 'key agreement'
  | 'cert sign'
  | 'crl sign'
  | 'encipher only'
  | 'decipher only';

export interface Subject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}
export interface AlternativeNames {
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
}
export interface CertificateInfo extends Subject, AlternativeNames {
  /** Both kinds of usage, by the names of certificates.k8s.io. */
  readonly usages: readonly string[];
  readonly isCa: boolean;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly serialNumber: string;
  readonly issuerCommonName: string;
  /** DER of the whole subject, for exact comparison. */
  readonly rawSubject: Uint8Array;
  readonly rawIssuer: Uint8Array;
  /** DER of SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
}
export interface RequestInfo extends Subject, AlternativeNames {
  readonly usages: readonly string[];
  readonly rawSubject: Uint8Array;
  /** DER of SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** What the requester signed, how, and the signature. */
  readonly signedBytes: Uint8Array;
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

const oids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  extensionRequest: '1.2.840.113549.1.9.14',
} as const;

const keyUsageBits: readonly KeyUsage[] = [
  'digital signature',
  'content commitment',
  'key encipherment',
  'data encipherment',
  'key agreement',
  'cert sign',
  'crl sign',
  'encipher only',
  'decipher only',
];
const extendedUsages: Readonly<Record<string, string>> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
};
const extendedNames = new Map(Object.entries(extendedUsages).map(([name, oid]) => [oid, name]));

// Writing

/** All organizations in one RDN, then the common name: the order of Go's pkix.Name. */
export function encodeSubject(subject: Subject): Uint8Array {
  const attribute = (oid: string, text: string) => der.sequence(der.oid(oid), der.utf8(text));
  const rdns: Uint8Array[] = [];
  if (subject.organizations.length > 0)
    rdns.push(der.set(...subject.organizations.map(o => attribute(oids.organization, o)).sort(compareBytes)));
  if (subject.commonName) rdns.push(der.set(attribute(oids.commonName, subject.commonName)));
  return der.sequence(...rdns);
}

/** DER wants the elements of a SET OF in ascending order of their bytes. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const extension = (oid: string, critical: boolean, value: Uint8Array) =>
  der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value));

function encodeKeyUsage(usages: readonly string[]): Uint8Array | undefined {
  const bits = keyUsageBits.flatMap((name, bit) => (usages.includes(name) ? [bit] : []));
  const last = bits.at(-1);
  if (last === undefined) return undefined;
  const bytes = new Uint8Array(last > 7 ? 2 : 1);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return extension(oids.keyUsage, true, der.bits(bytes, 7 - (last & 7)));
}

function encodeExtendedUsage(usages: readonly string[]): Uint8Array | undefined {
  const list = usages.flatMap(u => extendedUsages[u] ?? []);
  return list.length > 0
    ? extension(oids.extKeyUsage, false, der.sequence(...list.map(oid => der.oid(oid))))
    : undefined;
}

function encodeAlternativeNames(names: AlternativeNames, critical: boolean): Uint8Array | undefined {
  const text = (n: number) => (value: string) => der.implicit(n, new TextEncoder().encode(value));
  const list = [
    ...names.dnsNames.map(text(2)),
    ...names.emails.map(text(1)),
    ...names.addresses.map(a => der.implicit(7, encodeAddress(a))),
    ...names.uris.map(text(6)),
  ];
  return list.length > 0 ? extension(oids.subjectAltName, critical, der.sequence(...list)) : undefined;
}

export interface CertificateTemplate extends AlternativeNames {
  readonly serial: Uint8Array;
  readonly rawSubject: Uint8Array;
  readonly rawIssuer: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly usages: readonly string[];
  readonly isCa: boolean;
  readonly publicKey: Uint8Array;
  readonly subjectKeyId?: Uint8Array;
  readonly authorityKeyId?: Uint8Array;
  /** DER of the AlgorithmIdentifier that the issuer signs with. */
  readonly signatureAlgorithm: Uint8Array;
}

/** The TBSCertificate (RFC 5280, 4.1). */
export function encodeTbsCertificate(t: CertificateTemplate): Uint8Array {
  const emptySubject = t.rawSubject.length === 2;
  const constraints = der.sequence(...(t.isCa ? [der.boolean(true)] : []));
  const extensions = [
    encodeKeyUsage(t.usages),
    encodeExtendedUsage(t.usages),
    extension(oids.basicConstraints, true, constraints),
    t.subjectKeyId && extension(oids.subjectKeyId, false, der.octets(t.subjectKeyId)),
    t.authorityKeyId && extension(oids.authorityKeyId, false, der.sequence(der.implicit(0, t.authorityKeyId))),
    encodeAlternativeNames(t, emptySubject),
  ].filter(e => e !== undefined);
  return der.sequence(
    der.explicit(0, der.small(2)),
    der.unsigned(t.serial),
    t.signatureAlgorithm,
    t.rawIssuer,
    der.sequence(der.time(t.notBefore), der.time(t.notAfter)),
    t.rawSubject,
    t.publicKey,
    der.explicit(3, der.sequence(...extensions)),
  );
}

/** The CertificationRequestInfo (RFC 2986, 4.1). */
export function encodeRequestInfo(t: {
  rawSubject: Uint8Array;
  publicKey: Uint8Array;
  names: AlternativeNames;
}): Uint8Array {
  const names = encodeAlternativeNames(t.names, false);
  const attributes = names ? [der.sequence(der.oid(oids.extensionRequest), der.set(der.sequence(names)))] : [];
  return der.sequence(der.small(0), t.rawSubject, t.publicKey, der.explicit(0, ...attributes));
}

/** Body, algorithm and signature: the outer shape that certificates and requests share. */
export function encodeSigned(body: Uint8Array, algorithm: Uint8Array, signature: Uint8Array): Uint8Array {
  return der.sequence(body, algorithm, der.bits(signature));
}

// Reading

function readSubject(value: DerValue): Subject {
  let commonName = '';
  const organizations: string[] = [];
  for (const rdn of childrenOf(value))
    for (const attribute of childrenOf(rdn)) {
      const parts = childrenOf(attribute);
      const oid = readOid(childAt(parts, 0));
      if (oid === oids.commonName) commonName = readText(childAt(parts, 1));
      else if (oid === oids.organization) organizations.push(readText(childAt(parts, 1)));
    }
  return { commonName, organizations };
}

interface Extensions extends AlternativeNames {
  readonly usages: readonly string[];
  readonly isCa: boolean;
}

function readAlternativeNames(value: DerValue): AlternativeNames {
  const names = { dnsNames: [] as string[], addresses: [] as string[], emails: [] as string[], uris: [] as string[] };
  const text = (v: DerValue) => String.fromCharCode(...v.content);
  for (const name of childrenOf(value)) {
    if (name.tag === 0x81) names.emails.push(text(name));
    else if (name.tag === 0x82) names.dnsNames.push(text(name));
    else if (name.tag === 0x86) names.uris.push(text(name));
    else if (name.tag === 0x87) names.addresses.push(formatAddress(name.content));
  }
  return names;
}

function readKeyUsage(value: DerValue): string[] {
  const [, ...bytes] = value.content;
  return keyUsageBits.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}

function readExtensions(list: readonly DerValue[]): Extensions {
  let names: AlternativeNames = { dnsNames: [], addresses: [], emails: [], uris: [] };
  let isCa = false;
  const usages: string[] = [];
  for (const item of list) {
    const parts = childrenOf(item);
    const oid = readOid(childAt(parts, 0));
    const value = () => readDer(childAt(parts, parts.length - 1, tags.octetString).content);
    if (oid === oids.subjectAltName) names = readAlternativeNames(value());
    else if (oid === oids.keyUsage) usages.push(...readKeyUsage(value()));
    else if (oid === oids.extKeyUsage)
      usages.push(...childrenOf(value()).map(u => extendedNames.get(readOid(u)) ?? readOid(u)));
    else if (oid === oids.basicConstraints) isCa = childrenOf(value())[0]?.tag === tags.boolean;
  }
  return { ...names, usages, isCa };
}

/** Takes DER, or PEM whose first block is a certificate. Throws DerError. */
export function parseCertificate(input: Uint8Array | string): CertificateInfo {
  const bytes = typeof input === 'string' ? pemBlock(input, 'CERTIFICATE') : input;
  const outer = childrenOf(expectDer(bytes, tags.sequence));
  const all = childrenOf(childAt(outer, 0, tags.sequence));
  const fields = all[0]?.tag === 0xa0 ? all.slice(1) : all;
  const validity = childrenOf(childAt(fields, 3, tags.sequence));
  const extensions = fields.find(f => f.tag === 0xa3);
  const issuer = childAt(fields, 2, tags.sequence);
  const subject = childAt(fields, 4, tags.sequence);
  return {
    ...readSubject(subject),
    ...readExtensions(extensions ? childrenOf(readDer(extensions.content)) : []),
    notBefore: readTime(childAt(validity, 0)),
    notAfter: readTime(childAt(validity, 1)),
    serialNumber: hex(childAt(fields, 0, tags.integer).content),
    issuerCommonName: readSubject(issuer).commonName,
    rawSubject: subject.raw,
    rawIssuer: issuer.raw,
    publicKey: childAt(fields, 5, tags.sequence).raw,
  };
}

/** Takes DER, or PEM of exactly one certificate request. The signature is given, not checked. Throws DerError. */
export function parseCertificateRequest(input: Uint8Array | string): RequestInfo {
  const bytes = typeof input === 'string' ? pemBlock(input, 'CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST') : input;
  const outer = childrenOf(expectDer(bytes, tags.sequence));
  const info = childAt(outer, 0, tags.sequence);
  const fields = childrenOf(info);
  const subject = childAt(fields, 1, tags.sequence);
  const attributes = fields[3] ? childrenOf(fields[3]) : [];
  const requested = attributes
    .map(a => childrenOf(a))
    .find(parts => readOid(childAt(parts, 0)) === oids.extensionRequest);
  const extensions = requested ? childrenOf(readDer(childAt(requested, 1, tags.set).content)) : [];
  const { isCa: _, ...rest } = readExtensions(extensions);
  return {
    ...readSubject(subject),
    ...rest,
    rawSubject: subject.raw,
    publicKey: childAt(fields, 2, tags.sequence).raw,
    signedBytes: info.raw,
    signatureAlgorithm: readOid(childAt(childrenOf(childAt(outer, 1, tags.sequence)), 0)),
    signature: childAt(outer, 2, tags.bitString).content.subarray(1),
  };
}

function pemBlock(text: string, ...labels: string[]): Uint8Array {
  const block = fromPem(text).find(b => labels.includes(b.label));
  if (!block) throw new DerError(`PEM block type must be ${labels[0]}`);
  return block.bytes;
}

/** The bits of the public key itself, inside a SubjectPublicKeyInfo: what key identifiers are made of. */
export function publicKeyBits(spki: Uint8Array): Uint8Array {
  return childAt(childrenOf(expectDer(spki, tags.sequence)), 1, tags.bitString).content.subarray(1);
}

/** `YYYY…` serial numbers as hex, without a leading zero byte. */
function hex(bytes: Uint8Array): string {
  const text = Array.from(bytes, b => b.toString(16).padStart(2, '0')).join('');
  return text.replace(/^(00)+(?=.)/, '');
}
