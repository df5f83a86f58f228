/** Names of devices and tables of a cluster on this machine: short, and different for each cluster. */
import { ensureHostNetwork, removeHostNetwork } from '../../network/host.ts';
import { removeNodeRoutes } from '../../network/routes.ts';
import type { ClusterConfig } from '../cluster.ts';

/** Devices may have 15 characters. */
export function networkNames({ id, podCidr }: Pick<ClusterConfig, 'id' | 'podCidr'>) {
  return {
    device: `tsk${id}`,
    bridge: `tsk${id}br`,
    vxlan: `tsk${id}vx`,
    masqueradeTable: `tsukube-${id}-host`,
    serviceTable: `tsukube-${id}-services`,
    policyTable: `tsukube-${id}-policy`,
    /** Nodes of one cluster must agree on it, whatever their data directory. */
    vni: Number(podCidr.split('.')[1] ?? 1),
  };
}

/**
 * The device with the machine's own addresses of the cluster: DNS answers on one of them; on one machine the API server listens on another.
 * `loadBalancerCidr` are the addresses of services of type LoadBalancer.
 */
export async function prepareNodeNetwork(
  cluster: Pick<ClusterConfig, 'id' | 'podCidr' | 'serviceCidr'>,
  localAddresses: readonly string[],
  loadBalancerCidr?: string,
): Promise<void> {
  const names = networkNames(cluster);
  await ensureHostNetwork({
    table: names.masqueradeTable,
    podCidrs: [cluster.podCidr],
    serviceCidrs: [cluster.serviceCidr, ...(loadBalancerCidr === undefined ? [] : [loadBalancerCidr])],
    device: names.device,
    localAddresses,
  });
}

/** Takes away every device and table of the cluster, also what a killed agent left. */
export async function removeNodeNetwork(config: Pick<ClusterConfig, 'id' | 'podCidr'>): Promise<void> {
  const names = networkNames(config);
  await removeNodeRoutes({ device: names.vxlan, podCidrs: [config.podCidr] });
  await removeHostNetwork({
    tables: [names.masqueradeTable, names.serviceTable, names.policyTable],
    devices: [names.device, names.bridge, names.vxlan],
  });
}
