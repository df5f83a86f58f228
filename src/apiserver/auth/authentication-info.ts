/** Tells extension API servers whom to believe (pkg/controlplane/controller/clusterauthenticationtrust). */
import type { ConfigMap } from '../../api/types/core-v1.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';

const namespace = 'kube-system';
const name = 'extension-apiserver-authentication';
const attempts = 5;

export interface AuthenticationInfo {
  /** PEM bundles. */
  readonly clientCa: string;
  readonly frontProxyCa: string;
  readonly frontProxyNames: readonly string[];
}

const blocks = (pem: string | undefined): string[] =>
  pem?.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];

/** Certificates of both, each once: several API servers may trust different ones for a while. */
function joinBundles(a: string | undefined, b: string): string {
  return [...new Set([...blocks(a), ...blocks(b)])].map(block => `${block}\n`).join('');
}

function joinNames(text: string | undefined, names: readonly string[]): string {
  let present: unknown = [];
  try {
    present = JSON.parse(text || '[]');
  } catch {
    // Somebody else's text: replaced.
  }
  const known = Array.isArray(present) ? present.filter(n => typeof n === 'string') : [];
  return JSON.stringify([...new Set([...known, ...names])]);
}

export function mergeAuthenticationInfo(
  data: Readonly<Record<string, string>> | undefined,
  info: AuthenticationInfo,
): Record<string, string> {
  return {
    ...data,
    'client-ca-file': joinBundles(data?.['client-ca-file'], info.clientCa),
    'requestheader-client-ca-file': joinBundles(data?.['requestheader-client-ca-file'], info.frontProxyCa),
    'requestheader-allowed-names': joinNames(data?.['requestheader-allowed-names'], info.frontProxyNames),
    'requestheader-username-headers': joinNames(data?.['requestheader-username-headers'], ['X-Remote-User']),
    'requestheader-uid-headers': joinNames(data?.['requestheader-uid-headers'], ['X-Remote-Uid']),
    'requestheader-group-headers': joinNames(data?.['requestheader-group-headers'], ['X-Remote-Group']),
    'requestheader-extra-headers-prefix': joinNames(data?.['requestheader-extra-headers-prefix'], ['X-Remote-Extra-']),
  };
}

/** Idempotent; safe while other API servers do the same. The namespace must exist. */
export async function ensureAuthenticationInfo(client: Client, info: AuthenticationInfo): Promise<void> {
  const maps = client.resource('v1/configmaps', namespace);
  for (let left = attempts; ; left--) {
    try {
      const present = await maps.get(name).catch((e): ConfigMap | undefined => {
        if (isNotFound(e)) return undefined;
        throw e;
      });
      const data = mergeAuthenticationInfo(present?.data, info);
      if (!present) await maps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data });
      else if (JSON.stringify(present.data) !== JSON.stringify(data)) await maps.update({ ...present, data });
      return;
    } catch (e) {
      if (left <= 1 || !(isConflict(e) || isAlreadyExists(e))) throw e;
    }
  }
}
