/** Signs kube-public/cluster-info with every bootstrap token, so that joining nodes can trust it (pkg/controller/bootstrap of v1.35). */
import type { Secret } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { hmacSha256 } from '../../base/sha256.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { textOf, tokenExpiry, tokenSecretType } from '../support/bootstrap-tokens.ts';

const namespace = 'kube-public';
const name = 'cluster-info';
const prefix = 'jws-kubeconfig-';
const work = 'cluster-info';

const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');

/** A JWS (RFC 7515, HS256) with its content left out. */
export function detachedSignature(content: string, id: string, secret: string): string {
  const utf8 = (text: string) => new TextEncoder().encode(text);
  const header = base64url(utf8(JSON.stringify({ alg: 'HS256', kid: id })));
  const mac = hmacSha256(utf8(secret), utf8(`${header}.${base64url(utf8(content))}`));
  return `${header}..${base64url(mac)}`;
}

/** Id and whole token of a secret that may sign; its name must be made of its id. */
function signingToken(secret: Secret, now: number): { id: string; token: string } | undefined {
  const id = textOf(secret, 'token-id');
  const part = textOf(secret, 'token-secret');
  const expiry = tokenExpiry(secret);
  if (!id || !part || secret.metadata.name !== `bootstrap-token-${id}` || secret.metadata.deletionTimestamp)
    return undefined;
  if (textOf(secret, 'usage-bootstrap-signing') !== 'true' || (expiry !== undefined && expiry <= now)) return undefined;
  return { id, token: `${id}.${part}` };
}

export const bootstrapSigner: Controller = {
  name: 'bootstrap-signer-controller',
  account: 'bootstrap-signer',
  aliases: ['bootstrapsigner'],
  disabledByDefault: true,
  setUp({ informers, client, clock }) {
    const secrets = informers.informer('v1/secrets', {
      namespace: 'kube-system',
      fieldSelector: `type=${tokenSecretType}`,
    });
    const maps = informers.informer('v1/configmaps', { namespace, fieldSelector: `metadata.name=${name}` });
    return {
      sources: [watch<'v1/secrets'>(secrets, () => [work]), watch<'v1/configmaps'>(maps, () => [work])],
      concurrency: 1,
      async reconcile() {
        const map = maps.store.get(`${namespace}/${name}`);
        const content = map?.data?.['kubeconfig'];
        if (!map || content === undefined) return;
        const kept = Object.entries(map.data ?? {}).filter(([key]) => !key.startsWith(prefix));
        const signed = secrets.store
          .list()
          .map(secret => signingToken(secret, clock.now()))
          .filter(token => token !== undefined)
          .map(({ id, token }): [string, string] => [`${prefix}${id}`, detachedSignature(content, id, token)]);
        const data = Object.fromEntries([...kept, ...signed]);
        if (!deepEqual(data, map.data)) await client.configmaps(namespace).update({ ...map, data });
      },
    };
  },
};
