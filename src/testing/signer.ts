/** Signs service-account tokens with a key that is made when the first token is asked for: most tests never ask. */
import { createTokenSigner, type TokenSigner } from '../apiserver/auth/index.ts';

const armour = (label: string, bytes: ArrayBuffer) => {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return `-----BEGIN ${label}-----\n${(base64.match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;
};

async function freshSigner(): Promise<TokenSigner> {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const [key, publicKey] = await Promise.all([
    crypto.subtle.exportKey('pkcs8', pair.privateKey),
    crypto.subtle.exportKey('spki', pair.publicKey),
  ]);
  return createTokenSigner(armour('PRIVATE KEY', key), [armour('PUBLIC KEY', publicKey)]);
}

export function lazyTokenSigner(): TokenSigner {
  let made: Promise<TokenSigner> | undefined;
  const signer = () => {
    made ??= freshSigner();
    return made;
  };
  return {
    algorithm: 'ES256',
    publicKeys: [],
    sign: async claims => (await signer()).sign(claims),
    // Without a key no token is ours.
    verify: async token => (made ? (await made).verify(token) : undefined),
  };
}
