/** What may change in a service, and what an update keeps when the client leaves it out. */
import type { LoadBalancerIngress, Service, ServiceSpec } from '../../../../api/types/core-v1.ts';
import { parseIp } from '../../../../api/validation/ip.ts';
import {
  dnsSubdomain,
  type Errors,
  each,
  forbidden,
  immutable,
  ipAddress,
  oneOf,
  optional,
  same,
} from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { externallyAccessible } from './defaults.ts';
import { needsHealthCheck } from './validate.ts';

const needsClusterIp = (spec: ServiceSpec) => spec.type !== 'ExternalName';
const needsNodePort = (spec: ServiceSpec) =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

/** Clients that know only the singular field get the plural one. */
export function normalizeClusterIps(spec: ServiceSpec, old?: ServiceSpec): void {
  const set = (ips: string[]) => {
    if (ips.length > 0) spec.clusterIPs = ips;
    else delete spec.clusterIPs;
  };
  if (!old) {
    if (spec.clusterIP && !spec.clusterIPs?.length) set([spec.clusterIP]);
    return;
  }
  const samePlural = same(spec.clusterIPs, old.clusterIPs);
  if (spec.clusterIP !== old.clusterIP && samePlural) set(spec.clusterIP ? [spec.clusterIP] : []);
  else if (spec.clusterIP === old.clusterIP && !samePlural && !spec.clusterIPs?.length) delete spec.clusterIP;
}

function keepNodePorts(spec: ServiceSpec, old: ServiceSpec): void {
  const used = new Set((spec.ports ?? []).map(p => p.nodePort).filter(Boolean));
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const before = old.ports?.find(p => p.port === port.port && p.protocol === port.protocol)?.nodePort;
    if (!before || used.has(before)) continue;
    port.nodePort = before;
    used.add(before);
  }
}

/** What was allocated stays allocated while the type needs it (patchAllocatedValues). */
export function keepAllocated(spec: ServiceSpec, old: ServiceSpec): void {
  if (needsClusterIp(old) && needsClusterIp(spec)) {
    if (!spec.clusterIP && old.clusterIP) spec.clusterIP = old.clusterIP;
    if (!spec.clusterIPs?.length && spec.clusterIP === old.clusterIP && old.clusterIPs)
      spec.clusterIPs = [...old.clusterIPs];
  }
  if (needsNodePort(old) && needsNodePort(spec)) keepNodePorts(spec, old);
  if (needsHealthCheck(old) && needsHealthCheck(spec) && old.healthCheckNodePort) {
    spec.healthCheckNodePort ||= old.healthCheckNodePort;
  }
}

const nodePorts = (spec: ServiceSpec) => new Set((spec.ports ?? []).flatMap(p => (p.nodePort ? [p.nodePort] : [])));

function dropNodePorts(spec: ServiceSpec, old: ServiceSpec): void {
  const before = nodePorts(old);
  // A port that the client wrote itself is a mistake to report, not a leftover to drop.
  if ([...nodePorts(spec)].every(port => before.has(port))) for (const port of spec.ports ?? []) delete port.nodePort;
}

/** What only the old type needed goes, when the client sent it back unchanged (dropTypeDependentFields). */
export function dropTypeDependent(spec: ServiceSpec, old: ServiceSpec): void {
  const drop = (keys: readonly (keyof ServiceSpec)[]) => {
    for (const key of keys) if (same(spec[key], old[key])) delete spec[key];
  };
  if (needsClusterIp(old) && !needsClusterIp(spec)) drop(['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']);
  if (needsNodePort(old) && !needsNodePort(spec)) dropNodePorts(spec, old);
  if (needsHealthCheck(old) && !needsHealthCheck(spec)) drop(['healthCheckNodePort']);
  if (old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    drop(['allocateLoadBalancerNodePorts', 'loadBalancerClass']);
  }
  if (externallyAccessible(old) && !externallyAccessible(spec)) drop(['externalTrafficPolicy']);
}

const fixed = 'may not change once set';

function changedClusterIps(spec: ServiceSpec, old: ServiceSpec): Errors {
  const now = spec.clusterIPs ?? [];
  const before = old.clusterIPs ?? [];
  if (!needsClusterIp(spec) || !needsClusterIp(old) || before.length === 0) return [];
  if (now.length === 0) return [field.invalid('spec.clusterIPs[0]', now, 'primary clusterIP can not be unset')];
  const errors: Errors = [];
  for (const [i, ip] of before.entries()) {
    if (now[i] !== undefined && now[i] !== ip) errors.push(field.invalid(`spec.clusterIPs[${i}]`, now, fixed));
  }
  if (before.length === 2 && now.length === 1 && spec.ipFamilyPolicy !== 'SingleStack') {
    const why = "must be set to 'SingleStack' when releasing the secondary clusterIP";
    errors.push(field.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy ?? '', why));
  }
  return errors;
}

function changedFamilies(spec: ServiceSpec, old: ServiceSpec): Errors {
  const now = spec.ipFamilies ?? [];
  const before = old.ipFamilies ?? [];
  if (!needsClusterIp(spec) || !needsClusterIp(old) || before.length === 0) return [];
  if (now.length === 0) return [field.invalid('spec.ipFamilies[0]', now, 'primary ipFamily can not be unset')];
  const errors: Errors = [];
  if (now[0] !== before[0]) errors.push(field.invalid('spec.ipFamilies[0]', now, fixed));
  if (before.length === 2 && now.length === 1 && spec.ipFamilyPolicy !== 'SingleStack') {
    const why = "must be set to 'SingleStack' when releasing the secondary ipFamily";
    errors.push(field.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy ?? '', why));
  } else if (before[1] !== undefined && now[1] !== undefined && now[1] !== before[1]) {
    errors.push(field.invalid('spec.ipFamilies[1]', now, fixed));
  }
  return errors;
}

export function validateServiceUpdate({ spec }: Service, { spec: old }: Service): Errors {
  const balanced = spec.type === 'LoadBalancer' && old.type === 'LoadBalancer';
  const classChanged = balanced && !same(spec.loadBalancerClass, old.loadBalancerClass);
  return [
    ...changedClusterIps(spec, old),
    ...changedFamilies(spec, old),
    ...(classChanged ? [field.invalid('spec.loadBalancerClass', spec.loadBalancerClass, fixed)] : []),
    ...(needsHealthCheck(old) && needsHealthCheck(spec) && spec.healthCheckNodePort
      ? forbidden(
          immutable(spec.healthCheckNodePort, old.healthCheckNodePort, '').length,
          'spec.healthCheckNodePort',
          'field is immutable',
        )
      : []),
  ];
}

function validateIngress(ingress: LoadBalancerIngress, path: string): Errors {
  const { ip, ipMode, hostname } = ingress;
  return [
    ...(ip ? ipAddress(ip, `${path}.ip`) : []),
    ...(ip && ipMode === undefined ? [field.required(`${path}.ipMode`, 'must be specified when `ip` is set')] : []),
    ...forbidden(ipMode !== undefined && !ip, `${path}.ipMode`, 'may not be specified when `ip` is not set'),
    ...optional(ipMode, `${path}.ipMode`, oneOf(['Proxy', 'VIP'])),
    ...(hostname && parseIp(hostname)
      ? [field.invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address')]
      : hostname
        ? dnsSubdomain(hostname, `${path}.hostname`)
        : []),
  ];
}

export function validateServiceStatus({ spec, status }: Service): Errors {
  const ingress = status?.loadBalancer?.ingress ?? [];
  const path = 'status.loadBalancer.ingress';
  return [
    ...forbidden(
      spec.type !== 'LoadBalancer' && ingress.length > 0,
      path,
      "may only be used when `spec.type` is 'LoadBalancer'",
    ),
    ...each(ingress, path, validateIngress),
  ];
}
