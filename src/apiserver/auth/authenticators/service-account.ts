/** Service-account tokens: bound ones (TokenRequest) and legacy ones (secrets). pkg/serviceaccount of v1.35. */
import type { JWTPayload } from 'jose';
import type { KubeObject } from '../../../api/object.ts';
import type { UserInfo } from '../../../api/transport.ts';
import type { Node, Pod, Secret, ServiceAccount } from '../../../api/types/core-v1.ts';
import type { Clock } from '../../../base/clock.ts';
import { isNotFound } from '../../../base/errors.ts';
import type { Client } from '../../../client/contract.ts';
import { extraKeys, serviceAccountGroups, serviceAccountName } from '../users.ts';
import type { TokenAuthenticator, TokenResult } from './token.ts';
import type { TokenSigner } from './token-signer.ts';

export const legacyIssuer = 'kubernetes/serviceaccount';
/** A token of an object that is being deleted lives on this long (upstream's clock leeway). */
const leewayMs = 60_000;
/** Successes are remembered this long (upstream's token cache), so that a revoked token dies within this time. */
const cacheMs = 10_000;
const cacheSize = 4096;

export interface ObjectReferenceClaim {
  name: string;
  uid: string;
}
export interface KubernetesClaims {
  namespace: string;
  serviceaccount: ObjectReferenceClaim;
  pod?: ObjectReferenceClaim;
  node?: ObjectReferenceClaim;
  secret?: ObjectReferenceClaim;
  /** Seconds; after that the token should have been replaced. */
  warnafter?: number;
}

/** Live objects. Each gives undefined when there is none. */
export interface BoundObjects {
  serviceAccount(namespace: string, name: string): Promise<ServiceAccount | undefined>;
  pod(namespace: string, name: string): Promise<Pod | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  node(name: string): Promise<Node | undefined>;
}

export function liveObjects(client: Client): BoundObjects {
  const orUndefined = <T>(e: unknown): T | undefined => {
    if (isNotFound(e)) return undefined;
    throw e;
  };
  return {
    serviceAccount: (ns, name) =>
      client
        .resource('v1/serviceaccounts', ns)
        .get(name)
        .catch(orUndefined<ServiceAccount>),
    pod: (ns, name) =>
      client
        .resource('v1/pods', ns)
        .get(name)
        .catch(orUndefined<Pod>),
    secret: (ns, name) =>
      client
        .resource('v1/secrets', ns)
        .get(name)
        .catch(orUndefined<Secret>),
    node: name =>
      client
        .resource('v1/nodes')
        .get(name)
        .catch(orUndefined<Node>),
  };
}

export interface ServiceAccountTokenOptions {
  readonly clock: Clock;
  readonly signer: TokenSigner;
  /** The first one is written into tokens; all are accepted. */
  readonly issuers: readonly string[];
  /** What the API server calls itself. */
  readonly audiences: readonly string[];
  readonly objects: BoundObjects;
}

/** Throws when the object is gone, is another one of the same name, or has been going for longer than the leeway. */
function requireAlive(what: string, object: KubeObject | undefined, uid: string | undefined, now: number): void {
  if (!object) throw new Error(`service account token has been invalidated: ${what} not found`);
  const deleted = object.metadata.deletionTimestamp;
  if (deleted && Date.parse(deleted) < now - leewayMs)
    throw new Error(`service account token has been invalidated: ${what} has been deleted`);
  if (uid && uid !== object.metadata.uid)
    throw new Error(`${what} UID (${object.metadata.uid}) does not match claim (${uid})`);
}

function checkTimes(claims: JWTPayload, now: number): void {
  const seconds = now / 1000;
  if (claims.exp !== undefined && seconds > claims.exp) throw new Error('service account token has expired');
  if (claims.nbf !== undefined && seconds < claims.nbf) throw new Error('service account token is not valid yet');
}

function userOf(kubernetes: KubernetesClaims, jti: string | undefined): UserInfo {
  const { namespace, serviceaccount, pod, node } = kubernetes;
  const extra: Record<string, readonly string[]> = {
    ...(jti && { [extraKeys.credentialId]: [`JTI=${jti}`] }),
    ...(pod && { [extraKeys.podName]: [pod.name], [extraKeys.podUid]: [pod.uid] }),
    ...(node && { [extraKeys.nodeName]: [node.name], ...(node.uid && { [extraKeys.nodeUid]: [node.uid] }) }),
  };
  return {
    name: serviceAccountName(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: serviceAccountGroups(namespace),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

async function checkBound(claims: KubernetesClaims, objects: BoundObjects, now: number): Promise<void> {
  const { namespace, serviceaccount, pod, node, secret } = claims;
  const account = await objects.serviceAccount(namespace, serviceaccount.name);
  requireAlive('service account', account, serviceaccount.uid, now);
  if (secret) requireAlive('secret', await objects.secret(namespace, secret.name), secret.uid, now);
  if (pod) requireAlive('pod', await objects.pod(namespace, pod.name), pod.uid, now);
  // The pod's UID says enough about its node.
  else if (node) requireAlive('node', await objects.node(node.name), node.uid, now);
}

const claim = (claims: JWTPayload, name: string): string => {
  const value = claims[`kubernetes.io/serviceaccount/${name}`];
  return typeof value === 'string' ? value : '';
};

async function checkLegacy(token: string, claims: JWTPayload, objects: BoundObjects, now: number): Promise<UserInfo> {
  const namespace = claim(claims, 'namespace');
  const name = claim(claims, 'service-account.name');
  const uid = claim(claims, 'service-account.uid');
  const secret = await objects.secret(namespace, claim(claims, 'secret.name'));
  requireAlive('secret', secret, undefined, now);
  if (atob(secret?.data?.['token'] ?? '') !== token) throw new Error("Token does not match server's copy");
  requireAlive('service account', await objects.serviceAccount(namespace, name), uid, now);
  return userOf({ namespace, serviceaccount: { name, uid } }, undefined);
}

function readKubernetesClaims(claims: JWTPayload): KubernetesClaims {
  const value = claims['kubernetes.io'] as Partial<KubernetesClaims> | undefined;
  if (!value?.namespace || !value.serviceaccount?.name || !value.serviceaccount.uid)
    throw new Error('token has no service account');
  if (claims.sub !== serviceAccountName(value.namespace, value.serviceaccount.name))
    throw new Error('the subject of the token does not match its service account');
  return { ...value, namespace: value.namespace, serviceaccount: value.serviceaccount };
}

const audiencesOf = (claims: JWTPayload): readonly string[] =>
  typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);

/** The payload without looking at the signature: to leave tokens of other issuers to others. */
function peek(token: string): JWTPayload | undefined {
  const parts = token.split('.');
  if (parts.length !== 3 || !parts[1]) return undefined;
  try {
    return JSON.parse(atob(parts[1].replaceAll('-', '+').replaceAll('_', '/'))) as JWTPayload;
  } catch {
    return undefined;
  }
}

export function serviceAccountAuthenticator(options: ServiceAccountTokenOptions): TokenAuthenticator {
  const { clock, signer, objects } = options;
  const cache = new Map<string, { result: TokenResult; until: number }>();

  async function check(token: string, wanted: readonly string[]): Promise<TokenResult | undefined> {
    const issuer = peek(token)?.iss;
    const legacy = issuer === legacyIssuer;
    if (!legacy && !options.issuers.includes(issuer ?? '')) return undefined;
    const claims = await signer.verify(token);
    if (!claims) throw new Error('invalid signature of service account token');
    const now = clock.now();
    checkTimes(claims, now);
    // Legacy tokens name no audience and are good for the API server alone.
    const own = legacy ? options.audiences : audiencesOf(claims);
    const audiences = wanted.filter(a => own.includes(a));
    if (wanted.length > 0 && audiences.length === 0)
      throw new Error(
        `token audiences ${JSON.stringify(own)} is invalid for the target audiences ${JSON.stringify(wanted)}`,
      );
    if (legacy) return { user: await checkLegacy(token, claims, objects, now), audiences };
    const kubernetes = readKubernetesClaims(claims);
    await checkBound(kubernetes, objects, now);
    return { user: userOf(kubernetes, claims.jti), audiences };
  }

  return {
    name: 'service-account-token',
    async authenticateToken(token, audiences) {
      const key = `${token} ${JSON.stringify(audiences)}`;
      const known = cache.get(key);
      if (known && known.until > clock.monotonic()) return known.result;
      cache.delete(key);
      const result = await check(token, audiences);
      if (!result) return undefined;
      if (cache.size >= cacheSize) for (const oldest of [...cache.keys()].slice(0, cacheSize / 2)) cache.delete(oldest);
      const expiry = (peek(token)?.exp ?? Number.POSITIVE_INFINITY) * 1000 - clock.now();
      cache.set(key, { result, until: clock.monotonic() + Math.min(cacheMs, expiry) });
      return result;
    },
  };
}
