/** Rules of a service's addresses and families (ValidateServiceClusterIPsRelatedFields and validateUpgradeDowngrade* in pkg/apis/core/validation). */
import type { ServiceSpec } from '../../../../api/types/core-v1.ts';
import { isIp, parseIp } from '../../../../api/validation/ip.ts';
import { type Errors, each, invalidAll, oneOf, optional } from '../../checks.ts';
import { field } from '../../field-errors.ts';

const ipsPath = 'spec.clusterIPs';
const policyPath = 'spec.ipFamilyPolicy';
const fixed = 'may not change once set';

export const isHeadless = (spec: ServiceSpec): boolean =>
  spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';
export const needsClusterIp = (spec: ServiceSpec): boolean => spec.type !== 'ExternalName';

/** The singular and the plural field say the same. */
function validateSync({ clusterIP, clusterIPs: ips = [] }: ServiceSpec): Errors {
  if (!clusterIP) {
    return ips.length > 0 ? [field.invalid(ipsPath, ips, 'must be empty when `clusterIP` is not specified')] : [];
  }
  if (ips.length === 0) return [field.required(ipsPath)];
  return ips[0] === clusterIP ? [] : [field.invalid(ipsPath, ips, 'first value must match `clusterIP`')];
}

function validateFamilies(spec: ServiceSpec): Errors {
  const seen = new Set<string>();
  return [
    ...each(spec.ipFamilies, 'spec.ipFamilies', (family, at) => {
      const errors = oneOf(['IPv4', 'IPv6'])(family, at);
      if (seen.has(family)) errors.push(field.duplicate(at, family));
      seen.add(family);
      return errors;
    }),
    ...optional(spec.ipFamilyPolicy, policyPath, oneOf(['PreferDualStack', 'RequireDualStack', 'SingleStack'])),
  ];
}

const familyOf = (ip: string) => (parseIp(ip)?.family === 6 ? 'IPv6' : 'IPv4');

function matchFamilies(spec: ServiceSpec, ips: readonly string[]): Errors {
  return each(ips, ipsPath, (ip, at, i) => {
    const family = spec.ipFamilies?.[i];
    return family === undefined || familyOf(ip) === family
      ? []
      : [field.invalid(at, ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``)];
  });
}

function validateIps(spec: ServiceSpec): Errors {
  const ips = spec.clusterIPs ?? [];
  const malformed = each(ips, ipsPath, (ip, at, i) => {
    if (i > 0 || ip !== 'None') return invalidAll(at, ip, isIp(ip, false));
    return ips.length > 1 ? [field.invalid(ipsPath, ips, "'None' must be the first and only value")] : [];
  });
  const tooMany = ips.length > 2 ? [field.invalid(ipsPath, ips, 'may only hold up to 2 values')] : [];
  if (malformed.length > 0) return [...malformed, ...tooMany];
  const oneFamily = ips.length > 1 && new Set(ips.map(familyOf)).size === 1;
  return [
    ...tooMany,
    ...(oneFamily ? [field.invalid(ipsPath, ips, 'may specify no more than one IP for each IP family')] : []),
    ...(isHeadless(spec) ? [] : matchFamilies(spec, ips)),
  ];
}

/** What can be said without knowing the cluster's families. External names have rules of their own. */
export function validateClusterIps(spec: ServiceSpec): Errors {
  return needsClusterIp(spec) ? [...validateSync(spec), ...validateFamilies(spec), ...validateIps(spec)] : [];
}

/** The second of two went, which only a policy of one allows. */
function released(what: string, count: number, { ipFamilyPolicy }: ServiceSpec): Errors {
  if (count !== 1 || ipFamilyPolicy === 'SingleStack') return [];
  return [
    field.invalid(
      policyPath,
      ipFamilyPolicy ?? null,
      `must be set to 'SingleStack' when releasing the secondary ${what}`,
    ),
  ];
}

function changedIps(spec: ServiceSpec, old: ServiceSpec): Errors {
  const now = spec.clusterIPs ?? [];
  const before = old.clusterIPs ?? [];
  if (isHeadless(spec) && isHeadless(old)) return [];
  if (before.length === now.length) {
    return each(before, ipsPath, (ip, at, i) => (ip === now[i] ? [] : [field.invalid(at, now, fixed)]));
  }
  const first = `${ipsPath}[0]`;
  const moved = before.length > 0 && now.length > 0 && now[0] !== before[0] ? [field.invalid(first, now, fixed)] : [];
  if (before.length < now.length) return moved;
  const unset = now.length === 0 ? [field.invalid(first, now, 'primary clusterIP can not be unset')] : [];
  return [...unset, ...moved, ...released('clusterIP', now.length, spec)];
}

/** Headless services may change their families. */
function changedFamilies(spec: ServiceSpec, old: ServiceSpec): Errors {
  const now = spec.ipFamilies ?? [];
  const before = old.ipFamilies ?? [];
  const ips = spec.clusterIPs ?? [];
  if (isHeadless(spec) || isHeadless(old)) return [];
  const first = 'spec.ipFamilies[0]';
  if (before.length === now.length) {
    return before.flatMap((family, i) => (family === now[i] ? [] : [field.invalid(first, now, fixed)]));
  }
  const moved = before.length > 0 && now.length > 0 && now[0] !== before[0] ? [field.invalid(first, ips, fixed)] : [];
  if (before.length < now.length) return moved;
  const unset = ips.length === 0 ? [field.invalid(first, now, 'primary ipFamily can not be unset')] : [];
  return [...unset, ...moved, ...released('ipFamily', now.length, spec)];
}

/** A second address and family may come and go; the first ones stay. */
export function validateClusterIpsUpdate(spec: ServiceSpec, old: ServiceSpec): Errors {
  return needsClusterIp(spec) && needsClusterIp(old) ? [...changedIps(spec, old), ...changedFamilies(spec, old)] : [];
}
