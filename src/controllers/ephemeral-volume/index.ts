/** Makes the claims of pods' generic ephemeral volumes (pkg/controller/volume/ephemeral of v1.35). The pod owns them. */
import { keyOf } from '../../api/object.ts';
import type { Pod, Volume } from '../../api/types/core-v1.ts';
import { isAlreadyExists, messageOf } from '../../base/errors.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { controllerRef } from '../support/pod-control.ts';
import { ephemeralClaimName, isClaimOfPod } from '../support/volumes.ts';

const podKind = { apiVersion: 'v1', kind: 'Pod' };
const hasEphemeral = (pod: Pod) => pod.spec.volumes?.some(volume => volume.ephemeral) === true;

export const ephemeralVolumeController: Controller = {
  name: 'ephemeral-volume-controller',
  component: 'ephemeral_volume',
  aliases: ['ephemeral-volume'],
  setUp({ informers, client, recorder }) {
    const pods = informers.informer('v1/pods');
    const claims = informers.informer('v1/persistentvolumeclaims');
    pods.addIndex('ephemeral-claim', pod =>
      (pod.spec.volumes ?? [])
        .filter(volume => volume.ephemeral)
        .map(volume => `${pod.metadata.namespace}/${ephemeralClaimName(pod, volume)}`),
    );

    async function ensure(pod: Pod, volume: Volume): Promise<void> {
      const template = volume.ephemeral?.volumeClaimTemplate;
      if (!template) return;
      const { namespace = '' } = pod.metadata;
      const name = ephemeralClaimName(pod, volume);
      const cached = claims.store.get(`${namespace}/${name}`);
      if (cached && isClaimOfPod(pod, cached)) return;
      if (cached)
        throw new Error(
          `PVC "${namespace}/${name}" was not created for pod "${namespace}/${pod.metadata.name}" (pod is not owner)`,
        );
      const { labels, annotations } = template.metadata ?? {};
      const metadata = {
        name,
        namespace,
        ...(labels && { labels }),
        ...(annotations && { annotations }),
        ownerReferences: [controllerRef(podKind, pod)],
      };
      await client.persistentvolumeclaims(namespace).create({ metadata, spec: template.spec });
    }

    return {
      sources: [
        watch<'v1/pods'>(pods, (pod, _old, kind) =>
          kind === 'add' && hasEphemeral(pod) && !pod.metadata.deletionTimestamp ? [keyOf(pod)] : [],
        ),
        // A claim in the way, or one that was lost.
        watch<'v1/persistentvolumeclaims'>(claims, (claim, _old, kind) =>
          kind === 'delete' ? pods.store.byIndex('ephemeral-claim', keyOf(claim)).map(keyOf) : [],
        ),
      ],
      async reconcile(key) {
        const pod = pods.store.get(key);
        if (!pod || pod.metadata.deletionTimestamp) return;
        for (const volume of pod.spec.volumes ?? []) {
          try {
            await ensure(pod, volume);
          } catch (e) {
            // Ours already, and the cache is late, or somebody else's: the next attempt tells.
            if (!isAlreadyExists(e))
              recorder.event(pod, 'Warning', 'FailedBinding', `ephemeral volume ${volume.name}: ${messageOf(e)}`);
            throw e;
          }
        }
      },
    };
  },
};
