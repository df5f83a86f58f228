import type { PersistentVolume } from '../../api/types/core-v1.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import { rejections } from '../framework/status.ts';
import { claimsOf, volumeOf } from './claims.ts';

const name = 'VolumeZone';
const reject = rejections(name);
const conflict = reject('UnschedulableAndUnresolvable', 'node(s) had no available volume zone');

/** Labels of old volumes, and what nodes call the same today. */
const current: ReadonlyMap<string, string> = new Map([
  ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
  ['topology.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['topology.kubernetes.io/region', 'topology.kubernetes.io/region'],
]);

interface Wanted {
  readonly key: string;
  readonly values: ReadonlySet<string>;
}

function wantedBy(volume: PersistentVolume): Wanted[] {
  const labels = volume.metadata.labels ?? {};
  return [...current.keys()].flatMap(key => {
    const value = labels[key];
    return value === undefined ? [] : [{ key, values: new Set(value.split('__')) }];
  });
}

/** Volumes with zone labels are used in their zones. */
export const volumeZone: PluginFactory = {
  name,
  create: () =>
    definePlugin<readonly Wanted[]>({
      name,
      preFilter(pod, { lookup }) {
        const wanted: Wanted[] = [];
        for (const { name: claimName, key } of claimsOf(pod)) {
          const claim = lookup.of('v1/persistentvolumeclaims').get(key);
          if (!claim)
            return { reject: reject('UnschedulableAndUnresolvable', `persistentvolumeclaim "${claimName}" not found`) };
          const volume = volumeOf(claim, lookup);
          if (volume) wanted.push(...wantedBy(volume));
        }
        return wanted.length === 0 ? { skip: true } : { state: wanted };
      },
      filter(wanted, { labels }) {
        if (![...current.keys()].some(key => labels[key] !== undefined)) return undefined;
        for (const { key, values } of wanted) {
          const value = labels[key] ?? labels[current.get(key) ?? ''];
          if (value === undefined || !values.has(value)) return conflict;
        }
        return undefined;
      },
      events: [
        { resource: 'StorageClass', actions: ['add'] },
        { resource: 'Node', actions: ['add', 'update'] },
        { resource: 'PersistentVolumeClaim', actions: ['add', 'update'] },
        { resource: 'PersistentVolume', actions: ['add', 'update'] },
      ],
    }),
};
