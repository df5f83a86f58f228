import type { IPAddress, ParentReference, ServiceCIDR } from '../../../api/types/networking-v1.ts';
import { isCanonicalCidr, isCanonicalIp, parseCidr } from '../../../api/validation/ip.ts';
import {
  dnsSubdomain,
  type Errors,
  each,
  immutable,
  invalidAll,
  nonEmpty,
  pathSegment,
  requiredAnd,
} from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { internalForm } from '../internal-form.ts';

const shownParent = (ref: ParentReference | undefined) =>
  internalForm({ Group: '', Resource: '', Namespace: '', Name: '' }, ref);

function parent({ spec: { parentRef: ref } }: IPAddress): string {
  if (!ref) return '<none>';
  const resource = (ref.group ? `${ref.resource}.${ref.group}` : (ref.resource ?? '')).toLowerCase();
  return ref.namespace ? `${resource}/${ref.namespace}/${ref.name}` : `${resource}/${ref.name}`;
}

function validateParent({ spec }: IPAddress): Errors {
  const path = 'spec.parentRef';
  const ref = spec.parentRef;
  if (!ref) return [field.required(path)];
  return [
    ...nonEmpty(ref.group, `${path}.group`, dnsSubdomain),
    ...requiredAnd(ref.resource, `${path}.resource`, pathSegment),
    ...requiredAnd(ref.name, `${path}.name`, pathSegment),
    ...nonEmpty(ref.namespace, `${path}.namespace`, pathSegment),
  ];
}

/** One range per family, each written in its canonical form. */
function validateCidrs({ spec }: ServiceCIDR): Errors {
  const path = 'spec.cidrs';
  const cidrs = spec.cidrs ?? [];
  if (cidrs.length === 0) return [field.required(path, 'at least one CIDR required')];
  if (cidrs.length > 2) return [field.invalid(path, { CIDRs: cidrs }, 'may only hold up to 2 values')];
  const [first, second] = cidrs.map(text => parseCidr(text)?.family);
  const detail = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
  return [
    ...each(cidrs, path, (text, at) => invalidAll(at, text, isCanonicalCidr(text))),
    ...(first !== undefined && first === second ? [field.invalid(path, cidrs, detail)] : []),
  ];
}

/** A second family may be added, nothing else. */
function validateCidrsUpdate(cidr: ServiceCIDR, { spec: old }: ServiceCIDR): Errors {
  const path = 'spec.cidrs';
  const now = cidr.spec.cidrs ?? [];
  const before = old.cidrs ?? [];
  const kept = each(before, path, (text, at, i) => immutable(now[i], text, at));
  if (now.length === before.length) return kept;
  return before.length === 1 && now.length === 2 ? [...kept, ...validateCidrs(cidr)] : immutable(now, before, path);
}

export const ipAddresses = clusterScoped<IPAddress>({
  resource: 'networking.k8s.io/ipaddresses',
  validateName: name => isCanonicalIp(name),
  validate: validateParent,
  validateUpdate: ({ spec }, old) => immutable(spec.parentRef, old.spec.parentRef, 'spec.parentRef', shownParent),
  // Upstream's definition of this table ends here, too.
  columns: [nameColumn, text('ParentRef', parent)],
  selectableFields: { 'spec.parentRef.name': obj => obj.spec.parentRef?.name ?? '' },
});

export const serviceCidrs = clusterScoped<ServiceCIDR>({
  resource: 'networking.k8s.io/servicecidrs',
  validateCreate: validateCidrs,
  validateUpdate: validateCidrsUpdate,
  default: obj => {
    obj.status ??= {};
  },
  initialStatus: () => ({}),
  generation: false,
  subresources: { status: statusSubresource<ServiceCIDR>({ fixedMetadata: true }) },
  columns: [nameColumn, text('CIDRs', obj => (obj.spec.cidrs ?? []).join(',')), ageColumn],
});
