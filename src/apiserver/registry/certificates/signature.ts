/** Whether a certificate request was signed with the key it names (upstream: CheckSignature of crypto/x509), by the host's Web Crypto. */
import { parseCertificateRequest, type RequestInfo } from '../../../base/x509/certificate.ts';
import { childrenOf, expectDer, tags } from '../../../base/x509/der.ts';

interface Scheme {
  readonly key: RsaHashedImportParams | EcKeyImportParams | AlgorithmIdentifier;
  readonly verify: AlgorithmIdentifier | EcdsaParams;
  /** Bytes of each half of an ECDSA signature. */
  readonly half?: number;
  readonly failure: string;
}

const rsa = (hash: string): Scheme => ({
  key: { name: 'RSASSA-PKCS1-v1_5', hash },
  verify: 'RSASSA-PKCS1-v1_5',
  failure: 'crypto/rsa: verification error',
});
const hashes: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'SHA-256',
  '1.2.840.10045.4.3.3': 'SHA-384',
  '1.2.840.10045.4.3.4': 'SHA-512',
};
const curves = [
  { oid: '06082a8648ce3d030107', namedCurve: 'P-256', half: 32 },
  { oid: '06052b81040022', namedCurve: 'P-384', half: 48 },
  { oid: '06052b81040023', namedCurve: 'P-521', half: 66 },
];
const others: Readonly<Record<string, Scheme>> = {
  '1.2.840.113549.1.1.11': rsa('SHA-256'),
  '1.2.840.113549.1.1.12': rsa('SHA-384'),
  '1.2.840.113549.1.1.13': rsa('SHA-512'),
  '1.3.101.112': { key: 'Ed25519', verify: 'Ed25519', failure: 'x509: Ed25519 verification failure' },
};

const hex = (bytes: Uint8Array) => Array.from(bytes, b => b.toString(16).padStart(2, '0')).join('');

function schemeOf({ signatureAlgorithm, publicKey }: RequestInfo): Scheme | undefined {
  const hash = hashes[signatureAlgorithm];
  if (!hash) return others[signatureAlgorithm];
  const curve = curves.find(({ oid }) => hex(publicKey.subarray(0, 32)).includes(oid));
  return (
    curve && {
      key: { name: 'ECDSA', namedCurve: curve.namedCurve },
      verify: { name: 'ECDSA', hash },
      half: curve.half,
      failure: 'x509: ECDSA verification failure',
    }
  );
}

/** The DER sequence of two integers as two numbers of fixed length. Throws DerError. */
function plainSignature(signature: Uint8Array, half: number): Uint8Array {
  const out = new Uint8Array(2 * half);
  for (const [i, { content }] of childrenOf(expectDer(signature, tags.sequence)).entries()) {
    const digits = content.subarray(content.findIndex(byte => byte !== 0));
    if (i > 1 || digits.length > half) return new Uint8Array();
    out.set(digits, (i + 1) * half - digits.length);
  }
  return out;
}

/** Why the signature of a well-formed request in PEM does not hold; undefined when it does. */
export async function signatureComplaint(pem: string): Promise<string | undefined> {
  const request = parseCertificateRequest(pem);
  const scheme = schemeOf(request);
  if (!scheme) return 'x509: cannot verify signature: algorithm unimplemented';
  try {
    const { signature } = request;
    const plain = scheme.half === undefined ? signature : plainSignature(signature, scheme.half);
    const key = await crypto.subtle.importKey('spki', request.publicKey.slice(), scheme.key, false, ['verify']);
    const holds = await crypto.subtle.verify(scheme.verify, key, plain.slice(), request.signedBytes.slice());
    return holds ? undefined : scheme.failure;
  } catch {
    return scheme.failure;
  }
}
