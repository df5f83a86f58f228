/** Which devices meet a claim on a node (k8s.io/dynamic-resource-allocation/structured), for requests that need no expressions. */
import { unitsOf } from '../../api/quantity.ts';
import type {
  AllocationResult,
  Device,
  DeviceRequest,
  DeviceRequestAllocationResult,
  DeviceSelector,
  DeviceTaint,
  DeviceToleration,
  ExactDeviceRequest,
  ResourceClaim,
  ResourceSlice,
} from '../../api/types/resource-v1.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import { compileNodeSelector } from './node-selector.ts';
import { tolerates } from './taints.ts';

/** Evaluates a CEL selector; without it a request that has selectors is not met. */
export type MatchSelector = (selector: DeviceSelector, driver: string, device: Device) => boolean;

export interface Located {
  readonly driver: string;
  readonly pool: string;
  readonly device: Device;
  /** Reachable from this node only. */
  readonly local: boolean;
}

export const deviceId = ({ driver, pool, device }: { driver: string; pool: string; device: string }) =>
  `${driver}/${pool}/${device}`;
const idOf = ({ driver, pool, device }: Located) => deviceId({ driver, pool, device: device.name });

/** Only slices of a pool's newest generation count. */
function currentSlices(slices: readonly ResourceSlice[]): ResourceSlice[] {
  const newest = new Map<string, number>();
  const key = ({ spec }: ResourceSlice) => `${spec.driver}/${spec.pool.name}`;
  for (const slice of slices) newest.set(key(slice), Math.max(newest.get(key(slice)) ?? 0, slice.spec.pool.generation));
  return slices.filter(slice => slice.spec.pool.generation === newest.get(key(slice)));
}

export function devicesFor(node: NodeInfo, lookup: Lookup): Located[] {
  const out: Located[] = [];
  for (const { spec } of currentSlices(lookup.of('resource.k8s.io/v1/resourceslices').list())) {
    const reach = (at: {
      nodeName?: string;
      allNodes?: boolean;
      nodeSelector?: ResourceSlice['spec']['nodeSelector'];
    }) =>
      at.nodeName === node.name ||
      at.allNodes === true ||
      (at.nodeSelector ? compileNodeSelector(at.nodeSelector)(node) : false);
    for (const device of spec.devices ?? []) {
      const at = spec.perDeviceNodeSelection ? device : spec;
      if (reach(at)) out.push({ driver: spec.driver, pool: spec.pool.name, device, local: at.nodeName === node.name });
    }
  }
  return out;
}

interface Attempt {
  readonly devices: readonly Located[];
  readonly taken: Set<string>;
  readonly lookup: Lookup;
  readonly match: MatchSelector | undefined;
}

const isTolerated = (taint: DeviceTaint, tolerations: readonly DeviceToleration[]) =>
  taint.effect === 'None' || tolerations.some(t => tolerates(t, taint));

function fits(located: Located, request: ExactDeviceRequest, attempt: Attempt): boolean {
  const { device, driver } = located;
  const cls = attempt.lookup.of('resource.k8s.io/v1/deviceclasses').get(request.deviceClassName);
  if (!cls) return false;
  const selectors = [...(cls.spec.selectors ?? []), ...(request.selectors ?? [])];
  if (!selectors.every(s => attempt.match?.(s, driver, device) === true)) return false;
  if (!(device.taints ?? []).every(t => isTolerated(t, request.tolerations ?? []))) return false;
  return Object.entries(request.capacity?.requests ?? {}).every(([key, wanted]) => {
    const has = device.capacity?.[key]?.value ?? device.capacity?.[`${driver}/${key}`]?.value;
    return has !== undefined && unitsOf(has) >= unitsOf(wanted);
  });
}

function allocateExactly(request: ExactDeviceRequest, attempt: Attempt): Located[] | undefined {
  const free = (d: Located) => request.adminAccess === true || !attempt.taken.has(idOf(d));
  const possible = attempt.devices.filter(d => fits(d, request, attempt));
  if (request.allocationMode === 'All') return possible.length > 0 && possible.every(free) ? possible : undefined;
  const count = request.count ?? 1;
  const chosen = possible.filter(free).slice(0, count);
  return chosen.length === count ? chosen : undefined;
}

function allocateRequest(request: DeviceRequest, attempt: Attempt): DeviceRequestAllocationResult[] | undefined {
  const options = request.exactly
    ? [{ name: request.name, ask: request.exactly }]
    : (request.firstAvailable ?? []).map(sub => ({
        name: `${request.name}/${sub.name}`,
        ask: sub as ExactDeviceRequest,
      }));
  for (const { name, ask } of options) {
    const chosen = allocateExactly(ask, attempt);
    if (!chosen) continue;
    if (!ask.adminAccess) for (const each of chosen) attempt.taken.add(idOf(each));
    return chosen.map(each => ({
      request: name,
      driver: each.driver,
      pool: each.pool,
      device: each.device.name,
      ...(ask.adminAccess && { adminAccess: true }),
      ...(ask.tolerations && { tolerations: ask.tolerations }),
    }));
  }
  return undefined;
}

/** Allocations of all claims together on the node, or undefined when they do not all fit. Constraints on attributes are not met. */
export function allocate(
  claims: readonly ResourceClaim[],
  node: NodeInfo,
  lookup: Lookup,
  taken: ReadonlySet<string>,
  match: MatchSelector | undefined,
): Map<string, AllocationResult> | undefined {
  const devices = devicesFor(node, lookup);
  const attempt: Attempt = { devices, taken: new Set(taken), lookup, match };
  const out = new Map<string, AllocationResult>();
  for (const claim of claims) {
    const spec = claim.spec.devices ?? {};
    if ((spec.constraints ?? []).length > 0) return undefined;
    const results: DeviceRequestAllocationResult[] = [];
    for (const request of spec.requests ?? []) {
      const allocated = allocateRequest(request, attempt);
      if (!allocated) return undefined;
      results.push(...allocated);
    }
    out.set(claim.metadata.uid ?? '', resultOf(claim, results, node, devices, lookup));
  }
  return out;
}

function resultOf(
  claim: ResourceClaim,
  results: DeviceRequestAllocationResult[],
  node: NodeInfo,
  devices: readonly Located[],
  lookup: Lookup,
): AllocationResult {
  const used = new Set(results.map(deviceId));
  const local = devices.some(d => d.local && used.has(idOf(d)));
  const fromClass = (claim.spec.devices?.requests ?? []).flatMap(({ name, exactly }) =>
    (lookup.of('resource.k8s.io/v1/deviceclasses').get(exactly?.deviceClassName ?? '')?.spec.config ?? []).map(c => ({
      ...c,
      source: 'FromClass',
      requests: [name],
    })),
  );
  const fromClaim = (claim.spec.devices?.config ?? []).map(c => ({ ...c, source: 'FromClaim' }));
  const config = [...fromClass, ...fromClaim];
  return {
    devices: { results, ...(config.length > 0 && { config }) },
    ...(local && {
      nodeSelector: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node.name] }] }],
      },
    }),
  };
}
