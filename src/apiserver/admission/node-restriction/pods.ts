/** What a kubelet may do to pods: mirror its static ones, report on those bound to it, evict and remove them. */
import type { Pod, PodSpec } from '../../../api/types/core-v1.ts';
import { semanticEqual } from '../../../api/util/values.ts';
import { errors } from '../../../base/errors.ts';
import { edgesOfPod } from '../../auth/node/graph.ts';
import type { AdmissionRequest } from '../contract.ts';
import { forbid, mirrorAnnotation, objectOf, oldObjectOf } from '../helpers.ts';
import type { Lookups } from './plugin.ts';

const quote = (text: string) => JSON.stringify(text);

/** Objects that a mirror pod must not name, or its node could read them. */
function referenceProblem(pod: Pod & { spec: PodSpec }): string | undefined {
  const kinds = new Set(edgesOfPod(pod).map(vertex => vertex.split(':')[0]));
  if (pod.spec.serviceAccountName || pod.spec.serviceAccount) return 'a service account';
  if (kinds.has('secret')) return 'secrets';
  if (kinds.has('configmap')) return 'configmaps';
  if (pod.spec.volumes?.some(v => v.projected?.sources?.some(s => s.clusterTrustBundle))) return 'clustertrustbundles';
  if (kinds.has('pvc')) return 'persistentvolumeclaims';
  if (pod.spec.resourceClaims?.length) return 'resourceclaims';
  return undefined;
}

async function ownerProblem(pod: Pod, node: string, lookups: Lookups): Promise<string | undefined> {
  const [owner, ...others] = pod.metadata.ownerReferences ?? [];
  const can = `node ${quote(node)} can only create pods with`;
  if (others.length > 0) return `${can} a single owner reference set to itself`;
  if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    return `${can} an owner reference set to itself`;
  if (!owner.controller) return `${can} a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion) return `node ${quote(node)} must not set blockOwnerDeletion on an owner reference`;
  const found = await lookups.node(node);
  if (!found) throw errors.notFound({ group: '', resource: 'nodes' }, node);
  const { uid } = found.metadata;
  return owner.uid === uid ? undefined : `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`;
}

async function admitCreate(request: AdmissionRequest, node: string, lookups: Lookups): Promise<void> {
  const pod = objectOf<Pod & { spec: PodSpec }>(request);
  if (pod.metadata.annotations?.[mirrorAnnotation] === undefined)
    throw forbid(
      request,
      `pod does not have ${quote(mirrorAnnotation)} annotation, node ${quote(node)} can only create mirror pods`,
    );
  if (pod.spec.nodeName !== node)
    throw forbid(request, `node ${quote(node)} can only create pods with spec.nodeName set to itself`);
  const problem = await ownerProblem(pod, node, lookups);
  if (problem) throw forbid(request, problem);
  const reference = referenceProblem(pod);
  if (reference) throw forbid(request, `node ${quote(node)} can not create pods that reference ${reference}`);
}

function admitStatus(request: AdmissionRequest, node: string): void {
  if (request.operation !== 'UPDATE') throw forbid(request, `unexpected operation ${quote(request.operation)}`);
  const [pod, old] = [objectOf<Pod>(request), oldObjectOf<Pod>(request)];
  if (old.spec?.nodeName !== node)
    throw forbid(request, `node ${quote(node)} can only update pod status for pods with spec.nodeName set to itself`);
  if (!semanticEqual(pod.metadata.labels ?? {}, old.metadata.labels ?? {}))
    throw forbid(request, `node ${quote(node)} cannot update labels through pod status`);
  if (!semanticEqual(pod.status?.resourceClaimStatuses ?? [], old.status?.resourceClaimStatuses ?? []))
    throw forbid(request, `node ${quote(node)} cannot update resource claim statuses`);
  if (!semanticEqual(pod.status?.extendedResourceClaimStatus, old.status?.extendedResourceClaimStatus))
    throw forbid(request, `node ${quote(node)} cannot update extended resource claim status`);
}

async function boundPod(request: AdmissionRequest, lookups: Lookups): Promise<Pod> {
  const pod = await lookups.pod(request.namespace, request.name);
  if (!pod) throw errors.notFound({ group: '', resource: 'pods' }, request.name);
  return pod;
}

export async function admitPod(request: AdmissionRequest, node: string, lookups: Lookups): Promise<void> {
  const { operation, subresource } = request;
  if (subresource === 'status') return admitStatus(request, node);
  if (subresource === 'eviction') {
    if ((await boundPod(request, lookups)).spec?.nodeName !== node)
      throw forbid(request, `node ${node} can only evict pods with spec.nodeName set to itself`);
    return;
  }
  if (subresource)
    throw forbid(request, `unexpected pod subresource ${quote(subresource)}, only 'status' and 'eviction' are allowed`);
  if (operation === 'CREATE') return admitCreate(request, node, lookups);
  if (operation !== 'DELETE')
    throw forbid(
      request,
      `unexpected operation ${quote(operation)}, node ${quote(node)} can only create and delete mirror pods`,
    );
  if ((await boundPod(request, lookups)).spec?.nodeName !== node)
    throw forbid(request, `node ${quote(node)} can only delete pods with spec.nodeName set to itself`);
}
