import type {
  DeviceSubRequest,
  ResourceClaim,
  ResourceClaimSpec,
  ResourceClaimTemplate,
} from '../../../api/types/resource-v1.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';

function defaultRequest(request: Omit<DeviceSubRequest, 'name'>): void {
  request.allocationMode ||= 'ExactCount';
  if (request.allocationMode === 'ExactCount') request.count ||= 1;
  for (const toleration of request.tolerations ?? []) toleration.operator ||= 'Equal';
}

function defaultClaimSpec(spec: ResourceClaimSpec | undefined): void {
  for (const request of spec?.devices?.requests ?? []) {
    if (request.exactly) defaultRequest(request.exactly);
    request.firstAvailable?.forEach(defaultRequest);
  }
}

function state({ metadata, status }: ResourceClaim): string {
  const words = [
    ...(metadata.deletionTimestamp ? ['deleted'] : []),
    ...(status?.allocation ? ['allocated'] : []),
    ...(status?.reservedFor?.length ? ['reserved'] : []),
  ];
  return words.join(',') || 'pending';
}

export const resourceClaims = namespaced<ResourceClaim>({
  resource: 'resource.k8s.io/resourceclaims',
  default(claim) {
    claim.status ??= {};
    defaultClaimSpec(claim.spec);
  },
  initialStatus: () => ({}),
  columns: [nameColumn, text('State', state), ageColumn],
});

export const resourceClaimTemplates = namespaced<ResourceClaimTemplate>({
  resource: 'resource.k8s.io/resourceclaimtemplates',
  default(template) {
    if (!template.spec) return;
    template.spec.metadata ??= {};
    defaultClaimSpec(template.spec.spec);
  },
  columns: [nameColumn, ageColumn],
});
