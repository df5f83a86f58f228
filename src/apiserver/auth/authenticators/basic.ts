/** Authenticators that need nothing but the request: certificates, front proxies, in-process peers, anonymous. */
import type { ApiRequest, UserInfo } from '../../../api/transport.ts';
import { type Awaitable, settle } from '../../../base/awaitable.ts';
import { errors, isUnauthorized } from '../../../base/errors.ts';
import type { Authenticator } from '../contract.ts';
import { anonymousName, authenticated, extraKeys, groups } from '../users.ts';
import type { TokenAuthenticator } from './token.ts';

/** An identity that the in-process transport vouches for. */
export const peerAuthenticator: Authenticator = {
  name: 'in-process',
  authenticate: request => request.peer.user && authenticated(request.peer.user),
};

type Certificate = NonNullable<ApiRequest['peer']['certificate']>;
/** One per connection: its requests share the certificate. */
const certificateUsers = new WeakMap<Certificate, UserInfo>();

/** Common name is the user, organizations are the groups. Certificates of front proxies are not for users. */
export const certificateAuthenticator: Authenticator = {
  name: 'x509',
  authenticate({ peer: { certificate } }) {
    if (!certificate?.commonName || certificate.authority === 'front-proxy') return undefined;
    return certificateUsers.get(certificate) ?? userOf(certificate);
  },
};

async function userOf(certificate: Certificate): Promise<UserInfo> {
  const extra = certificate.raw && { [extraKeys.credentialId]: [await fingerprint(certificate.raw)] };
  const user = authenticated({
    name: certificate.commonName,
    groups: certificate.organizations,
    ...(extra && { extra }),
  });
  certificateUsers.set(certificate, user);
  return user;
}

async function fingerprint(raw: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', raw.slice()));
  return `X509SHA256=${Array.from(digest, b => b.toString(16).padStart(2, '0')).join('')}`;
}

export interface FrontProxyOptions {
  /** Common names that may speak for users; empty means any certificate of the front-proxy authority. */
  readonly allowedNames: readonly string[];
  /** Lower case. Defaults are upstream's conventional names. */
  readonly userHeader?: string;
  readonly uidHeader?: string;
  readonly groupHeader?: string;
  readonly extraPrefix?: string;
}

const list = (header: string | undefined): string[] =>
  header
    ? header
        .split(',')
        .map(v => v.trim())
        .filter(Boolean)
    : [];

/** Headers with this prefix as a map: the rest of the name, decoded, to the values. */
export function extraFromHeaders(
  headers: Readonly<Record<string, string>>,
  prefix: string,
): Record<string, readonly string[]> | undefined {
  const entries = Object.keys(headers)
    .filter(name => name.startsWith(prefix))
    .map((name): [string, string[]] => [decodeKey(name.slice(prefix.length)), list(headers[name])]);
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text).toLowerCase();
  } catch {
    return text;
  }
}

/** Trusts X-Remote-* headers of a peer whose certificate the front-proxy authority signed. */
export function frontProxyAuthenticator(options: FrontProxyOptions): Authenticator {
  const { userHeader = 'x-remote-user', uidHeader = 'x-remote-uid', groupHeader = 'x-remote-group' } = options;
  const { extraPrefix = 'x-remote-extra-', allowedNames } = options;
  return {
    name: 'front-proxy',
    authenticate({ headers, peer: { certificate } }) {
      if (certificate?.authority !== 'front-proxy') return undefined;
      if (allowedNames.length > 0 && !allowedNames.includes(certificate.commonName)) throw errors.unauthorized();
      const name = headers[userHeader]?.trim();
      if (!name) return undefined;
      const uid = headers[uidHeader]?.trim();
      const extra = extraFromHeaders(headers, extraPrefix);
      return authenticated({ name, groups: list(headers[groupHeader]), ...(uid && { uid }), ...(extra && { extra }) });
    },
  };
}

/** The paths that need no credentials, as upstream's AuthenticationConfiguration limits anonymous users. */
export const healthPaths: readonly string[] = ['/healthz', '/livez', '/readyz'];

/** `paths`: where strangers may be; "*" is everywhere. Comes last. */
export function anonymousAuthenticator(paths: readonly string[] = healthPaths): Authenticator {
  const user: UserInfo = { name: anonymousName, groups: [groups.unauthenticated] };
  return {
    name: 'anonymous',
    authenticate: request => (paths.includes('*') || paths.includes(request.path) ? user : undefined),
  };
}

/** Lines of `token,user,uid[,"group1,group2"]` (upstream's --token-auth-file). Throws an Error that names the line. */
export function staticTokenAuthenticator(csv: string): TokenAuthenticator {
  const users = new Map<string, UserInfo>();
  for (const [index, line] of csv.split('\n').entries()) {
    if (!line.trim() || line.startsWith('#')) continue;
    const [token = '', name = '', uid = '', members = ''] = csvFields(line);
    if (!token || !name) throw new Error(`token file, line ${index + 1}: token and user name are required`);
    users.set(token, { name, groups: list(members), ...(uid && { uid }) });
  }
  return {
    name: 'static-token',
    async authenticateToken(token, audiences) {
      const user = users.get(token);
      return user && { user, audiences };
    },
  };
}

function csvFields(line: string): string[] {
  const fields = line.trim().matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g);
  return Array.from(fields, ([, quoted, plain]) => (quoted?.replaceAll('""', '"') ?? plain ?? '').trim());
}

/**
 * Asks in order. The first user counts. A bad credential does not stop the others from recognising another one, but nobody
 * becomes anonymous who presented a bad one. Throws Unauthorized when nobody knows the request.
 */
export function authenticate(
  members: readonly Authenticator[],
  request: ApiRequest,
  from = 0,
  failure?: unknown,
): Awaitable<UserInfo> {
  const member = members[from];
  if (!member || (failure && member.name === 'anonymous')) throw failure ?? errors.unauthorized();
  return settle(
    () => member.authenticate(request),
    user => user ?? authenticate(members, request, from + 1, failure),
    e => {
      if (!isUnauthorized(e)) throw e;
      return authenticate(members, request, from + 1, e);
    },
  );
}
