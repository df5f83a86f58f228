import type { ObjectMeta, OwnerReference } from './types/meta-v1.ts';

/** Any object with Kubernetes metadata. Built-in and custom types are all assignable to it. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** An object about to be created: `generateName` may stand in for the name. */
export type Draft<T extends KubeObject> = Omit<T, 'metadata'> & { metadata: Partial<ObjectMeta> };

/** An object whose type is known only at run time. */
export interface Unstructured extends KubeObject {
  [field: string]: unknown;
}

export interface List<T> {
  apiVersion?: string;
  kind?: string;
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number; selfLink?: string };
  items: T[];
}

/** "namespace/name", or "name" for cluster-scoped objects: the key of caches and work queues. */
export function keyOf(obj: { metadata: { namespace?: string; name?: string } }): string {
  const { namespace, name = '' } = obj.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function controllerOf(obj: { metadata: Partial<ObjectMeta> }): OwnerReference | undefined {
  return obj.metadata.ownerReferences?.find(ref => ref.controller);
}
