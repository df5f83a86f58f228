/** How a machine joins a cluster that it knows only by a URL and a token. */
import { createHash, X509Certificate } from 'node:crypto';
import { connect as connectTls, type DetailedPeerCertificate } from 'node:tls';
import { isNotFound } from '../../base/errors.ts';
import { nameSuffix, type Random } from '../../base/random.ts';
import type { Client } from '../../client/contract.ts';
import { UsageError } from '../flags.ts';
import type { ClusterRanges } from '../ranges.ts';

/** A bootstrap token, and the hash of the authority that the servers' certificates must come from. */
export interface JoinToken {
  /** Lower-case hex of the SHA-256 of the authority's DER. */
  readonly authorityHash: string;
  /** "abcdef.0123456789abcdef" */
  readonly bootstrapToken: string;
}

const hashOf = (pem: string) => createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');

export function formatJoinToken(authority: string, bootstrapToken: string): string {
  return `${hashOf(authority)}:${bootstrapToken}`;
}

export function parseJoinToken(text: string): JoinToken {
  const match = /^([0-9a-f]{64}):([a-z0-9]{6}\.[a-z0-9]{16})$/.exec(text);
  if (!match) throw new UsageError('--token is not a join token: copy it whole from the line that the server prints');
  return { authorityHash: match[1] ?? '', bootstrapToken: match[2] ?? '' };
}

export function newBootstrapToken(random: Random): string {
  return `${nameSuffix(random, 6)}.${nameSuffix(random, 16)}`;
}

/** The servers' authority, taken from the chain that a server shows and believed because of its hash. */
export function fetchAuthority(server: string, token: JoinToken, timeoutMs = 10_000): Promise<string> {
  const url = new URL(server);
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || 443),
      rejectUnauthorized: false,
      timeout: timeoutMs,
    });
    const fail = (message: string) => {
      socket.destroy();
      reject(new Error(`${server}: ${message}`));
    };
    socket.once('error', error => fail(error.message));
    socket.once('timeout', () => fail('no answer'));
    socket.once('secureConnect', () => {
      const found = chainOf(socket.getPeerCertificate(true)).find(pem => hashOf(pem) === token.authorityHash);
      if (found === undefined) return fail('its certificate does not come from the authority that the token names');
      socket.destroy();
      resolve(found);
    });
  });
}

function chainOf(leaf: DetailedPeerCertificate): string[] {
  const out: string[] = [];
  const seen = new Set<string>();
  for (
    let each: DetailedPeerCertificate | undefined = leaf;
    each?.raw && !seen.has(each.fingerprint256);
    each = each.issuerCertificate
  ) {
    seen.add(each.fingerprint256);
    out.push(new X509Certificate(each.raw).toString());
  }
  return out;
}

export const factsName = 'tsukube';
export const factsNamespace = 'kube-public';

/** What a joining node reads before it is a node, as the data of a config map that bootstrap tokens may read. */
export function formatFacts({ podCidrs, serviceCidrs, dnsAddress }: ClusterRanges): Record<string, string> {
  return { podCidr: podCidrs.join(','), serviceCidr: serviceCidrs.join(','), dnsAddress };
}

export async function readFacts(client: Client): Promise<ClusterRanges> {
  const { data = {} } = await client.configmaps(factsNamespace).get(factsName);
  const { podCidr, serviceCidr, dnsAddress } = data;
  if (!podCidr || !serviceCidr || !dnsAddress)
    throw new Error(`config map ${factsNamespace}/${factsName} does not describe the cluster`);
  return { podCidrs: podCidr.split(','), serviceCidrs: serviceCidr.split(','), dnsAddress };
}

/** Makes the token valid for joining. It does not expire: whoever has it may add nodes until the secret is deleted. */
export async function ensureBootstrapToken(client: Client, bootstrapToken: string): Promise<void> {
  const [id = '', secret = ''] = bootstrapToken.split('.');
  const secrets = client.secrets('kube-system');
  const name = `bootstrap-token-${id}`;
  const stringData = {
    'token-id': id,
    'token-secret': secret,
    'usage-bootstrap-authentication': 'true',
    'usage-bootstrap-signing': 'true',
    'auth-extra-groups': 'system:bootstrappers:tsukube',
    description: 'Joins nodes to this cluster.',
  };
  try {
    await secrets.get(name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await secrets.create({ metadata: { name }, type: 'bootstrap.kubernetes.io/token', stringData });
  }
}
