/** What may change in a service, and what an update keeps when the client leaves it out. */
import type { LoadBalancerIngress, Service, ServiceSpec } from '../../../../api/types/core-v1.ts';
import { parseIp } from '../../../../api/validation/ip.ts';
import { dnsSubdomain, type Errors, each, forbidden, ipAddress, oneOf, optional, same } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { needsClusterIp, validateClusterIpsUpdate } from './cluster-ips.ts';
import { externallyAccessible } from './defaults.ts';
import { needsHealthCheck, validateService } from './validate.ts';

export const mayHaveNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === 'NodePort' || spec.type === 'LoadBalancer';
/** Ports of the service get node ports that it does not name. */
export const allocatesNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

/** A client that knows only the singular field means both (normalizeClusterIPs). */
function normalizeClusterIps(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.clusterIP === old.clusterIP || !same(spec.clusterIPs, old.clusterIPs)) return;
  if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
  else delete spec.clusterIPs;
}

/** Ports are known by their names; whatever else of them changed, their node ports stay. */
function keepNodePorts(spec: ServiceSpec, old: ServiceSpec): void {
  const now = nodePorts(spec);
  const before = new Map((old.ports ?? []).map(({ name = '', nodePort }) => [name, nodePort]));
  for (const port of spec.ports ?? []) {
    const kept = port.nodePort ? undefined : before.get(port.name ?? '');
    if (kept && !now.has(kept)) port.nodePort = kept;
  }
}

/** What was allocated stays allocated while the type needs it (patchAllocatedValues). */
function keepAllocated(spec: ServiceSpec, old: ServiceSpec): void {
  if (needsClusterIp(old) && needsClusterIp(spec)) {
    if (!spec.clusterIP && old.clusterIP) spec.clusterIP = old.clusterIP;
    if (!spec.clusterIPs?.length && old.clusterIPs) spec.clusterIPs = [...old.clusterIPs];
  }
  if (allocatesNodePorts(old) && allocatesNodePorts(spec)) keepNodePorts(spec, old);
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
function dropTypeDependent(spec: ServiceSpec, old: ServiceSpec): void {
  const drop = (...keys: readonly (keyof ServiceSpec)[]) => {
    if (keys.every(key => same(spec[key], old[key]))) for (const key of keys) delete spec[key];
  };
  if (needsClusterIp(old) && !needsClusterIp(spec)) {
    drop('clusterIP', 'clusterIPs');
    drop('ipFamilies');
    drop('ipFamilyPolicy');
  }
  if (mayHaveNodePorts(old) && !mayHaveNodePorts(spec)) dropNodePorts(spec, old);
  if (needsHealthCheck(old) && !needsHealthCheck(spec)) drop('healthCheckNodePort');
  if (old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    drop('allocateLoadBalancerNodePorts');
    drop('loadBalancerClass');
  }
  if (externallyAccessible(old) && !externallyAccessible(spec)) drop('externalTrafficPolicy');
}

/** Fills what a client may leave out of an update, and drops what its new type has no use for. */
export function prepareServiceUpdate(service: Service, { spec: old }: Service): void {
  const { spec } = service;
  keepAllocated(spec, old);
  normalizeClusterIps(spec, old);
  dropTypeDependent(spec, old);
  if (spec.type !== 'LoadBalancer') service.status = { ...service.status, loadBalancer: {} };
}

const fixed = 'may not change once set';

export function validateServiceUpdate(service: Service, { spec: old }: Service): Errors {
  const { spec } = service;
  const balanced = spec.type === 'LoadBalancer' && old.type === 'LoadBalancer';
  const classChanged = balanced && !same(spec.loadBalancerClass, old.loadBalancerClass);
  const portChanged =
    needsHealthCheck(old) && needsHealthCheck(spec) && spec.healthCheckNodePort !== old.healthCheckNodePort;
  return [
    ...validateClusterIpsUpdate(spec, old),
    ...(classChanged ? [field.invalid('spec.loadBalancerClass', spec.loadBalancerClass ?? null, fixed)] : []),
    ...forbidden(portChanged, 'spec.healthCheckNodePort', 'field is immutable'),
    ...validateService(service),
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
