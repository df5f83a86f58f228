/** Upstream checks this in the storage of the RBAC kinds; here it is asked when the object is final. Cannot be switched off. */
import type { KubeObject } from '../../api/object.ts';
import type { ClusterRole, ClusterRoleBinding } from '../../api/types/rbac-v1.ts';
import { semanticEqual } from '../../api/util/values.ts';
import { checkBinding, checkRole, type EscalationContext } from '../auth/rbac/escalation.ts';
import { informerSource } from '../auth/rbac/source.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from './contract.ts';
import { objectOf, oldObjectOf, on } from './helpers.ts';

/** The garbage collector must be able to take finalizers and owners away without holding the permissions. */
function onlyMetadataChanged(request: AdmissionRequest): boolean {
  if (!request.oldObject) return false;
  const { metadata: _, ...next } = objectOf<KubeObject & Record<string, unknown>>(request);
  const { metadata: __, ...previous } = oldObjectOf<KubeObject & Record<string, unknown>>(request);
  return semanticEqual(next, previous);
}

async function check(request: AdmissionRequest, context: EscalationContext): Promise<void> {
  const { plural } = request.resource;
  if (plural === 'roles' || plural === 'clusterroles') {
    const role = objectOf<ClusterRole>(request);
    const aggregated = role.aggregationRule ?? (request.oldObject && oldObjectOf<ClusterRole>(request).aggregationRule);
    await checkRole(context, plural, {
      name: request.name,
      rules: role.rules ?? [],
      aggregated: plural === 'clusterroles' && aggregated !== undefined,
    });
  } else if (plural === 'rolebindings' || plural === 'clusterrolebindings') {
    const { roleRef } = objectOf<ClusterRoleBinding>(request);
    await checkBinding(context, plural, { name: request.name, roleRef });
  }
}

export const rbacEscalation: AdmissionPluginFactory = {
  name: 'RBACEscalation',
  create({ informers, authorizer }) {
    const source = informerSource(informers);
    return {
      name: 'RBACEscalation',
      handles: on('CREATE', 'UPDATE'),
      async validate(request) {
        if (request.resource.group !== 'rbac.authorization.k8s.io' || request.subresource) return;
        if (onlyMetadataChanged(request)) return;
        const { user, namespace } = request;
        await check(request, { source, authorizer, user, namespace });
      },
    };
  },
};
