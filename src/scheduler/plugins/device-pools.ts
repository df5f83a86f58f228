/** The devices that drivers offer to a node (k8s.io/dynamic-resource-allocation/structured, GatherPools). */
import type { Device, ResourceSlice } from '../../api/types/resource-v1.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import { compileNodeSelector } from './node-selector.ts';

export interface Located {
  readonly driver: string;
  readonly pool: string;
  readonly device: Device;
  /** Reachable from this node only. */
  readonly local: boolean;
}

export interface Offer {
  readonly devices: readonly Located[];
  /** A pool of the node is being changed, or makes no sense: "all devices" means nothing now. */
  readonly unsettled: boolean;
}

export const deviceId = ({ driver, pool, device }: { driver: string; pool: string; device: string }) =>
  `${driver}/${pool}/${device}`;
export const idOf = ({ driver, pool, device }: Located) => deviceId({ driver, pool, device: device.name });

type Reach = Pick<ResourceSlice['spec'], 'nodeName' | 'allNodes' | 'nodeSelector'>;

function reaches({ nodeName, allNodes, nodeSelector }: Reach, node: NodeInfo): boolean {
  return (
    nodeName === node.name || allNodes === true || (nodeSelector ? compileNodeSelector(nodeSelector)(node) : false)
  );
}

/** By driver and pool, the slices of the newest generation. */
function poolsOf(slices: readonly ResourceSlice[]): ResourceSlice[][] {
  const pools = new Map<string, ResourceSlice[]>();
  for (const slice of slices) {
    const { driver, pool } = slice.spec;
    const key = `${driver}/${pool.name}`;
    const known = pools.get(key);
    const generation = known?.[0]?.spec.pool.generation ?? -1;
    if (pool.generation > generation) pools.set(key, [slice]);
    else if (pool.generation === generation) known?.push(slice);
  }
  return [...pools.values()];
}

function reachable({ spec }: ResourceSlice, node: NodeInfo): Located[] {
  const devices = (spec.devices ?? []).filter(device => reaches(spec.perDeviceNodeSelection ? device : spec, node));
  return devices.map(device => {
    const { nodeName } = spec.perDeviceNodeSelection ? device : spec;
    return { driver: spec.driver, pool: spec.pool.name, device, local: nodeName === node.name };
  });
}

/** Pools that miss slices, or name a device twice, offer nothing. */
function isSound(pool: readonly ResourceSlice[]): boolean {
  const names = pool.flatMap(({ spec }) => (spec.devices ?? []).map(d => d.name));
  return pool.length === pool[0]?.spec.pool.resourceSliceCount && new Set(names).size === names.length;
}

export function offerTo(node: NodeInfo, lookup: Lookup): Offer {
  const devices: Located[] = [];
  let unsettled = false;
  for (const pool of poolsOf(lookup.of('resource.k8s.io/v1/resourceslices').list())) {
    const here = pool.flatMap(slice => reachable(slice, node));
    if (isSound(pool)) devices.push(...here);
    else if (here.length > 0) unsettled = true;
  }
  return { devices, unsettled };
}
