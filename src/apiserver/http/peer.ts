import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { Peer } from '../../api/transport.ts';

const list = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

export function fingerprintsOf(pem: string | undefined): ReadonlySet<string> {
  const blocks = pem?.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return new Set(blocks.map(block => new X509Certificate(block).fingerprint256));
}

/** What the handshake proved. A certificate that did not verify counts as none. */
export function peerOf(socket: TLSSocket, frontProxies: ReadonlySet<string>): Peer {
  const address = socket.remoteAddress;
  const base: Peer = address === undefined ? {} : { address };
  if (!socket.authorized) return base;
  const certificate = socket.getPeerCertificate(true);
  if (!certificate?.subject) return base;
  return {
    ...base,
    certificate: {
      commonName: list(certificate.subject.CN)[0] ?? '',
      organizations: list(certificate.subject.O),
      raw: certificate.raw,
      authority: signedBy(certificate, frontProxies) ? 'front-proxy' : 'client',
    },
  };
}

function signedBy(certificate: DetailedPeerCertificate, authorities: ReadonlySet<string>): boolean {
  let current: DetailedPeerCertificate | undefined = certificate;
  for (let depth = 0; current && depth < 10; depth++) {
    if (authorities.has(current.fingerprint256)) return true;
    const issuer: DetailedPeerCertificate | undefined = current.issuerCertificate;
    if (issuer === current) return false;
    current = issuer;
  }
  return false;
}
