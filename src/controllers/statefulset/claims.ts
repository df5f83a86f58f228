/** A replica's claims and who owns them: spec.persistentVolumeClaimRetentionPolicy. */
import type { StatefulSet } from '../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { ApiError, isAlreadyExists, isNotFound, messageOf } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import type { ControllerContext } from '../../controller/contract.ts';
import { claimName, inRange, kind, newClaims, ordinalOf, podName } from './identity.ts';

export interface Claims {
  /** Makes the claims that an ordinal lacks. Throws while one of them is being deleted. */
  ensure(set: StatefulSet, ordinal: number): Promise<void>;
  /** A claim of the ordinal is about to go with an earlier pod, which owns it: a pod made now would lose it. */
  isStale(set: StatefulSet, ordinal: number): boolean;
  /** Makes owner references say what the policy says. */
  own(set: StatefulSet, pods: readonly Pod[]): Promise<void>;
}

export function createClaims({ client, recorder }: ControllerContext, claims: Informer<PersistentVolumeClaim>): Claims {
  return {
    async ensure(set, ordinal) {
      for (const draft of newClaims(set, ordinal)) {
        const { name = '', namespace = '' } = draft.metadata;
        const existing = claims.store.get(`${namespace}/${name}`);
        if (existing?.metadata.deletionTimestamp) throw new ApiError(409, 'Conflict', `pvc ${name} is being deleted`);
        if (existing) continue;
        const what = `Claim ${name} Pod ${podName(set, ordinal)} in StatefulSet ${set.metadata.name}`;
        try {
          await client.persistentvolumeclaims(namespace).create(draft);
          recorder.event(set, 'Normal', 'SuccessfulCreate', `create ${what} success`);
        } catch (e) {
          if (isAlreadyExists(e)) continue;
          recorder.event(set, 'Warning', 'FailedCreate', `create ${what} failed error: ${messageOf(e)}`);
          throw e;
        }
      }
    },
    isStale(set, ordinal) {
      if ((set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled ?? 'Retain') === 'Retain') return false;
      const name = podName(set, ordinal);
      return present(set, ordinal).some(claim =>
        claim.metadata.ownerReferences?.some(ref => ref.kind === 'Pod' && ref.name === name),
      );
    },
    async own(set, pods) {
      for (const pod of pods)
        for (const claim of present(set, ordinalOf(set, pod))) await setOwners(claim, wantedOwners(set, pod));
    },
  };

  function present(set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
    const names = (set.spec.volumeClaimTemplates ?? []).map(template => claimName(template, set, ordinal));
    return names.flatMap(name => claims.store.get(`${set.metadata.namespace}/${name}`) ?? []);
  }

  async function setOwners(claim: PersistentVolumeClaim, wanted: Wanted): Promise<void> {
    const before = claim.metadata.ownerReferences ?? [];
    const others = before.filter(ref => !wanted.uids.has(ref.uid));
    const ownerReferences = [...others, ...wanted.owners];
    if (deepEqual(before, ownerReferences)) return;
    await client
      .persistentvolumeclaims(claim.metadata.namespace)
      .update({ ...claim, metadata: { ...claim.metadata, ownerReferences } })
      .catch(e => {
        if (!isNotFound(e)) throw e;
      });
  }
}

interface Wanted {
  /** Whose references are ours to set or remove. */
  uids: ReadonlySet<string>;
  owners: OwnerReference[];
}

function wantedOwners(set: StatefulSet, pod: Pod): Wanted {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  const uids = new Set([set.metadata.uid ?? '', pod.metadata.uid ?? '']);
  const bySet: OwnerReference = {
    ...kind,
    name: set.metadata.name,
    uid: set.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
  const byPod: OwnerReference = { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid ?? '' };
  const owners: OwnerReference[] = [];
  // A pod that is scaled away takes its claim with it; one that is only replaced must not.
  if (whenScaled === 'Delete' && !inRange(set, ordinalOf(set, pod))) owners.push(byPod);
  else if (whenDeleted === 'Delete') owners.push(bySet);
  return { uids, owners };
}
