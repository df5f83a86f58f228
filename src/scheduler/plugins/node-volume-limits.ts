import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { rejections } from '../framework/status.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import { claimsOf, classOf, volumeOf } from './claims.ts';

const name = 'NodeVolumeLimits';
const reject = rejections(name);
const tooMany = reject('Unschedulable', 'node(s) exceed max volume count');

/** What pods with bound claims attach: it cannot change any more. */
const settled = new WeakMap<PodInfo, ReadonlyMap<string, string>>();

/** Volumes of the pod that CSI drivers attach: driver by a name that is unique for the volume. */
function attachments(pod: PodInfo, lookup: Lookup): ReadonlyMap<string, string> {
  const known = settled.get(pod);
  if (known) return known;
  const out = new Map<string, string>();
  let isSettled = true;
  for (const { key } of claimsOf(pod)) {
    const claim = lookup.of('v1/persistentvolumeclaims').get(key);
    if (!claim) {
      isSettled = false;
      continue;
    }
    const volume = volumeOf(claim, lookup);
    const csi = volume?.spec.csi;
    if (csi) {
      out.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver);
      continue;
    }
    isSettled = false;
    // Not provisioned yet: it will be one more volume of the class's driver.
    const driver = volume ? undefined : classOf(claim, lookup)?.provisioner;
    if (driver) out.set(`${driver}/${claim.metadata.uid ?? key}`, driver);
  }
  if (isSettled) settled.set(pod, out);
  return out;
}

interface State {
  readonly wanted: ReadonlyMap<string, string>;
  /** Volumes that are attached according to VolumeAttachments, by node. */
  readonly attached: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

function attachedByNode(lookup: Lookup): Map<string, Map<string, string>> {
  const byNode = new Map<string, Map<string, string>>();
  for (const { spec } of lookup.of('storage.k8s.io/v1/volumeattachments').list()) {
    const csi = lookup.of('v1/persistentvolumes').get(spec.source.persistentVolumeName ?? '')?.spec.csi;
    if (!csi) continue;
    const volumes = byNode.get(spec.nodeName) ?? new Map<string, string>();
    byNode.set(spec.nodeName, volumes.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver));
  }
  return byNode;
}

function attachedTo(node: NodeInfo, { attached }: State, lookup: Lookup): Map<string, string> {
  const out = new Map(attached.get(node.name));
  for (const pod of node.pods.values())
    if (pod.hasVolumes) for (const [volume, driver] of attachments(pod, lookup)) out.set(volume, driver);
  return out;
}

function has(volumes: ReadonlyMap<string, string>, driver: string): boolean {
  for (const each of volumes.values()) if (each === driver) return true;
  return false;
}

/** A CSI driver's limit of volumes per node. */
export const nodeVolumeLimits: PluginFactory = {
  name,
  create: () =>
    definePlugin<State>({
      name,
      preFilter(pod, { lookup }) {
        const wanted = attachments(pod, lookup);
        return wanted.size === 0 ? { skip: true } : { state: { wanted, attached: attachedByNode(lookup) } };
      },
      filter(state, node, _pod, { lookup }) {
        const drivers = lookup.of('storage.k8s.io/v1/csinodes').get(node.name)?.spec.drivers ?? [];
        let attached: Map<string, string> | undefined;
        for (const { name: driver, allocatable } of drivers) {
          const limit = allocatable?.count;
          if (limit === undefined || !has(state.wanted, driver)) continue;
          attached ??= attachedTo(node, state, lookup);
          let used = 0;
          for (const each of attached.values()) if (each === driver) used++;
          let more = 0;
          for (const [volume, each] of state.wanted) if (each === driver && !attached.has(volume)) more++;
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
