/** Service-account tokens bound to pods, asked for with TokenRequest and kept until they are due. Upstream: pkg/kubelet/token. */
import type { Pod } from '../../api/types/core-v1.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/contract.ts';

interface TokenReply {
  status?: { token?: string; expirationTimestamp?: string };
}
const dayMs = 86_400_000;
/** Renewed after four fifths of its life, or a day. */
const renewAfter = 0.8;

export function createTokenSource(client: Client, clock: Clock) {
  const known = new Map<string, { token: string; renewAt: number; expires: number; uid: string }>();
  async function request(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const { namespace = '', name = '', uid = '' } = pod.metadata;
    const account = pod.spec.serviceAccountName || 'default';
    const key = JSON.stringify([uid, account, audience, expirationSeconds]);
    const kept = known.get(key);
    const now = clock.now();
    if (kept && now < kept.renewAt) return kept.token;
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid };
    const spec = { audiences: audience ? [audience] : [], expirationSeconds, boundObjectRef };
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {}, spec };
    try {
      const accounts = client.resource('v1/serviceaccounts', namespace);
      const { status } = await accounts.createSubresource<typeof body, TokenReply>(account, 'token', body);
      const expires = Date.parse(status?.expirationTimestamp ?? '') || now + expirationSeconds * 1000;
      const renewAt = now + Math.min((expires - now) * renewAfter, dayMs);
      known.set(key, { token: status?.token ?? '', renewAt, expires, uid });
      return status?.token ?? '';
    } catch (e) {
      if (kept && now < kept.expires) return kept.token;
      throw e;
    }
  }
  return {
    request,
    forget(uid: string): void {
      for (const [key, entry] of known) if (entry.uid === uid) known.delete(key);
    },
  };
}
