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
    async own(set, pods) {
      for (const pod of pods) {
        for (const template of set.spec.volumeClaimTemplates ?? []) {
          const { namespace } = set.metadata;
          const claim = claims.store.get(`${namespace}/${claimName(template, set, ordinalOf(set, pod))}`);
          if (claim) await setOwners(claim, wantedOwners(set, pod));
        }
      }
    },
  };

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
