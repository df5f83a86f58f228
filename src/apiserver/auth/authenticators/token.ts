/** Bearer tokens: where they are found in a request, and the union of those who know them. */
import type { ApiRequest, UserInfo } from '../../../api/transport.ts';
import { errors, messageOf } from '../../../base/errors.ts';
import type { Authenticator } from '../contract.ts';
import { authenticated } from '../users.ts';

export interface TokenResult {
  readonly user: UserInfo;
  /** The audiences asked for that the token is good for. */
  readonly audiences: readonly string[];
}

/** Undefined: not a token of this kind. Throws an Error when it is one and is bad. */
export interface TokenAuthenticator {
  readonly name: string;
  authenticateToken(token: string, audiences: readonly string[]): Promise<TokenResult | undefined>;
}

const webSocketPrefix = 'base64url.bearer.authorization.k8s.io.';

/** From the Authorization header, or the sub-protocol that browsers use for WebSockets. */
export function bearerTokenOf(request: ApiRequest): string | undefined {
  const [scheme = '', token = '', ...rest] = (request.headers['authorization'] ?? '').trim().split(' ');
  if (scheme.toLowerCase() === 'bearer' && token && rest.length === 0) return token;
  const protocols = request.headers['sec-websocket-protocol']?.split(',').map(p => p.trim()) ?? [];
  const encoded = protocols.find(p => p.startsWith(webSocketPrefix))?.slice(webSocketPrefix.length);
  // A lone token names no real protocol, which upstream refuses too.
  if (!encoded || protocols.length < 2 || !/^[A-Za-z0-9_-]+$/.test(encoded)) return undefined;
  return decodeBase64Url(encoded);
}

function decodeBase64Url(text: string): string | undefined {
  try {
    return atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    return undefined;
  }
}

/** The first that knows the token; their errors are joined when none does. */
export function unionTokenAuthenticator(members: readonly TokenAuthenticator[]): TokenAuthenticator {
  return {
    name: 'token-union',
    async authenticateToken(token, audiences) {
      const failures: string[] = [];
      for (const member of members) {
        try {
          const result = await member.authenticateToken(token, audiences);
          if (result) return { ...result, user: authenticated(result.user) };
        } catch (e) {
          failures.push(messageOf(e));
        }
      }
      if (failures.length > 0) throw new Error(failures.length > 1 ? `[${failures.join(', ')}]` : failures[0]);
      return undefined;
    },
  };
}

export function bearerTokenAuthenticator(tokens: TokenAuthenticator, audiences: readonly string[]): Authenticator {
  return {
    name: 'bearer-token',
    async authenticate(request) {
      const token = bearerTokenOf(request);
      if (!token) return undefined;
      const result = await tokens.authenticateToken(token, audiences).catch(() => undefined);
      if (!result) throw errors.unauthorized();
      return result.user;
    },
  };
}

/** Equal-time comparison of secrets, as far as the language lets one. */
export function sameSecret(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % Math.max(b.length, 1));
  return difference === 0;
}
