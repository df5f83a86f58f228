/** Limits of local storage that a pod has broken. Pure. Upstream: eviction_manager.go's localStorageEviction. */
import { addQuantity, formatQuantity, unitsOf } from '../../api/quantity.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { type Candidate, storageOf, storageTotal } from './choose.ts';

export interface Violation {
  /** As `kubelet_evictions` names it. */
  signal: 'emptydirfs.limit' | 'ephemeralpodfs.limit' | 'ephemeralcontainerfs.limit';
  message: string;
}

/** Bytes by volume name. */
export type VolumeUse = ReadonlyMap<string, number>;

/** Whether the pod's files need to be measured at all. */
export function hasStorageLimits({ spec }: Pod): boolean {
  const limited = (spec.volumes ?? []).some(v => v.emptyDir?.sizeLimit && v.emptyDir.medium !== 'Memory');
  return limited || spec.containers.some(c => storageOf(c, 'limits') > 0);
}

export function brokenStorageLimit(used: Candidate, volumes: VolumeUse): Violation | undefined {
  return emptyDirs(used.pod, volumes) ?? wholePod(used) ?? oneContainer(used);
}

function emptyDirs(pod: Pod, volumes: VolumeUse): Violation | undefined {
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    const limit = emptyDir?.sizeLimit;
    if (!limit || unitsOf(limit) === 0 || (volumes.get(name) ?? 0) <= unitsOf(limit)) continue;
    return {
      signal: 'emptydirfs.limit',
      message: `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}". `,
    };
  }
  return undefined;
}

function wholePod({ pod, diskBytes }: Candidate): Violation | undefined {
  const limit = storageTotal(pod, 'limits');
  // As in upstream's sum of limits, a container without one bounds nothing and adds nothing.
  if (limit === 0 || diskBytes <= limit) return undefined;
  const limits = pod.spec.containers.map(c => c.resources?.limits?.['ephemeral-storage'] ?? '0');
  const total = formatQuantity(limits.reduce((sum, l) => formatQuantity(addQuantity(sum, l))));
  return {
    signal: 'ephemeralpodfs.limit',
    message: `Pod ephemeral local storage usage exceeds the total limit of containers ${total}. `,
  };
}

function oneContainer({ pod, containers }: Candidate): Violation | undefined {
  for (const container of pod.spec.containers) {
    const limit = storageOf(container, 'limits');
    const used = containers.find(c => c.name === container.name)?.diskBytes ?? 0;
    if (limit === 0 || used <= limit) continue;
    const shown = container.resources?.limits?.['ephemeral-storage'];
    return {
      signal: 'ephemeralcontainerfs.limit',
      message: `Container ${container.name} exceeded its local ephemeral storage limit "${shown}". `,
    };
  }
  return undefined;
}
