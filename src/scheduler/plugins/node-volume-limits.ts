import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { rejections } from '../framework/status.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import { claimsOf, classOf, volumeOf } from './claims.ts';

const name = 'NodeVolumeLimits';
const reject = rejections(name);
const tooMany = reject('Unschedulable', 'node(s) exceed max volume count');

/** Volumes of the pod that CSI drivers attach: driver by a name that is unique for the volume. */
function attachments(pod: PodInfo, lookup: Lookup): Map<string, string> {
  const out = new Map<string, string>();
  for (const { key } of claimsOf(pod)) {
    const claim = lookup.of('v1/persistentvolumeclaims').get(key);
    if (!claim) continue;
    const volume = volumeOf(claim, lookup);
    const csi = volume?.spec.csi;
    if (csi) {
      out.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver);
      continue;
    }
    // Not provisioned yet: it will be one more volume of the class's driver.
    const driver = volume ? undefined : classOf(claim, lookup)?.provisioner;
    if (driver) out.set(`${driver}/${claim.metadata.uid ?? key}`, driver);
  }
  return out;
}

function attachedTo(node: NodeInfo, lookup: Lookup): Map<string, string> {
  const out = new Map<string, string>();
  for (const pod of node.pods.values())
    if (pod.hasVolumes) for (const [volume, driver] of attachments(pod, lookup)) out.set(volume, driver);
  for (const { spec } of lookup.of('storage.k8s.io/v1/volumeattachments').list()) {
    if (spec.nodeName !== node.name) continue;
    const csi = lookup.of('v1/persistentvolumes').get(spec.source.persistentVolumeName ?? '')?.spec.csi;
    if (csi) out.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver);
  }
  return out;
}

/** A CSI driver's limit of volumes per node. */
export const nodeVolumeLimits: PluginFactory = {
  name,
  create: () =>
    definePlugin<ReadonlyMap<string, string>>({
      name,
      preFilter(pod, { lookup }) {
        const wanted = attachments(pod, lookup);
        return wanted.size === 0 ? { skip: true } : { state: wanted };
      },
      filter(wanted, node, _pod, { lookup }) {
        const drivers = lookup.of('storage.k8s.io/v1/csinodes').get(node.name)?.spec.drivers ?? [];
        const limits = new Map(
          drivers.flatMap(d => (d.allocatable?.count === undefined ? [] : [[d.name, d.allocatable.count] as const])),
        );
        if (![...wanted.values()].some(driver => limits.has(driver))) return undefined;
        const attached = attachedTo(node, lookup);
        for (const [driver, limit] of limits) {
          const used = [...attached.values()].filter(d => d === driver).length;
          const more = [...wanted].filter(([volume, d]) => d === driver && !attached.has(volume)).length;
          if (more > 0 && used + more > limit) return tooMany;
        }
        return undefined;
      },
      events: [
        { resource: 'CSINode', actions: ['add', 'update'] },
        { resource: 'Pod', actions: ['delete'] },
        { resource: 'PersistentVolumeClaim', actions: ['add', 'update'] },
        { resource: 'VolumeAttachment', actions: ['delete'] },
      ],
    }),
};
