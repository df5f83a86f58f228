import type {
  DeviceSubRequest,
  ResourceClaim,
  ResourceClaimSpec,
  ResourceClaimTemplate,
} from '../../../api/types/resource-v1.ts';
import { immutable } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { validateTemplateMeta } from '../meta/object-meta.ts';
import { dropDeallocated, validateClaimStatus } from './claim-status.ts';
import { dropFromClaimSpec, dropFromClaimStatus } from './gates.ts';
import { validateClaimSpec } from './validate.ts';

function defaultRequest(request: Omit<DeviceSubRequest, 'name'>): void {
  request.allocationMode ||= 'ExactCount';
  if (request.allocationMode === 'ExactCount') request.count ||= 1;
  for (const toleration of request.tolerations ?? []) toleration.operator ||= 'Equal';
}

function defaultClaimSpec(spec: ResourceClaimSpec): void {
  spec.devices ??= {};
  for (const request of spec.devices.requests ?? []) {
    if (request.exactly) defaultRequest(request.exactly);
    request.firstAvailable?.forEach(defaultRequest);
  }
}

function state({ metadata, status }: ResourceClaim): string {
  const words = [
    ...(metadata.deletionTimestamp ? ['deleted'] : []),
    ...(status?.allocation ? ['allocated'] : []),
    ...(status?.allocation && status.reservedFor?.length ? ['reserved'] : []),
  ];
  return words.join(',') || 'pending';
}

export const resourceClaims = namespaced<ResourceClaim>({
  resource: 'resource.k8s.io/resourceclaims',
  generation: false,
  default(claim) {
    claim.status ??= {};
    if (claim.status.allocation) claim.status.allocation.devices ??= {};
    defaultClaimSpec((claim.spec ??= {}));
  },
  initialStatus: () => ({}),
  prepareForCreate: claim => dropFromClaimSpec(claim.spec),
  prepareForUpdate: claim => dropFromClaimSpec(claim.spec),
  validateCreate: claim => validateClaimSpec(claim.spec, 'spec'),
  validateUpdate: (claim, old) => immutable(claim.spec, old.spec, 'spec'),
  subresources: {
    status: statusSubresource<ResourceClaim>({
      fixedMetadata: true,
      prepareForUpdate(claim, old) {
        dropFromClaimStatus(claim);
        dropDeallocated(claim, old);
      },
      validateUpdate: validateClaimStatus,
    }),
  },
  columns: [nameColumn, text('State', state), ageColumn],
});

export const resourceClaimTemplates = namespaced<ResourceClaimTemplate>({
  resource: 'resource.k8s.io/resourceclaimtemplates',
  prepareForCreate: template => dropFromClaimSpec(template.spec.spec),
  prepareForUpdate: template => dropFromClaimSpec(template.spec.spec),
  validateCreate: ({ spec }) => [
    ...validateTemplateMeta(spec.metadata, 'spec.metadata'),
    ...validateClaimSpec(spec.spec, 'spec.spec'),
  ],
  validateUpdate: (template, old) => immutable(template.spec, old.spec, 'spec'),
  default(template) {
    template.spec.metadata ??= {};
    defaultClaimSpec((template.spec.spec ??= {}));
  },
  columns: [nameColumn, ageColumn],
});
