/** From a service, its pods and the slices there are, to the slices to write. Rules of k8s.io/endpointslice of v1.35. */
import type { Draft } from '../../api/object.ts';
import type { Pod, Service } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import {
  addressOf,
  headlessLabel,
  hostnameIn,
  inheritedLabels,
  isHeadless,
  offeredPorts,
  offersEndpoint,
  podReference,
} from '../support/endpoints.ts';
import { canonicalJson } from '../support/hash.ts';
import { controllerRef } from '../support/pod-control.ts';
import { isPodReady } from '../support/pods.ts';
import { type Shares, type Spread, spreadByZone, wantsZoneHints } from './topology.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedBy = 'endpointslice-controller.k8s.io';
/** Upstream's --max-endpoints-per-slice. */
export const maxEndpoints = 100;

export interface SlicePlan extends Spread<Draft<EndpointSlice>, EndpointSlice> {
  readonly remove: EndpointSlice[];
  /** Pods whose node there is not. */
  readonly lost: ReadonlySet<Pod>;
  /** By address type, for a service that wants hints by zones: "" when it has them, else why not. */
  readonly hints: ReadonlyMap<string, string>;
}
/** Of a node, or undefined when there is no such node. */
export type ZoneOf = (node: string) => { readonly zone?: string } | undefined;
interface TypePlan extends Spread<Draft<EndpointSlice>, EndpointSlice> {
  readonly remove: EndpointSlice[];
}

/** Address types that the service asks for. */
function addressTypes(service: Service): ('IPv4' | 'IPv6')[] {
  const families = service.spec?.ipFamilies ?? [];
  if (families.length > 0) return families.filter(f => f === 'IPv4' || f === 'IPv6');
  return service.spec?.clusterIP?.includes(':') ? ['IPv6'] : ['IPv4'];
}

export function planSlices(
  service: Service,
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  zoneOf: ZoneOf,
  shares?: Shares,
): SlicePlan {
  const types = addressTypes(service);
  const lost = new Set(service.spec?.publishNotReadyAddresses ? [] : pods.filter(p => isLost(p, zoneOf)));
  const placed = pods.filter(pod => !lost.has(pod));
  const hints = new Map<string, string>();
  const plans = types.map((type): TypePlan => {
    const own = existing.filter(s => s.addressType === type);
    const plan = planType(service, type, desiredEndpoints(service, placed, type, zoneOf), own);
    if (!wantsZoneHints(service)) return plan;
    const spread = spreadByZone(plan, shares);
    hints.set(type, spread.why ?? '');
    return { ...spread, remove: plan.remove };
  });
  return {
    create: plans.flatMap(p => p.create),
    update: plans.flatMap(p => p.update),
    keep: plans.flatMap(p => p.keep),
    remove: [...existing.filter(s => !types.some(t => t === s.addressType)), ...plans.flatMap(p => p.remove)],
    lost,
    hints,
  };
}

/** Such a pod will be removed; until then its address may be another's. */
const isLost = (pod: Pod, zoneOf: ZoneOf) => offersEndpoint(pod) && !zoneOf(pod.spec.nodeName ?? '');

interface Group {
  ports: EndpointPort[];
  /** By target. */
  endpoints: Map<string, Endpoint>;
}
const targetOf = (e: Endpoint): string => `${e.targetRef?.uid}/${e.addresses[0]}`;

/** Endpoints by the set of ports they offer: a named port may mean another number in another pod. */
function desiredEndpoints(
  service: Service,
  pods: readonly Pod[],
  type: 'IPv4' | 'IPv6',
  zoneOf: ZoneOf,
): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    const address = offersEndpoint(pod) ? addressOf(pod, type === 'IPv6') : undefined;
    if (address === undefined) continue;
    const ports = offeredPorts(service, pod);
    if (ports.length === 0 && (service.spec?.ports?.length ?? 0) > 0) continue;
    const key = portsKey(ports);
    const group = groups.get(key) ?? { ports, endpoints: new Map() };
    const endpoint = endpointOf(service, pod, address, zoneOf);
    group.endpoints.set(targetOf(endpoint), endpoint);
    groups.set(key, group);
  }
  // A service without endpoints has one empty slice, so that consumers can tell it from one that is not synced.
  if (groups.size === 0) groups.set(portsKey([]), { ports: [], endpoints: new Map() });
  return groups;
}

const portsKey = (ports: readonly EndpointPort[] | undefined): string =>
  (ports ?? [])
    .map(p => canonicalJson({ n: p.name ?? '', p: p.port, r: p.protocol ?? 'TCP', a: p.appProtocol }))
    .sort()
    .join();

function endpointOf(service: Service, pod: Pod, address: string, zoneOf: ZoneOf): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const { nodeName } = pod.spec;
  const zone = nodeName ? zoneOf(nodeName)?.zone : undefined;
  const hostname = hostnameIn(service, pod);
  const hints = ready ? hintsOf(service, nodeName, zone) : undefined;
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    targetRef: podReference(pod),
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
    ...(hostname && { hostname }),
    ...(hints && { hints }),
  };
}

/** spec.trafficDistribution. */
function hintsOf(service: Service, node: string | undefined, zone: string | undefined): Endpoint['hints'] {
  const wish = wantsZoneHints(service) ? undefined : service.spec?.trafficDistribution;
  const sameNode = wish === 'PreferSameNode';
  if (!sameNode && wish !== 'PreferClose' && wish !== 'PreferSameZone') return undefined;
  return {
    ...(zone && { forZones: [{ name: zone }] }),
    ...(sameNode && node && { forNodes: [{ name: node }] }),
  };
}

function planType(service: Service, type: string, groups: Map<string, Group>, existing: EndpointSlice[]): TypePlan {
  const labels = sliceLabels(service);
  const plan: TypePlan = { create: [], update: [], keep: [], remove: [] };
  const unused: EndpointSlice[] = existing.filter(s => !groups.has(portsKey(s.ports)));
  for (const [key, group] of groups) {
    const own = existing.filter(s => portsKey(s.ports) === key);
    planGroup(service, type, labels, group, own, unused, plan);
  }
  plan.remove.push(...unused);
  return plan;
}

/** Keeps endpoints where they are, drops those that are gone, fills the fullest slice that takes the rest, and makes new ones last. */
function planGroup(
  service: Service,
  type: string,
  labels: Record<string, string>,
  group: Group,
  own: EndpointSlice[],
  unused: EndpointSlice[],
  plan: TypePlan,
): void {
  const missing = new Map(group.endpoints);
  const kept = own.map(slice => {
    const endpoints: Endpoint[] = [];
    for (const endpoint of slice.endpoints ?? []) {
      const wanted = missing.get(targetOf(endpoint));
      if (wanted) endpoints.push(wanted);
      missing.delete(targetOf(endpoint));
    }
    return { slice, endpoints };
  });
  const rest = [...missing.values()];
  const fullestFirst = kept
    .filter(k => k.endpoints.length < maxEndpoints)
    .sort((a, b) => b.endpoints.length - a.endpoints.length);
  for (const { endpoints } of fullestFirst) endpoints.push(...rest.splice(0, maxEndpoints - endpoints.length));
  const alone = kept.every(k => k.endpoints.length === 0);
  kept.forEach(({ slice, endpoints }, index) => {
    if (endpoints.length === 0 && !(alone && index === 0)) plan.remove.push(slice);
    else if (sameSlice(slice, labels, group.ports, endpoints, wantsZoneHints(service))) plan.keep.push(slice);
    else plan.update.push(updated(slice, labels, group.ports, endpoints));
  });
  while (rest.length > 0 || (kept.length === 0 && group.endpoints.size === 0)) {
    const endpoints = rest.splice(0, maxEndpoints);
    // A slice of other ports that would be deleted is used again: one write instead of two.
    const reused = unused.pop();
    if (reused) plan.update.push(updated(reused, labels, group.ports, endpoints));
    else plan.create.push(newSlice(service, type, labels, group.ports, endpoints));
    if (endpoints.length === 0) break;
  }
}

function sameSlice(
  slice: EndpointSlice,
  labels: Record<string, string>,
  ports: EndpointPort[],
  endpoints: Endpoint[],
  ignoreHints: boolean,
): boolean {
  const plain = (e: Endpoint) => ({
    ...e,
    hints: !ignoreHints && e.hints && Object.keys(e.hints).length > 0 ? e.hints : undefined,
  });
  return (
    deepEqual(slice.metadata.labels, labels) &&
    portsKey(slice.ports) === portsKey(ports) &&
    deepEqual((slice.endpoints ?? []).map(plain), endpoints.map(plain))
  );
}
const updated = (
  slice: EndpointSlice,
  labels: Record<string, string>,
  ports: EndpointPort[],
  endpoints: Endpoint[],
): EndpointSlice => ({
  ...slice,
  metadata: { ...slice.metadata, labels },
  ports,
  endpoints,
});

function newSlice(
  service: Service,
  addressType: string,
  labels: Record<string, string>,
  ports: EndpointPort[],
  endpoints: Endpoint[],
): Draft<EndpointSlice> {
  const { name, namespace = '' } = service.metadata;
  const ownerReferences = [controllerRef({ apiVersion: 'v1', kind: 'Service' }, service)];
  return { metadata: { generateName: `${name}-`, namespace, labels, ownerReferences }, addressType, ports, endpoints };
}

function sliceLabels(service: Service): Record<string, string> {
  return {
    ...inheritedLabels(service, [serviceNameLabel, managedByLabel, headlessLabel]),
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: managedBy,
    ...(isHeadless(service) && { [headlessLabel]: '' }),
  };
}
