/** Access to devices that others use is for namespaces that an administrator marked (pkg/registry/resource/utils.go). */
import type { ResourceClaim, ResourceClaimTemplate } from '../../../api/types/resource-v1.ts';
import { errors } from '../../../base/errors.ts';
import type { Hooks, Scope } from '../../server/scope.ts';
import { kindPrefix } from '../../storage/keys.ts';
import { aggregate, field } from '../field-errors.ts';

const label = 'resource.kubernetes.io/admin-access';

async function check(scope: Scope, obj: ResourceClaim | ResourceClaimTemplate, kind: string): Promise<undefined> {
  const spec = 'spec' in (obj.spec ?? {}) ? (obj as ResourceClaimTemplate).spec.spec : (obj as ResourceClaim).spec;
  const index = (spec?.devices?.requests ?? []).findIndex(request => request.exactly?.adminAccess);
  if (index < 0) return undefined;
  const namespace = scope.core.cacher.kind(kindPrefix('', 'namespaces')).get(obj.metadata.namespace ?? '');
  if (namespace?.object().metadata.labels?.[label] === 'true') return undefined;
  const detail = `admin access to devices requires the \`${label}: true\` label on the containing namespace`;
  const found = [field.forbidden(`spec.devices.requests[${index}].adminAccess`, detail)];
  const { causes, message } = aggregate(found);
  throw errors.invalid({ group: 'resource.k8s.io', kind }, obj.metadata.name, causes, message);
}

export const claimHooks: Hooks = {
  beginCreate: (obj, scope) => check(scope, obj as unknown as ResourceClaim, 'ResourceClaim'),
};
export const claimTemplateHooks: Hooks = {
  beginCreate: (obj, scope) => check(scope, obj as unknown as ResourceClaimTemplate, 'ResourceClaimTemplate'),
};
