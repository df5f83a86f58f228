/** Tells the cluster which CSI drivers this node has: the CSINode object, and topology labels. Upstream: nodeinfomanager. */
import type { CSINodeDriver } from '../../api/types/storage-v1.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { isNotFound, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Client } from '../../client/contract.ts';
import type { CsiNode } from './csi.ts';

export interface CsiNodeOptions {
  csi: CsiNode;
  /** Looks for drivers that registered or left. */
  scan(): Promise<unknown>;
  nodeName: string;
  client: Client;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  intervalMs?: number;
}
const defaultIntervalMs = 5000;

export function driversOf({ drivers }: Pick<CsiNode, 'drivers'>): CSINodeDriver[] {
  return [...drivers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { nodeId, topology, maxVolumes }]) => ({
      name,
      nodeID: nodeId,
      topologyKeys: Object.keys(topology).sort(),
      ...(maxVolumes > 0 && { allocatable: { count: maxVolumes } }),
    }));
}

export async function startCsiNode(options: CsiNodeOptions): Promise<void> {
  const { csi, nodeName, client, clock, log, signal } = options;
  const objects = client.resource('storage.k8s.io/v1/csinodes');
  let written = '';

  async function publish(): Promise<void> {
    const drivers = driversOf(csi);
    const text = JSON.stringify(drivers);
    if (text === written) return;
    const topology = Object.assign({}, ...[...csi.drivers.values()].map(d => d.topology)) as Record<string, string>;
    if (Object.keys(topology).length > 0)
      await client.resource('v1/nodes').patch(nodeName, 'merge', { metadata: { labels: topology } });
    const node = await client.resource('v1/nodes').get(nodeName);
    const owner = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: node.metadata.uid ?? '' };
    const known = await objects.get(nodeName).catch((e: unknown) => {
      if (isNotFound(e)) return undefined;
      throw e;
    });
    if (known) await objects.update({ ...known, spec: { drivers } });
    else await objects.create({ metadata: { name: nodeName, ownerReferences: [owner] }, spec: { drivers } });
    written = text;
  }
  while (!signal.aborted) {
    await options
      .scan()
      .then(publish)
      .catch((e: unknown) => log.debug('CSINode could not be written', { error: messageOf(e) }));
    await sleep(clock, options.intervalMs ?? defaultIntervalMs, signal).catch(() => undefined);
  }
}
