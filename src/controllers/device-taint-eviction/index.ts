/**
 * Deletes pods whose devices got a NoExecute taint that their claims do not tolerate (pkg/controller/devicetainteviction of v1.35, whose gate
 * is off by default).
 */
import { keyOf } from '../../api/object.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type {
  DeviceRequestAllocationResult,
  DeviceTaint,
  ResourceClaim,
  ResourceSlice,
} from '../../api/types/resource-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isConflict, isNotFound } from '../../base/errors.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { isFinished } from '../support/pods.ts';
import { evictionTime } from '../taint-eviction/index.ts';

const deviceKey = ({ driver, pool, device }: { driver: string; pool: string; device: string }) =>
  `${driver}/${pool}/${device}`;

/** Taints by device, of the newest generation of each pool. */
export function taintsByDevice(slices: readonly ResourceSlice[]): Map<string, readonly DeviceTaint[]> {
  const newest = new Map<string, number>();
  const poolOf = ({ spec }: ResourceSlice) => `${spec.driver}/${spec.pool.name}`;
  for (const slice of slices)
    newest.set(poolOf(slice), Math.max(slice.spec.pool.generation, newest.get(poolOf(slice)) ?? 0));
  const taints = new Map<string, readonly DeviceTaint[]>();
  for (const slice of slices) {
    const { driver, pool, devices = [] } = slice.spec;
    if (pool.generation < (newest.get(poolOf(slice)) ?? 0)) continue;
    for (const device of devices)
      if (device.taints?.length) taints.set(deviceKey({ driver, pool: pool.name, device: device.name }), device.taints);
  }
  return taints;
}

/** When the claim's users must go, in milliseconds since the epoch; undefined for never. The rules are those of node taints. */
export function claimEvictionTime(
  claim: ResourceClaim,
  taints: ReadonlyMap<string, readonly DeviceTaint[]>,
  now: number,
): number | undefined {
  const timeOf = (result: DeviceRequestAllocationResult) => {
    const pod = { metadata: { name: '' }, spec: { containers: [], tolerations: result.tolerations ?? [] } };
    return evictionTime(pod, taints.get(deviceKey(result)) ?? [], now);
  };
  const times = (claim.status?.allocation?.devices?.results ?? []).map(timeOf).filter(time => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

export const deviceTaintEvictionController: Controller = {
  name: 'device-taint-eviction-controller',
  component: 'device-taint-eviction',
  disabledByDefault: true,
  setUp({ informers, client, clock, recorder }) {
    const pods = informers.informer('v1/pods');
    const claims = informers.informer('resource.k8s.io/v1/resourceclaims');
    const slices = informers.informer('resource.k8s.io/v1/resourceslices');
    claims.addIndex('device', claim => (claim.status?.allocation?.devices?.results ?? []).map(deviceKey));

    async function evict(pod: Pod): Promise<void> {
      const { namespace = '', name, uid } = pod.metadata;
      recorder.event(pod, 'Normal', 'DeviceTaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByDeviceTaintManager',
        message: 'Device Taint manager: deleting due to NoExecute taint',
        lastTransitionTime: rfc3339(clock.now()),
      };
      const patch = { metadata: { uid }, status: { conditions: [condition] } };
      try {
        await client.pods(namespace).patch(name, 'strategic', patch, { subresource: 'status' });
        await client.pods(namespace).delete(name, uid ? { preconditions: { uid } } : {});
      } catch (e) {
        if (!isNotFound(e) && !isConflict(e)) throw e;
      }
    }
    const users = (claim: ResourceClaim): Pod[] =>
      (claim.status?.reservedFor ?? []).flatMap(({ name, uid, resource }) => {
        const pod = resource === 'pods' ? pods.store.get(`${claim.metadata.namespace}/${name}`) : undefined;
        return pod?.metadata.uid === uid && !pod.metadata.deletionTimestamp && !isFinished(pod) ? [pod] : [];
      });

    return {
      sources: [
        watch<'resource.k8s.io/v1/resourceclaims'>(claims, (claim, _old, kind) =>
          kind !== 'delete' && claim.status?.reservedFor ? [keyOf(claim)] : [],
        ),
        watch<'resource.k8s.io/v1/resourceslices'>(slices, ({ spec }) =>
          (spec.devices ?? [])
            .filter(device => device.taints?.length)
            .flatMap(({ name }) =>
              claims.store.byIndex('device', deviceKey({ driver: spec.driver, pool: spec.pool.name, device: name })),
            )
            .map(keyOf),
        ),
        watch<'v1/pods'>(pods, (pod, _old, kind) =>
          kind === 'add'
            ? (pod.status?.resourceClaimStatuses ?? []).flatMap(s =>
                s.resourceClaimName ? [`${pod.metadata.namespace}/${s.resourceClaimName}`] : [],
              )
            : [],
        ),
      ],
      async reconcile(key) {
        const claim = claims.store.get(key);
        if (!claim) return;
        const at = claimEvictionTime(claim, taintsByDevice(slices.store.list()), clock.now());
        if (at === undefined) return;
        if (at > clock.now()) return { requeueAfter: at - clock.now() };
        for (const pod of users(claim)) await evict(pod);
        return;
      },
    };
  },
};
