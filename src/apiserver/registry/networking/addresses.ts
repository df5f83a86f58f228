import type { IPAddress, ServiceCIDR } from '../../../api/types/networking-v1.ts';
import { isCanonicalCidr, isCanonicalIp, parseCidr } from '../../../api/validation/ip.ts';
import { isPathSegmentName } from '../../../api/validation/names.ts';
import { dnsSubdomain, type Errors, each, immutable, invalidAll, nonEmpty, requiredAnd, same } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';
import { field } from '../field-errors.ts';

function parent({ spec: { parentRef: ref } }: IPAddress): string {
  if (!ref) return '<none>';
  const resource = (ref.group ? `${ref.resource}.${ref.group}` : (ref.resource ?? '')).toLowerCase();
  return ref.namespace ? `${resource}/${ref.namespace}/${ref.name}` : `${resource}/${ref.name}`;
}

const pathSegment = (value: string, path: string) => invalidAll(path, value, isPathSegmentName(value));

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
  if (cidrs.length > 2) return [field.invalid(path, spec, 'may only hold up to 2 values')];
  const families = cidrs.map(text => parseCidr(text)?.family);
  const twice = families.length === 2 && families[0] !== undefined && families[0] === families[1];
  return [
    ...(twice ? [field.invalid(path, spec, 'may specify no more than one IP for each IP family')] : []),
    ...each(cidrs, path, (text, at) => invalidAll(at, text, isCanonicalCidr(text))),
  ];
}

/** A second family may be added, nothing else. */
function validateCidrsUpdate({ spec }: ServiceCIDR, { spec: old }: ServiceCIDR): Errors {
  const before = old.cidrs ?? [];
  const now = spec.cidrs ?? [];
  const grows = before.length === 1 && now.length === 2 && same(now.slice(0, 1), before);
  return grows ? [] : immutable(now, before, 'spec.cidrs');
}

export const ipAddresses = clusterScoped<IPAddress>({
  resource: 'networking.k8s.io/ipaddresses',
  validateName: name => isCanonicalIp(name),
  validate: validateParent,
  validateUpdate: (obj, old) => immutable(obj.spec.parentRef, old.spec.parentRef, 'spec.parentRef'),
  columns: [nameColumn, text('ParentRef', parent), ageColumn],
  selectableFields: { 'spec.parentRef.name': obj => obj.spec.parentRef?.name ?? '' },
});

export const serviceCidrs = clusterScoped<ServiceCIDR>({
  resource: 'networking.k8s.io/servicecidrs',
  validate: validateCidrs,
  validateUpdate: validateCidrsUpdate,
  default: obj => {
    obj.status ??= {};
  },
  initialStatus: () => ({}),
  columns: [nameColumn, text('CIDRs', obj => (obj.spec.cidrs ?? []).join(',')), ageColumn],
});
