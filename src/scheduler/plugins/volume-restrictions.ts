import type { Pod, Volume } from '../../api/types/core-v1.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { rejections } from '../framework/status.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { claimsOf } from './claims.ts';

const name = 'VolumeRestrictions';
const reject = rejections(name);
const diskConflict = reject('Unschedulable', 'node(s) had no available disk');
const inUse = reject(
  'Unschedulable',
  'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
);

const overlap = (a: readonly string[], b: readonly string[]) => a.some(each => b.includes(each));

/** Whether the two volumes are the same disk and one of them writes. */
function conflict(a: Volume, b: Volume): boolean {
  if (a.gcePersistentDisk && b.gcePersistentDisk)
    return (
      a.gcePersistentDisk.pdName === b.gcePersistentDisk.pdName &&
      !(a.gcePersistentDisk.readOnly && b.gcePersistentDisk.readOnly)
    );
  if (a.awsElasticBlockStore && b.awsElasticBlockStore)
    return a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore.volumeID;
  if (a.iscsi && b.iscsi) return a.iscsi.iqn === b.iscsi.iqn && !(a.iscsi.readOnly && b.iscsi.readOnly);
  if (a.rbd && b.rbd)
    return (
      overlap(a.rbd.monitors, b.rbd.monitors) &&
      (a.rbd.pool ?? 'rbd') === (b.rbd.pool ?? 'rbd') &&
      a.rbd.image === b.rbd.image &&
      !(a.rbd.readOnly && b.rbd.readOnly)
    );
  return false;
}

const isDisk = (v: Volume) => Boolean(v.gcePersistentDisk || v.awsElasticBlockStore || v.iscsi || v.rbd);

interface State {
  readonly disks: readonly Volume[];
  /** Pods that use a claim which only one pod may use, with their rows. */
  readonly users: ReadonlyMap<string, number>;
}

function usersOf(keys: ReadonlySet<string>, snapshot: Snapshot): Map<string, number> {
  const users = new Map<string, number>();
  if (keys.size === 0) return users;
  for (const node of snapshot.nodes)
    for (const other of node?.pods.values() ?? [])
      if (node && other.hasVolumes && claimsOf(other).some(c => keys.has(c.key))) users.set(other.key, node.row);
  return users;
}

function exclusiveClaims(pod: PodInfo, { lookup }: Snapshot): Set<string> {
  const claims = lookup.of('v1/persistentvolumeclaims');
  return new Set(
    claimsOf(pod)
      .map(c => c.key)
      .filter(key => claims.get(key)?.spec.accessModes?.includes('ReadWriteOncePod')),
  );
}

export const volumeRestrictions: PluginFactory = {
  name,
  create: () =>
    definePlugin<State>({
      name,
      preFilter(pod, snapshot) {
        if (!pod.hasVolumes) return { skip: true };
        const disks = (pod.pod.spec.volumes ?? []).filter(isDisk);
        const users = usersOf(exclusiveClaims(pod, snapshot), snapshot);
        return disks.length === 0 && users.size === 0 ? { skip: true } : { state: { disks, users } };
      },
      filter({ disks, users }, node) {
        if (disks.length > 0)
          for (const other of node.pods.values())
            for (const volume of other.hasVolumes ? (other.pod.spec.volumes ?? []) : [])
              if (disks.some(d => conflict(d, volume))) return diskConflict;
        // In a trial on this node the user may be gone.
        for (const [key, row] of users) if (row !== node.row || node.pods.has(key)) return inUse;
        return undefined;
      },
      events: [
        {
          resource: 'Pod',
          actions: ['delete'],
          hint: (pod, { object }) => {
            const other = object as Pod;
            const shares = other.metadata.namespace === pod.namespace || (other.spec.volumes ?? []).some(isDisk);
            return shares && (other.spec.volumes?.length ?? 0) > 0 ? 'queue' : 'skip';
          },
        },
        { resource: 'PersistentVolumeClaim', actions: ['add', 'update'] },
        { resource: 'Node', actions: ['add'] },
      ],
    }),
};
