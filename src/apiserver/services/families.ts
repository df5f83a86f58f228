/** Which families a service gets (upstream: initIPFamilyFields in pkg/registry/core/service/storage/alloc.go). */
import type { Service, ServiceSpec } from '../../api/types/core-v1.ts';
import { needsClusterIp, validateClusterIps } from '../registry/core/service/cluster-ips.ts';
import { type FieldError, field } from '../registry/field-errors.ts';
import { type Family, familyOfIp } from './addresses.ts';

type Errors = FieldError[];

const otherFamily = (family: string): Family => (family === 'IPv4' ? 'IPv6' : 'IPv4');
const same = (a: readonly string[] = [], b: readonly string[] = []) =>
  a.length === b.length && a.every((text, i) => text === b[i]);
const fewer = (now: readonly string[] = [], before: readonly string[] = []) =>
  now.length > 0 && now.length < before.length;
/** Nobody knows what such a service will lead to: it may have families that the cluster has not. */
const open = ({ clusterIP, selector }: ServiceSpec) => clusterIP === 'None' && Object.keys(selector ?? {}).length === 0;

/**
 * True for a service that takes what it gets and keeps it: a cluster that gained or lost a family changes only services
 * whose owner asks for that.
 */
export function keepsFamilies({ spec }: Service, old: Service | undefined): boolean {
  if (!old || !needsClusterIp(spec) || old.spec.type !== spec.type) return false;
  return (
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    (old.spec.ipFamilyPolicy ?? 'PreferDualStack') === 'PreferDualStack' &&
    same(spec.clusterIPs, old.spec.clusterIPs) &&
    same(spec.ipFamilies, old.spec.ipFamilies)
  );
}

/** A policy of one gives up the second address; any other must not lose it. */
function shrink(spec: ServiceSpec, old: ServiceSpec): Errors {
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if (spec.clusterIPs && same(spec.clusterIPs, old.clusterIPs)) spec.clusterIPs = spec.clusterIPs.slice(0, 1);
    if (spec.ipFamilies && same(spec.ipFamilies, old.ipFamilies)) spec.ipFamilies = spec.ipFamilies.slice(0, 1);
    return [];
  }
  const refused = (what: string) =>
    field.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return [
    ...(fewer(spec.clusterIPs, old.clusterIPs) ? [refused('cluster IP')] : []),
    ...(fewer(spec.ipFamilies, old.ipFamilies) ? [refused('IP family')] : []),
  ];
}

function validatePolicy({ ipFamilyPolicy, clusterIPs, ipFamilies }: ServiceSpec): Errors {
  if (ipFamilyPolicy !== 'SingleStack') return [];
  const refused = (what: string) =>
    field.invalid(
      'spec.ipFamilyPolicy',
      ipFamilyPolicy,
      `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
    );
  return [
    ...(clusterIPs?.length === 2 ? [refused('cluster IPs')] : []),
    ...(ipFamilies?.length === 2 ? [refused('IP families')] : []),
  ];
}

/** Addresses that were asked for say which families are meant. */
function inferFamilies(spec: ServiceSpec, available: readonly Family[]): Errors {
  const errors: Errors = [];
  const ips = spec.clusterIPs ?? [];
  if (ips[0] === 'None') return errors;
  const families = [...(spec.ipFamilies ?? [])];
  for (const [i, ip] of ips.entries()) {
    if (i < families.length) continue;
    const family = familyOfIp(ip);
    if (available.includes(family)) families.push(family);
    else errors.push(field.invalid(`spec.clusterIPs[${i}]`, ips, `${family} is not configured on this cluster`));
  }
  spec.ipFamilies = families;
  return errors;
}

function validateAvailable({ ipFamilyPolicy, ipFamilies = [] }: ServiceSpec, available: readonly Family[]): Errors {
  const alone = ipFamilyPolicy === 'RequireDualStack' && available.length < 2;
  const why = 'this cluster is not configured for dual-stack services';
  return [
    ...(alone ? [field.invalid('spec.ipFamilyPolicy', ipFamilyPolicy, why)] : []),
    ...ipFamilies.flatMap((family, i) =>
      available.includes(family as Family)
        ? []
        : [field.invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster')],
    ),
  ];
}

/**
 * Fills `ipFamilyPolicy` and `ipFamilies` from what was asked, what the service had, and the cluster's families, the first
 * of which is the default. Gives what is wrong with the request; the service is then not to be stored.
 */
export function fillFamilies(service: Service, old: Service | undefined, available: readonly Family[]): Errors {
  const { spec } = service;
  if (!needsClusterIp(spec) || keepsFamilies(service, old)) return [];
  spec.ipFamilyPolicy ??= old?.spec.ipFamilyPolicy ?? (open(spec) ? 'RequireDualStack' : 'SingleStack');
  const malformed = validateClusterIps(spec);
  if (malformed.length > 0) return malformed;
  const invalid = [...(old ? shrink(spec, old.spec) : []), ...validatePolicy(spec), ...inferFamilies(spec, available)];
  if (invalid.length > 0) return invalid;
  const free = open(spec);
  const missing = free ? [] : validateAvailable(spec, available);
  if (missing.length > 0) return missing;
  const [first = available[0] ?? 'IPv4', ...rest] = spec.ipFamilies ?? [];
  const second = otherFamily(first);
  const grows = spec.ipFamilyPolicy !== 'SingleStack' && rest.length === 0 && (free || available.includes(second));
  spec.ipFamilies = grows ? [first, second] : [first, ...rest];
  return [];
}
