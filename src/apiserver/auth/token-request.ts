/** The `token` subresource of service accounts (pkg/registry/core/serviceaccount/storage/token.go of v1.35). */
import type { BoundObjectReference, TokenRequest } from '../../api/types/authentication-v1.ts';
import type { ServiceAccount } from '../../api/types/core-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { type ApiError, errors } from '../../base/errors.ts';
import { type Random, uuid } from '../../base/random.ts';
import { aggregate, field } from '../registry/field-errors.ts';
import type { KubernetesClaims, ServiceAccountTokenOptions } from './authenticators/service-account.ts';
import { serviceAccountName } from './users.ts';

const defaultSeconds = 3600;
const minimumSeconds = 600;
const maximumSeconds = 2 ** 32;
/** What kubelets ask for in pods; such tokens are good for longer, so that old clients that never reload do not break. */
const warnOnlySeconds = 3607;
const extendedSeconds = 365 * 24 * 3600;

export interface TokenRequestOptions extends ServiceAccountTokenOptions {
  readonly random: Random;
  /** Longest lifetime granted, in seconds (upstream's --service-account-max-token-expiration). */
  readonly maxExpirationSeconds?: number;
  /** Default true. */
  readonly extendExpiration?: boolean;
}

function validateExpiration(seconds: number): void {
  const path = 'spec.expirationSeconds';
  const problem =
    seconds < minimumSeconds
      ? 'may not specify a duration less than 10 minutes'
      : seconds > maximumSeconds
        ? 'may not specify a duration larger than 2^32 seconds'
        : undefined;
  if (!problem) return;
  const { causes, message } = aggregate([field.invalid(path, seconds, problem)]);
  throw errors.invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', causes, message);
}

type Bound = Pick<KubernetesClaims, 'pod' | 'node' | 'secret'>;

function checkUid(reference: BoundObjectReference, resource: string, uid: string | undefined): string {
  if (reference.uid && reference.uid !== uid)
    throw errors.conflict(
      { group: '', resource },
      reference.name ?? '',
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  return uid ?? '';
}

async function bindPod(
  account: ServiceAccount,
  reference: BoundObjectReference,
  options: TokenRequestOptions,
): Promise<Bound> {
  const namespace = account.metadata.namespace ?? '';
  const name = reference.name ?? '';
  const pod = await options.objects.pod(namespace, name);
  if (!pod) throw errors.notFound({ group: '', resource: 'pods' }, name);
  if (pod.spec?.serviceAccountName !== account.metadata.name)
    throw errors.badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name.`,
    );
  const uid = checkUid(reference, 'pods', pod.metadata.uid);
  const nodeName = pod.spec?.nodeName;
  const node = nodeName ? await options.objects.node(nodeName) : undefined;
  return { pod: { name, uid }, ...(nodeName && { node: { name: nodeName, uid: node?.metadata.uid ?? '' } }) };
}

async function bindObject(
  account: ServiceAccount,
  reference: BoundObjectReference,
  options: TokenRequestOptions,
): Promise<Bound> {
  const name = reference.name ?? '';
  const { apiVersion = '', kind = '' } = reference;
  if (apiVersion.includes('/')) throw unboundable(reference);
  if (kind === 'Pod') return bindPod(account, reference, options);
  if (kind === 'Node') {
    const node = await options.objects.node(name);
    if (!node) throw errors.notFound({ group: '', resource: 'nodes' }, name);
    return { node: { name, uid: checkUid(reference, 'nodes', node.metadata.uid) } };
  }
  if (kind === 'Secret') {
    const secret = await options.objects.secret(account.metadata.namespace ?? '', name);
    if (!secret) throw errors.notFound({ group: '', resource: 'secrets' }, name);
    return { secret: { name, uid: checkUid(reference, 'secrets', secret.metadata.uid) } };
  }
  throw unboundable(reference);
}

function unboundable({ apiVersion = '', kind = '' }: BoundObjectReference): ApiError {
  const type = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
  return errors.badRequest(`cannot bind token to object of type ${type}, Kind=${kind}`);
}

/**
 * Answers a TokenRequest for `account`. Does not store anything. Throws Invalid, BadRequest, Conflict or NotFound.
 */
export async function createToken(
  account: ServiceAccount,
  request: TokenRequest,
  options: TokenRequestOptions,
): Promise<TokenRequest> {
  const requested = request.spec?.expirationSeconds ?? defaultSeconds;
  validateExpiration(requested);
  const audiences = request.spec?.audiences?.length ? request.spec.audiences : [...options.audiences];
  const reference = request.spec?.boundObjectRef;
  const bound = reference ? await bindObject(account, reference, options) : {};
  const granted = Math.min(requested, options.maxExpirationSeconds ?? requested);
  const extend =
    (options.extendExpiration ?? true) &&
    requested === warnOnlySeconds &&
    bound.pod !== undefined &&
    audiences.every(a => options.audiences.includes(a));
  const now = Math.floor(options.clock.now() / 1000);
  const { name, namespace = '', uid = '' } = account.metadata;
  const kubernetes: KubernetesClaims = {
    namespace,
    ...bound,
    serviceaccount: { name, uid },
    ...(extend && { warnafter: now + granted }),
  };
  const token = await options.signer.sign({
    iss: options.issuers[0] ?? '',
    sub: serviceAccountName(namespace, name),
    aud: audiences,
    exp: now + (extend ? extendedSeconds : granted),
    iat: now,
    nbf: now,
    jti: uuid(options.random),
    'kubernetes.io': kubernetes,
  });
  return {
    ...request,
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { ...request.metadata, name, namespace, uid, creationTimestamp: rfc3339(options.clock.now()) },
    spec: { ...request.spec, audiences, expirationSeconds: granted },
    status: { token, expirationTimestamp: rfc3339((now + granted) * 1000) },
  };
}

/** `/.well-known/openid-configuration` */
export function discoveryDocument(issuer: string, jwksUri: string, signer: { algorithm: string }): object {
  return {
    issuer,
    jwks_uri: jwksUri,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [signer.algorithm],
  };
}

/** `/openid/v1/jwks` */
export const keySet = (signer: { publicKeys: readonly object[] }): object => ({ keys: signer.publicKeys });
