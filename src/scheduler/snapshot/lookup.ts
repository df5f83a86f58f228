/** What rules need to read beside nodes and pods. Informers' caches in production, plain lists in tests. */
import type { KubeObject } from '../../api/object.ts';
import { keyOf } from '../../api/object.ts';
import type { ResourceName, TypeOf } from '../../client/contract.ts';

export interface Objects<T> {
  /** By "namespace/name", or "name" for cluster-scoped ones. */
  get(key: string): T | undefined;
  list(): T[];
}

export const lookedUp = [
  'v1/namespaces',
  'v1/persistentvolumeclaims',
  'v1/persistentvolumes',
  'v1/services',
  'v1/replicationcontrollers',
  'apps/v1/replicasets',
  'apps/v1/statefulsets',
  'policy/v1/poddisruptionbudgets',
  'storage.k8s.io/v1/storageclasses',
  'storage.k8s.io/v1/csinodes',
  'storage.k8s.io/v1/csidrivers',
  'storage.k8s.io/v1/csistoragecapacities',
  'storage.k8s.io/v1/volumeattachments',
  'resource.k8s.io/v1/resourceclaims',
  'resource.k8s.io/v1/resourceslices',
  'resource.k8s.io/v1/deviceclasses',
] as const satisfies readonly ResourceName[];
export type LookedUp = (typeof lookedUp)[number];

export interface Lookup {
  of<R extends LookedUp>(resource: R): Objects<TypeOf<R>>;
}

/** A lookup over plain lists. */
export function lookupOver(objects: { readonly [R in LookedUp]?: readonly TypeOf<R>[] } = {}): Lookup {
  const maps = new Map<string, Objects<KubeObject>>();
  for (const resource of lookedUp) {
    const list: readonly KubeObject[] = objects[resource] ?? [];
    const byKey = new Map(list.map(o => [keyOf(o), o]));
    maps.set(resource, { get: key => byKey.get(key), list: () => [...list] });
  }
  return { of: resource => maps.get(resource) as unknown as Objects<TypeOf<typeof resource>> };
}
