/** A kubelet gets tokens only for pods on its node, and only for audiences that those pods name. */
import type { TokenRequest } from '../../../api/types/authentication-v1.ts';
import type { Pod } from '../../../api/types/core-v1.ts';
import { errors } from '../../../base/errors.ts';
import type { Authorizer } from '../../auth/contract.ts';
import type { AdmissionRequest } from '../contract.ts';
import { forbid, objectOf } from '../helpers.ts';
import type { Lookups } from './plugin.ts';

/** Audiences of projected tokens, and of the CSI drivers behind the pod's volumes. */
async function audiencesOf(pod: Pod, lookups: Lookups): Promise<Set<string>> {
  const found = new Set<string>();
  const drivers = new Set<string>();
  for (const volume of pod.spec?.volumes ?? []) {
    for (const source of volume.projected?.sources ?? [])
      if (source.serviceAccountToken) found.add(source.serviceAccountToken.audience ?? '');
    const claim =
      volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral && `${pod.metadata.name}-${volume.name}`);
    const driver = volume.csi?.driver ?? (claim && (await lookups.driverOfClaim(pod.metadata.namespace ?? '', claim)));
    if (driver) drivers.add(driver);
  }
  for (const driver of drivers)
    for (const { audience } of (await lookups.csiDriver(driver))?.spec.tokenRequests ?? []) found.add(audience);
  return found;
}

async function checkAudience(
  request: AdmissionRequest,
  pod: Pod,
  lookups: Lookups,
  authorizer: Authorizer,
): Promise<void> {
  const { audiences = [] } = objectOf<TokenRequest>(request).spec ?? {};
  if (audiences.length > 1) throw forbid(request, 'node may only request 0 or 1 audiences');
  const audience = audiences[0] ?? '';
  if (audience === '' || (await audiencesOf(pod, lookups)).has(audience)) return;
  const { result } = await authorizer.authorize({
    user: request.user,
    verb: 'request-serviceaccounts-token-audience',
    group: '',
    version: 'v1',
    resource: audience,
    subresource: '',
    namespace: request.namespace,
    name: request.name,
    isResource: true,
    path: '',
  });
  if (result !== 'allow')
    throw forbid(
      request,
      `audience ${JSON.stringify(audience)} not found in pod spec volume, system:node:${pod.spec?.nodeName} is not authorized to request tokens for this audience`,
    );
}

export async function admitToken(
  request: AdmissionRequest,
  node: string,
  lookups: Lookups,
  authorizer: Authorizer,
): Promise<void> {
  if (request.operation !== 'CREATE' || request.subresource !== 'token') return;
  const reference = objectOf<TokenRequest>(request).spec?.boundObjectRef;
  if (reference?.apiVersion !== 'v1' || reference.kind !== 'Pod' || !reference.name)
    throw forbid(request, 'node requested token not bound to a pod');
  if (!reference.uid) throw forbid(request, 'node requested token with a pod binding without a uid');
  const pod = await lookups.pod(request.namespace, reference.name);
  if (!pod) throw errors.notFound({ group: '', resource: 'pods' }, reference.name);
  if (reference.uid !== pod.metadata.uid)
    throw forbid(
      request,
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (pod.spec?.nodeName !== node)
    throw forbid(request, 'node requested token bound to a pod scheduled on a different node');
  await checkAudience(request, pod, lookups, authorizer);
}
