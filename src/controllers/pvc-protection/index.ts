/** Keeps claims while pods use them (pkg/controller/volume/pvcprotection of v1.35). */
import { keyOf, splitKey } from '../../api/object.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { setFinalizer } from '../support/finalizers.ts';
import { isFinished } from '../support/pods.ts';
import { claimKeysOf, ephemeralClaimName, isClaimOfPod } from '../support/volumes.ts';

const finalizer = 'kubernetes.io/pvc-protection';

/** Only scheduled pods count: a kubelet starts no pod whose claim is going. */
function usesClaim(pod: Pod, claim: PersistentVolumeClaim): boolean {
  if (!pod.spec.nodeName) return false;
  // The kubelet is done with it, or it was forced away; its ephemeral volumes may go before its finalizers do.
  const isShutDown = pod.metadata.deletionTimestamp !== undefined && pod.metadata.deletionGracePeriodSeconds === 0;
  const { name } = claim.metadata;
  return (pod.spec.volumes ?? []).some(
    volume =>
      volume.persistentVolumeClaim?.claimName === name ||
      (!isShutDown && volume.ephemeral && ephemeralClaimName(pod, volume) === name && isClaimOfPod(pod, claim)),
  );
}

export const pvcProtectionController: Controller = {
  name: 'persistentvolumeclaim-protection-controller',
  account: 'pvc-protection-controller',
  aliases: ['pvc-protection'],
  setUp({ informers, client }) {
    const claims = informers.informer('v1/persistentvolumeclaims');
    const pods = informers.informer('v1/pods');
    pods.addIndex('claim', claimKeysOf);
    return {
      sources: [
        watch<'v1/persistentvolumeclaims'>(claims, (claim, _old, kind) => {
          const has = claim.metadata.finalizers?.includes(finalizer) === true;
          return kind !== 'delete' && has === (claim.metadata.deletionTimestamp !== undefined) ? [keyOf(claim)] : [];
        }),
        watch<'v1/pods'>(pods, (pod, old, kind) => {
          const replaced = old && old.metadata.uid !== pod.metadata.uid ? claimKeysOf(old) : [];
          return kind === 'delete' || isFinished(pod) || !pod.spec.nodeName
            ? [...claimKeysOf(pod), ...replaced]
            : replaced;
        }),
      ],
      async reconcile(key) {
        const claim = claims.store.get(key);
        if (!claim) return;
        const { namespace, name } = splitKey(key);
        const target = client.persistentvolumeclaims(namespace);
        if (!claim.metadata.deletionTimestamp) return setFinalizer(target, claim, finalizer, true);
        if (!claim.metadata.finalizers?.includes(finalizer)) return;
        if (pods.store.byIndex('claim', `${namespace}/${name}`).some(pod => usesClaim(pod, claim))) return;
        // The cache may not show a pod yet.
        const live = await client.pods(namespace).list();
        if (!live.items.some(pod => usesClaim(pod, claim))) await setFinalizer(target, claim, finalizer, false);
      },
    };
  },
};
