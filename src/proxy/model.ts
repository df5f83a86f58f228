/**
 * What the proxy does with a service, as data: every address and port that clients may use (a frontend) with the endpoints behind it. Pure.
 * The choice of endpoints follows upstream's pkg/proxy/topology.go: traffic policies, topology hints, terminating endpoints.
 */

import type { Endpoint, EndpointSlice, Service, ServicePort } from '../api/types/index.ts';
import { type Cidr, cidrContains, formatCidr, parseCidr } from '../api/validation/ip.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface Backend {
  readonly ip: string;
  readonly port: number;
}

/** An address (or, without one, every address of the node) and port that leads to backends. */
export interface Frontend {
  /** Absent: any address of this node (a node port). */
  readonly address?: string;
  readonly family: 'ip' | 'ip6';
  readonly protocol: Protocol;
  readonly port: number;
  readonly backends: readonly Backend[];
  /** Backends for traffic that comes from a pod or from the node itself, where it differs (externalTrafficPolicy: Local). */
  readonly internalBackends?: readonly Backend[];
  /** The client's address is kept: backends are on this node. */
  readonly preserveSource: boolean;
  /** Seconds for which a client stays with its backend. */
  readonly affinitySeconds?: number;
  /** What a client meets when there is no backend. */
  readonly whenEmpty: 'reject' | 'drop';
  /** A pod's host port: without an address it answers on loopback too, which node ports do not. */
  readonly hostPort?: true;
  /** Only these sources may pass (loadBalancerSourceRanges). */
  readonly sources?: readonly string[];
}

export interface NodeFacts {
  readonly name: string;
  readonly zone?: string;
}

/** A health-check port of a service with externalTrafficPolicy: Local. */
export interface HealthPort {
  readonly port: number;
  readonly localEndpoints: number;
}

interface Candidate extends Backend {
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly local: boolean;
  readonly zones: readonly string[];
  readonly nodes: readonly string[];
}

const familyOf = (ip: string) => (ip.includes(':') ? 'ip6' : 'ip');
const protocolOf = (text: string | undefined) => (text ?? 'TCP').toLowerCase() as Protocol;

/** Services that another proxy serves, headless ones and aliases have no frontends. */
export function isProxied(service: Service): boolean {
  const { spec, metadata } = service;
  if (spec.type === 'ExternalName' || !spec.clusterIP || spec.clusterIP === 'None') return false;
  return metadata.labels?.['service.kubernetes.io/service-proxy-name'] === undefined;
}

export function frontendsOf(service: Service, slices: readonly EndpointSlice[], node: NodeFacts): Frontend[] {
  if (!isProxied(service)) return [];
  const families = [...new Set((service.spec.clusterIPs ?? [service.spec.clusterIP ?? '']).map(familyOf))];
  return families.flatMap(family =>
    (service.spec.ports ?? []).flatMap(port => portFrontends(service, port, family, slices, node)),
  );
}

function portFrontends(
  service: Service,
  port: ServicePort,
  family: 'ip' | 'ip6',
  slices: readonly EndpointSlice[],
  node: NodeFacts,
): Frontend[] {
  const candidates = candidatesFor(port, family, slices, node);
  const cluster = backends(usable(withTopology(candidates, node)));
  const local = backends(usable(candidates.filter(c => c.local)));
  const { spec, status } = service;
  const common = {
    family,
    protocol: protocolOf(port.protocol),
    ...(spec.sessionAffinity === 'ClientIP' && {
      affinitySeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800,
    }),
  } as const;
  const internal = {
    ...common,
    port: port.port,
    preserveSource: false,
    backends: spec.internalTrafficPolicy === 'Local' ? local : cluster,
    whenEmpty: spec.internalTrafficPolicy === 'Local' && cluster.length > 0 ? 'drop' : 'reject',
  } as const;
  const isLocal = spec.externalTrafficPolicy === 'Local';
  const external: Omit<Frontend, 'port'> = {
    ...common,
    ...(isLocal
      ? {
          backends: local,
          internalBackends: cluster,
          preserveSource: true,
          whenEmpty: cluster.length > 0 ? 'drop' : 'reject',
        }
      : { backends: cluster, preserveSource: false, whenEmpty: 'reject' }),
  };
  const ofFamily = (ips: readonly string[] | undefined) =>
    (ips ?? []).filter(ip => ip !== '' && familyOf(ip) === family);
  const out: Frontend[] = ofFamily(spec.clusterIPs ?? [spec.clusterIP ?? '']).map(address => ({
    ...internal,
    address,
  }));
  for (const address of ofFamily(spec.externalIPs)) out.push({ ...external, address, port: port.port });
  const sources = outermost((spec.loadBalancerSourceRanges ?? []).filter(range => familyOf(range) === family));
  const restricted = (spec.loadBalancerSourceRanges ?? []).length > 0;
  for (const ingress of status?.loadBalancer?.ingress ?? []) {
    if (!ingress.ip || familyOf(ingress.ip) !== family || ingress.ipMode === 'Proxy') continue;
    out.push({ ...external, address: ingress.ip, port: port.port, ...(restricted && { sources }) });
  }
  if (port.nodePort) out.push({ ...external, port: port.nodePort });
  return out;
}

/** Ranges without those inside another one: an nftables set takes no overlaps. What is no range permits nobody. */
function outermost(ranges: readonly string[]): string[] {
  const parsed = ranges.flatMap(range => parseCidr(range.trim()) ?? []);
  const isInside = (inner: Cidr, outer: Cidr) =>
    inner.prefix > outer.prefix && cidrContains(outer, { ...inner.address, value: inner.network });
  const left = parsed.filter(range => !parsed.some(other => isInside(range, other)));
  return [...new Set(left.map(formatCidr))];
}

function candidatesFor(
  port: ServicePort,
  family: 'ip' | 'ip6',
  slices: readonly EndpointSlice[],
  node: NodeFacts,
): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== (family === 'ip' ? 'IPv4' : 'IPv6')) continue;
    const target = slice.ports?.find(
      p => (p.name ?? '') === (port.name ?? '') && protocolOf(p.protocol) === protocolOf(port.protocol),
    );
    if (target?.port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const candidate = candidateOf(endpoint, target.port, node);
      if (candidate) found.set(`${candidate.ip} ${candidate.port}`, candidate);
    }
  }
  return [...found.values()].sort((a, b) => (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : a.port - b.port));
}

function candidateOf(endpoint: Endpoint, port: number, node: NodeFacts): Candidate | undefined {
  const ip = endpoint.addresses[0];
  if (ip === undefined) return undefined;
  const { ready, serving, terminating } = endpoint.conditions ?? {};
  return {
    ip,
    port,
    ready: ready ?? true,
    serving: serving ?? ready ?? true,
    terminating: terminating ?? false,
    local: endpoint.nodeName === node.name,
    zones: (endpoint.hints?.forZones ?? []).map(z => z.name),
    nodes: (endpoint.hints?.forNodes ?? []).map(n => n.name),
  };
}

/** Ready endpoints; when there is none, those that end but still serve. */
function usable(candidates: readonly Candidate[]): readonly Candidate[] {
  const ready = candidates.filter(c => c.ready);
  return ready.length > 0 ? ready : candidates.filter(c => c.serving && c.terminating);
}

/** Hints count only when every ready endpoint has them and some point here. */
function withTopology(candidates: readonly Candidate[], node: NodeFacts): readonly Candidate[] {
  const ready = candidates.filter(c => c.ready);
  if (ready.length === 0) return candidates;
  if (ready.every(c => c.nodes.length > 0)) {
    const here = ready.filter(c => c.nodes.includes(node.name));
    if (here.length > 0) return here;
  }
  const zone = node.zone;
  if (zone === undefined || !ready.every(c => c.zones.length > 0)) return candidates;
  const near = ready.filter(c => c.zones.includes(zone));
  return near.length > 0 ? near : candidates;
}

const backends = (list: readonly Candidate[]): Backend[] => list.map(({ ip, port }) => ({ ip, port }));

/** The health-check port that a load balancer asks, and how many endpoints of the service run here. */
export function healthPortOf(
  service: Service,
  slices: readonly EndpointSlice[],
  node: NodeFacts,
): HealthPort | undefined {
  const port = service.spec.healthCheckNodePort;
  if (!port || service.spec.type !== 'LoadBalancer' || service.spec.externalTrafficPolicy !== 'Local') return undefined;
  const local = new Set<string>();
  for (const slice of slices) {
    for (const e of slice.endpoints ?? []) {
      if (e.nodeName === node.name && e.conditions?.ready !== false) for (const ip of e.addresses) local.add(ip);
    }
  }
  return { port, localEndpoints: local.size };
}
