import type { Secret } from '../../../api/types/core-v1.ts';
import type { Clock } from '../../../base/clock.ts';
import { groups } from '../users.ts';
import { sameSecret, type TokenAuthenticator } from './token.ts';

const tokenPattern = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const groupPattern = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
const secretType = 'bootstrap.kubernetes.io/token';

export interface BootstrapTokenOptions {
  readonly clock: Clock;
  /** A secret of kube-system by name; undefined when there is none. */
  getSecret(name: string): Promise<Secret | undefined>;
}

const decode = (secret: Secret, key: string): string => atob(secret.data?.[key] ?? '');

function expired(secret: Secret, now: number): boolean {
  const expiration = decode(secret, 'expiration');
  if (!expiration) return false;
  const at = Date.parse(expiration);
  return Number.isNaN(at) || at <= now;
}

/** Groups of the token, or undefined when one of them is not for bootstrapping. */
function groupsOf(secret: Secret): string[] | undefined {
  const extra = decode(secret, 'auth-extra-groups')
    .split(',')
    .map(g => g.trim())
    .filter(Boolean);
  return extra.every(g => groupPattern.test(g)) ? [...new Set([groups.bootstrappers, ...extra])].sort() : undefined;
}

/** Tokens `id.secret` that stand in secrets `bootstrap-token-<id>` (plugin/pkg/auth/authenticator/token/bootstrap). */
export function bootstrapTokenAuthenticator(options: BootstrapTokenOptions): TokenAuthenticator {
  return {
    name: 'bootstrap-token',
    async authenticateToken(token, audiences) {
      const [, id = '', value = ''] = tokenPattern.exec(token) ?? [];
      if (!id) return undefined;
      const secret = await options.getSecret(`bootstrap-token-${id}`);
      if (!secret || secret.metadata.deletionTimestamp || secret.type !== secretType) return undefined;
      if (!sameSecret(value, decode(secret, 'token-secret')) || decode(secret, 'token-id') !== id) return undefined;
      if (expired(secret, options.clock.now())) return undefined;
      if (decode(secret, 'usage-bootstrap-authentication') !== 'true') return undefined;
      const members = groupsOf(secret);
      return members && { user: { name: `system:bootstrap:${id}`, groups: members }, audiences };
    },
  };
}
