/** Signs and verifies service-account tokens with WebCrypto, so that it also runs where there is no Node.js. */
import type { JWK, JWTPayload } from 'jose';

export interface TokenSigner {
  readonly algorithm: string;
  sign(claims: JWTPayload): Promise<string>;
  /** The claims of a token whose signature holds; undefined when no key of ours made it. Times are not looked at. */
  verify(token: string): Promise<JWTPayload | undefined>;
  /** Public keys, as /openid/v1/jwks shows them. */
  readonly publicKeys: readonly JWK[];
}

const algorithms: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' };

function pemBytes(pem: string): Uint8Array<ArrayBuffer> {
  const base64 = pem.replace(/-----[^-]+-----/g, '').replace(/\s+/g, '');
  return Uint8Array.from(atob(base64), c => c.charCodeAt(0));
}

function base64Url(bytes: Uint8Array): string {
  let binary = '';
  for (const b of bytes) binary += String.fromCharCode(b);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Upstream's key id: SHA-256 of the SubjectPublicKeyInfo. */
async function keyId(spki: Uint8Array<ArrayBuffer>): Promise<string> {
  return base64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', spki)));
}

function importParameters(algorithm: string): RsaHashedImportParams | EcKeyImportParams {
  if (algorithm === 'RS256') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const curve = Object.entries(algorithms).find(([, name]) => name === algorithm)?.[0] ?? 'P-256';
  return { name: 'ECDSA', namedCurve: curve };
}

/** Finds out what key it is by trying: PEM does not say it without a parser. */
async function importKey(format: 'pkcs8' | 'spki', pem: string): Promise<{ key: CryptoKey; algorithm: string }> {
  const usage: KeyUsage[] = format === 'pkcs8' ? ['sign'] : ['verify'];
  for (const algorithm of ['ES256', 'RS256', 'ES384', 'ES512']) {
    try {
      const key = await crypto.subtle.importKey(format, pemBytes(pem), importParameters(algorithm), true, usage);
      return { key, algorithm };
    } catch {
      // Another kind of key.
    }
  }
  throw new Error('service-account key: not an ECDSA or RSA key in PEM (PKCS #8, SubjectPublicKeyInfo)');
}

function protectedHeader<T>(decode: (token: string) => T, token: string): T | undefined {
  try {
    return decode(token);
  } catch {
    return undefined;
  }
}

/**
 * `privateKey`: PKCS #8 PEM. `publicKeys`: SubjectPublicKeyInfo PEM of the same key, and of others whose tokens are to be
 * accepted. Throws an Error for a key that cannot be read.
 */
export async function createTokenSigner(privateKey: string, publicKeys: readonly string[]): Promise<TokenSigner> {
  const jose = await import('jose');
  const signing = await importKey('pkcs8', privateKey);
  const verifiers = await Promise.all(
    publicKeys.map(async pem => {
      const { key, algorithm } = await importKey('spki', pem);
      const kid = await keyId(pemBytes(pem));
      return { key, algorithm, kid, jwk: { ...(await jose.exportJWK(key)), kid, alg: algorithm, use: 'sig' } };
    }),
  );
  const own = await jose.exportJWK(signing.key);
  const kid = verifiers.find(v => v.jwk.x === own.x && v.jwk.n === own.n)?.kid;
  if (!kid) throw new Error('service-account keys: the public key of the signing key is not among the public keys');
  return {
    algorithm: signing.algorithm,
    publicKeys: verifiers.map(v => v.jwk),
    sign: claims => new jose.SignJWT(claims).setProtectedHeader({ alg: signing.algorithm, kid }).sign(signing.key),
    async verify(token) {
      const header = protectedHeader(jose.decodeProtectedHeader, token);
      if (!header) return undefined;
      for (const { key, algorithm, kid: id } of verifiers) {
        if (header.alg !== algorithm || (header.kid !== undefined && header.kid !== id)) continue;
        try {
          const { payload } = await jose.compactVerify(token, key, { algorithms: [algorithm] });
          return JSON.parse(new TextDecoder().decode(payload)) as JWTPayload;
        } catch {
          // Another key may fit.
        }
      }
      return undefined;
    },
  };
}
