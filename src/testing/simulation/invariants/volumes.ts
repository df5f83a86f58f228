/** What claims and volumes promise each other. */
import { milliValueOf } from '../../../api/quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../../api/types/core-v1.ts';
import type { Invariant } from '../contract.ts';
import type { View } from '../view.ts';
import { idOf, isTerminal, podChange, typed } from './support.ts';

const claimsOf = ({ spec }: Pod): string[] =>
  (spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);

/** A pod waits for its claims: the scheduler places none whose claims have no volume (plugin VolumeBinding). */
export function waitsForClaim(view: View, pod: Pod): boolean {
  return claimsOf(pod).some(name => {
    const claim = view.get<PersistentVolumeClaim>('persistentvolumeclaims', `${pod.metadata.namespace}/${name}`);
    return claim?.status?.phase !== 'Bound' || claim.metadata.deletionTimestamp !== undefined;
  });
}

/** A claim keeps its volume, and no other claim gets it meanwhile. */
export const volumesBelong: Invariant = {
  name: 'a claim keeps its volume, alone',
  *onChange({ kind, key, before, after }, view) {
    if (kind !== 'persistentvolumeclaims' || !after) return;
    const volume = typed<PersistentVolumeClaim>(after).spec?.volumeName;
    const was = before && typed<PersistentVolumeClaim>(before).spec?.volumeName;
    if (was && was !== volume) yield `claim ${key} had volume ${was} and has ${volume ?? 'none'}`;
    if (typed<PersistentVolumeClaim>(after).status?.phase !== 'Bound') return;
    for (const other of view.list<PersistentVolumeClaim>('persistentvolumeclaims'))
      if (idOf(other) !== key && other.spec?.volumeName === volume && other.status?.phase === 'Bound')
        yield `volume ${volume} is given to ${key} and to ${idOf(other)}`;
  },
};

/** How long the controller that guards claims may not know yet that a pod was placed. */
const lateMs = 60_000;

/** A claim stays as long as a pod on a node has it (pkg/controller/volume/pvcprotection). */
export function claimsInUse(): Invariant {
  const placed = new Map<string, number>();
  return {
    name: 'a claim in use stays',
    *onChange(change, view) {
      const pods = podChange(change);
      if (pods?.after?.spec.nodeName && !pods.before?.spec.nodeName)
        placed.set(pods.after.metadata.uid ?? '', view.elapsed);
      if (change.kind !== 'persistentvolumeclaims' || change.after || !change.before) return;
      const { namespace = '', name } = typed<PersistentVolumeClaim>(change.before).metadata;
      for (const pod of view.list<Pod>('pods', namespace)) {
        const since = placed.get(pod.metadata.uid ?? '');
        if (since === undefined || view.elapsed - since < lateMs || isTerminal(pod)) continue;
        if (claimsOf(pod).includes(name)) yield `claim ${change.key} was removed under pod ${idOf(pod)}`;
      }
    },
  };
}

const sizeOf = (list: Record<string, string> | undefined): number => milliValueOf(list?.['storage'] ?? '0');

function* waiting(view: View): Generator<string> {
  const volumes = view.list<PersistentVolume>('persistentvolumes');
  for (const claim of view.list<PersistentVolumeClaim>('persistentvolumeclaims')) {
    const users = view.list<Pod>('pods', claim.metadata.namespace).filter(pod => !isTerminal(pod));
    const isUsed = users.some(pod => claimsOf(pod).includes(claim.metadata.name));
    if (claim.metadata.deletionTimestamp && !isUsed) yield `claim ${idOf(claim)} is not gone yet`;
    if (claim.metadata.deletionTimestamp || claim.status?.phase === 'Bound') continue;
    const fits = volumes.find(
      ({ status, spec, metadata }) =>
        status?.phase === 'Available' &&
        !metadata.deletionTimestamp &&
        !spec?.claimRef &&
        sizeOf(spec?.capacity) >= sizeOf(claim.spec?.resources?.requests),
    );
    if (fits) yield `claim ${idOf(claim)} waits although volume ${idOf(fits)} is free`;
  }
  for (const { metadata, spec, status } of volumes) {
    const { namespace, name, uid } = spec?.claimRef ?? {};
    const claim = name && view.get<PersistentVolumeClaim>('persistentvolumeclaims', `${namespace}/${name}`);
    const isGone = uid !== undefined && (!claim || claim.metadata.uid !== uid);
    if (isGone && status?.phase === 'Bound') yield `volume ${metadata.name} is bound to ${name}, which is gone`;
    if (metadata.deletionTimestamp && status?.phase !== 'Bound') yield `volume ${metadata.name} is not gone yet`;
  }
}

export const volumeInvariants = (): readonly Invariant[] => [
  volumesBelong,
  claimsInUse(),
  { name: 'claims find their volumes', unsettled: waiting },
];
