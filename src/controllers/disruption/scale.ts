/** How many pods the controllers of some pods want. */
import { controllerOf } from '../../api/object.ts';
import { parseApiVersion } from '../../api/schema.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import { isApiError } from '../../base/errors.ts';
import { type DiscoveredResource, discover } from '../../client/index.ts';
import type { ControllerContext } from '../../controller/contract.ts';

export interface ExpectedScale {
  readonly expected: number;
  /** Names of pods without a controller. */
  readonly unmanaged: readonly string[];
}
export type ScaleFinder = (pods: readonly Pod[]) => Promise<ExpectedScale>;

export function createScaleFinder(context: ControllerContext): ScaleFinder {
  const { client, informers } = context;
  const replicaSets = informers.informer('apps/v1/replicasets');
  const deployments = informers.informer('apps/v1/deployments');
  const statefulSets = informers.informer('apps/v1/statefulsets');
  const controllers = informers.informer('v1/replicationcontrollers');
  let known: readonly DiscoveredResource[] = [];

  /** Counts each controller once, by uid; a set's deployment stands for the set. */
  async function scaleOf(
    ref: OwnerReference,
    namespace: string,
  ): Promise<{ uid: string; replicas: number } | undefined> {
    const key = `${namespace}/${ref.name}`;
    const { group } = parseApiVersion(ref.apiVersion);
    if (ref.kind === 'ReplicaSet' && (group === 'apps' || group === 'extensions')) {
      const set = replicaSets.store.get(key);
      if (set?.metadata.uid !== ref.uid) return undefined;
      const parent = controllerOf(set);
      if (parent?.kind !== 'Deployment') return { uid: ref.uid, replicas: set.spec?.replicas ?? 1 };
      const deployment = deployments.store.get(`${namespace}/${parent.name}`);
      if (deployment?.metadata.uid !== parent.uid) return undefined;
      return { uid: parent.uid, replicas: deployment.spec?.replicas ?? 1 };
    }
    const store = ref.kind === 'StatefulSet' && group === 'apps' ? statefulSets.store : undefined;
    const owner = ref.kind === 'ReplicationController' && group === '' ? controllers.store.get(key) : store?.get(key);
    if (owner)
      return owner.metadata.uid === ref.uid ? { uid: ref.uid, replicas: owner.spec?.replicas ?? 1 } : undefined;
    return askScale(ref, namespace);
  }

  async function askScale(ref: OwnerReference, namespace: string) {
    const { group } = parseApiVersion(ref.apiVersion);
    const find = () => known.find(r => r.group === group && r.kind === ref.kind);
    if (!find()) known = (await discover(client, { allVersions: true, signal: context.signal })).resources;
    const resource = find();
    if (!resource) throw new Error(`no matches for kind "${ref.kind}" in version "${ref.apiVersion}"`);
    if (!resource.subresources.includes('scale')) {
      const name = group === '' ? resource.plural : `${resource.plural}.${group}`;
      throw new Error(`${name} does not implement the scale subresource`);
    }
    try {
      const scale = await client
        .resource(resource, namespace)
        .getSubresource<{ metadata: { uid?: string }; spec?: { replicas?: number } }>(ref.name, 'scale');
      return scale.metadata.uid === ref.uid ? { uid: ref.uid, replicas: scale.spec?.replicas ?? 0 } : undefined;
    } catch (e) {
      if (isApiError(e) && e.code === 404) return undefined;
      throw e;
    }
  }

  return async pods => {
    const scales = new Map<string, number>();
    const asked = new Set<string>();
    const unmanaged: string[] = [];
    for (const pod of pods) {
      const ref = controllerOf(pod);
      if (!ref) {
        unmanaged.push(pod.metadata.name);
        continue;
      }
      if (asked.has(ref.uid)) continue;
      asked.add(ref.uid);
      const found = await scaleOf(ref, pod.metadata.namespace ?? '');
      if (!found) throw new Error(`found no controllers for pod "${pod.metadata.name}"`);
      scales.set(found.uid, found.replicas);
    }
    return { expected: [...scales.values()].reduce((a, b) => a + b, 0), unmanaged };
  };
}
