/** Who may use the kubelet's API: client certificates of the cluster's CA, or tokens that the API server knows; then its authorizer. */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { UserInfo } from '../../api/transport.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/contract.ts';

export interface Access {
  /** Undefined: not known (401). */
  authenticate(request: IncomingMessage): Promise<UserInfo | undefined>;
  /** Undefined: allowed; else why not. */
  refuse(user: UserInfo, method: string, path: string): Promise<string | undefined>;
}

const tokenMs = 120_000;
const allowMs = 300_000;
const denyMs = 30_000;
const maxCached = 1000;

function cache<T>(clock: Clock) {
  const entries = new Map<string, { until: number; value: T }>();
  return async (key: string, ttl: (value: T) => number, make: () => Promise<T>): Promise<T> => {
    const known = entries.get(key);
    if (known && known.until > clock.monotonic()) return known.value;
    const value = await make();
    entries.set(key, { until: clock.monotonic() + ttl(value), value });
    const [oldest] = entries.keys();
    if (entries.size > maxCached && oldest !== undefined) entries.delete(oldest);
    return value;
  };
}

/** Node subresources that stand for a path, most specific first (KubeletFineGrainedAuthz). */
export function subresourcesOf(path: string): string[] {
  const [, first = ''] = path.split('/');
  if (first === 'stats') return ['stats'];
  if (first === 'metrics') return ['metrics'];
  if (first === 'logs') return ['log'];
  if (first === 'checkpoint') return ['checkpoint'];
  if (first === 'healthz') return ['healthz', 'proxy'];
  if (first === 'pods' || first === 'runningpods') return ['pods', 'proxy'];
  if (first === 'configz') return ['configz', 'proxy'];
  return ['proxy'];
}
const verbs: Record<string, string> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

export function createAccess(client: Client, nodeName: string, clock: Clock): Access {
  const tokens = cache<UserInfo | undefined>(clock);
  const decisions = cache<{ allowed: boolean; reason: string }>(clock);

  async function review(token: string): Promise<UserInfo | undefined> {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {}, spec: { token } };
    const path = '/apis/authentication.k8s.io/v1/tokenreviews';
    const { status } = await client.request<{
      status?: { authenticated?: boolean; user?: { username?: string; groups?: string[]; uid?: string } };
    }>('POST', path, { body });
    if (!status?.authenticated || !status.user?.username) return undefined;
    return {
      name: status.user.username,
      groups: status.user.groups ?? [],
      ...(status.user.uid && { uid: status.user.uid }),
    };
  }
  async function ask(user: UserInfo, verb: string, subresource: string): Promise<{ allowed: boolean; reason: string }> {
    const resourceAttributes = { verb, version: 'v1', resource: 'nodes', subresource, name: nodeName };
    const spec = { user: user.name, groups: [...user.groups], resourceAttributes };
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', metadata: {}, spec };
    const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
    const { status } = await client.request<{ status?: { allowed: boolean; reason?: string } }>('POST', path, { body });
    return { allowed: status?.allowed ?? false, reason: status?.reason ?? '' };
  }

  return {
    async authenticate(request) {
      const socket = request.socket as TLSSocket;
      const subject = socket.authorized ? socket.getPeerCertificate().subject : undefined;
      if (subject?.CN) return { name: String(subject.CN), groups: [subject.O ?? []].flat().map(String) };
      const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
      if (!token) return undefined;
      return tokens(
        token,
        () => tokenMs,
        () => review(token),
      );
    },
    async refuse(user, method, path) {
      const verb = verbs[method] ?? 'get';
      for (const subresource of subresourcesOf(path)) {
        const key = JSON.stringify([user.name, user.groups, verb, subresource]);
        const decision = await decisions(
          key,
          d => (d.allowed ? allowMs : denyMs),
          () => ask(user, verb, subresource),
        );
        if (decision.allowed) return undefined;
      }
      const all = subresourcesOf(path).join(' ');
      return `Forbidden (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${all}])`;
    },
  };
}
