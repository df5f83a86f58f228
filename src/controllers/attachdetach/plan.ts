/** Which volumes a node should have attached (pkg/controller/volume/attachdetach of v1.35, CSI only). Pure. */
import type { Node, PersistentVolume, Pod } from '../../api/types/core-v1.ts';
import type { VolumeAttachment } from '../../api/types/storage-v1.ts';
import { sha256Hex } from '../../base/sha256.ts';
import { isFinished } from '../support/pods.ts';

export const managedAnnotation = 'volumes.kubernetes.io/controller-managed-attach-detach';
/** So long a volume of a node that is not healthy may stay mounted before it is detached all the same. */
const maxWaitForUnmountMs = 360_000;

/** As the CSI plugin of the kubelet looks it up. */
export function attachmentName(driver: string, handle: string, node: string): string {
  return `csi-${sha256Hex(handle + driver + node)}`;
}
/** As nodes name volumes in their status. */
export const uniqueVolumeName = (driver: string, handle: string): string => `kubernetes.io/csi/${driver}^${handle}`;

export interface Wanted {
  readonly volume: PersistentVolume;
  readonly driver: string;
  readonly handle: string;
  readonly pods: readonly Pod[];
}

/** `volumesOf`: the bound volumes that a pod refers to. */
export function wantedVolumes(
  pods: readonly Pod[],
  volumesOf: (pod: Pod) => readonly PersistentVolume[],
  needsAttach: (driver: string) => boolean,
): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const pod of pods) {
    if (isFinished(pod)) continue;
    for (const volume of volumesOf(pod)) {
      const csi = volume.spec?.csi;
      if (!csi || !needsAttach(csi.driver)) continue;
      const known = wanted.get(volume.metadata.name);
      const users = [...(known?.pods ?? []), pod];
      wanted.set(volume.metadata.name, { volume, driver: csi.driver, handle: csi.volumeHandle, pods: users });
    }
  }
  return wanted;
}

const allowsManyNodes = (volume: PersistentVolume): boolean =>
  volume.spec?.accessModes?.some(mode => mode === 'ReadWriteMany' || mode === 'ReadOnlyMany') === true;

/** Attachments of one volume to other nodes, which keep a volume of one writer from going here. */
export function conflicting(
  volume: PersistentVolume,
  node: string,
  attachments: readonly VolumeAttachment[],
): VolumeAttachment[] {
  if (allowsManyNodes(volume)) return [];
  return attachments.filter(a => a.spec.nodeName !== node);
}

/** What a pod is told whose volume others hold, at the nodes that have it. Names of other namespaces are none of its author's business. */
export function conflictText(volume: string, pod: Pod, holders: readonly Pod[]): string {
  const local = holders.filter(p => p.metadata.namespace === pod.metadata.namespace).map(p => p.metadata.name);
  const far = holders.length - local.length;
  const elsewhere = far > 0 ? [`${far} pod(s) in different namespaces`] : [];
  const who = [...(local.length > 0 ? [`pod(s) ${local.join(', ')}`] : []), ...elsewhere].join(' and ');
  const why =
    who === ''
      ? "Volume is already exclusively attached to one node and can't be attached to another"
      : `Volume is already used by ${who}`;
  return `Multi-Attach error for volume "${volume}" ${why}`;
}

/** May an attachment that nobody wants be undone? Else milliseconds to wait, or undefined: until the node says that it is unmounted. */
export function detachIn(node: Node | undefined, volumeName: string, unwantedForMs: number): number | undefined {
  if (!node?.status?.volumesInUse?.includes(volumeName)) return 0;
  if (node.spec.taints?.some(t => t.key === 'node.kubernetes.io/out-of-service')) return 0;
  const ready = node.status.conditions?.find(c => c.type === 'Ready')?.status === 'True';
  return ready ? undefined : Math.max(0, maxWaitForUnmountMs - unwantedForMs);
}
