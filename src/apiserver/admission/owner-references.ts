import type { KubeObject } from '../../api/object.ts';
import { parseApiVersion } from '../../api/schema.ts';
import type { APIResourceList, OwnerReference } from '../../api/types/meta-v1.ts';
import { messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import type { Attributes } from '../auth/contract.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from './contract.ts';
import { forbid, objectOf, oldObjectOf, on } from './helpers.ts';

const sameOwner = (a: OwnerReference, b: OwnerReference): boolean => a.uid === b.uid;

function changed(request: AdmissionRequest): boolean {
  if (!request.object) return false;
  const next = objectOf<KubeObject>(request).metadata.ownerReferences ?? [];
  const old = request.oldObject ? (oldObjectOf<KubeObject>(request).metadata.ownerReferences ?? []) : [];
  return JSON.stringify(next) !== JSON.stringify(old);
}

/** Owners whose deletion the request newly blocks. */
function newlyBlocked(request: AdmissionRequest): OwnerReference[] {
  const old = request.oldObject ? (oldObjectOf<KubeObject>(request).metadata.ownerReferences ?? []) : [];
  const was = (ref: OwnerReference) => old.some(o => sameOwner(o, ref) && o.blockOwnerDeletion);
  const refs = objectOf<KubeObject>(request).metadata.ownerReferences ?? [];
  return refs.filter(ref => ref.blockOwnerDeletion && !was(ref));
}

/** Asks discovery which resource a kind is; throws when it is none. */
async function resourceOf(
  client: Client,
  apiVersion: string,
  kind: string,
): Promise<{ plural: string; namespaced: boolean }> {
  const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { resources } = await client.request<APIResourceList>('GET', path);
  const found = resources.find(r => r.kind === kind && !r.name.includes('/'));
  if (!found) throw new Error(`no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`);
  return { plural: found.name, namespaced: found.namespaced };
}

/** Only who may delete an object may give it away, and only who may hold an owner back may block its deletion. */
export const ownerReferencesPermissionEnforcement: AdmissionPluginFactory = {
  name: 'OwnerReferencesPermissionEnforcement',
  disabledByDefault: true,
  create({ client, authorizer }) {
    async function refused(attributes: Attributes): Promise<string | undefined> {
      const { result, reason } = await authorizer.authorize(attributes);
      return result === 'allow' ? undefined : reason;
    }
    const about = (request: AdmissionRequest): Attributes => ({
      user: request.user,
      verb: 'delete',
      group: request.resource.group,
      version: request.resource.version,
      resource: request.resource.plural,
      subresource: '',
      namespace: request.namespace,
      name: request.name,
      isResource: true,
      path: '',
    });

    async function checkBlocked(request: AdmissionRequest, ref: OwnerReference): Promise<void> {
      const owner = await resourceOf(client, ref.apiVersion, ref.kind).catch(e => {
        throw forbid(
          request,
          `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${ref.apiVersion} Kind ${ref.kind}: ${messageOf(e)}`,
        );
      });
      const why = await refused({
        ...about(request),
        ...parseApiVersion(ref.apiVersion),
        verb: 'update',
        resource: owner.plural,
        subresource: 'finalizers',
        namespace: owner.namespaced ? request.namespace : '',
        name: ref.name,
      });
      if (why !== undefined)
        throw forbid(
          request,
          `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${why}, <nil>`,
        );
    }

    async function checkOwners(request: AdmissionRequest): Promise<void> {
      const why = request.operation === 'UPDATE' ? await refused(about(request)) : undefined;
      if (why !== undefined)
        throw forbid(request, `cannot set an ownerRef on a resource you can't delete: ${why}, <nil>`);
      for (const ref of newlyBlocked(request)) await checkBlocked(request, ref);
    }

    return {
      name: 'OwnerReferencesPermissionEnforcement',
      handles: on('CREATE', 'UPDATE'),
      validate: request => (request.subresource || !changed(request) ? undefined : checkOwners(request)),
    };
  },
};
