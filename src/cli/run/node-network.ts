/** Names of devices and tables of a cluster on this machine: short, and different for each cluster. */
import { createHash } from 'node:crypto';
import type { Logger } from '../../base/log.ts';
import { ensureHostNetwork, removeHostNetwork } from '../../network/host.ts';
import { removeNodeRoutes } from '../../network/routes.ts';
import type { ClusterConfig } from '../cluster.ts';

/** Devices may have 15 characters. */
export function networkNames({ id, podCidrs }: Pick<ClusterConfig, 'id' | 'podCidrs'>) {
  return {
    device: `tsk${id}`,
    bridge: `tsk${id}br`,
    vxlan: `tsk${id}vx`,
    masqueradeTable: `tsukube-${id}-host`,
    serviceTable: `tsukube-${id}-services`,
    policyTable: `tsukube-${id}-policy`,
    /** 24 bits; nodes of one cluster must agree on it, whatever their data directory. */
    vni: createHash('sha256').update(podCidrs.join()).digest().readUIntBE(0, 3),
  };
}

/**
 * The device with the machine's own addresses of the cluster: DNS answers on one of them; on one machine the API server listens on others.
 * `moreRanges` are routed to it too: the addresses of services of type LoadBalancer.
 */
export async function prepareNodeNetwork(
  cluster: Pick<ClusterConfig, 'id' | 'podCidrs' | 'serviceCidrs'>,
  localAddresses: readonly string[],
  log: Logger,
  moreRanges: readonly string[] = [],
): Promise<void> {
  const names = networkNames(cluster);
  const host = await ensureHostNetwork({
    table: names.masqueradeTable,
    podCidrs: cluster.podCidrs,
    serviceCidrs: [...cluster.serviceCidrs, ...moreRanges],
    device: names.device,
    bridge: names.bridge,
    localAddresses,
  });
  if (!host.masquerades)
    log.warn('no packet filter on this host: pods reach only what has a way back to their own addresses', {
      error: host.reason,
    });
}

/** Takes away every device and table of the cluster, also what a killed agent left. */
export async function removeNodeNetwork(config: Pick<ClusterConfig, 'id' | 'podCidrs'>): Promise<void> {
  const names = networkNames(config);
  await removeNodeRoutes({ device: names.vxlan, podCidrs: config.podCidrs });
  await removeHostNetwork({
    tables: [names.masqueradeTable, names.serviceTable, names.policyTable],
    devices: [names.device, names.bridge],
  });
}
