/** Where objects live in the store: `/registry/[group/]plural/[namespace/]name`, as upstream's etcd layout. */
export const registryPrefix = '/registry/';

/** "/registry/pods/" or "/registry/apps/deployments/". */
export function kindPrefix(group: string, plural: string): string {
  return group ? `${registryPrefix}${group}/${plural}/` : `${registryPrefix}${plural}/`;
}

/** The part of a key after its kind's prefix: "namespace/name", or "name" for cluster-scoped kinds. */
export function objectKey(namespace: string, name: string): string {
  return namespace ? `${namespace}/${name}` : name;
}

/**
 * Splits a store key into its kind's prefix and the object key. The core group has no segment of its own, so the set of its plurals
 * decides. Undefined for keys outside the registry.
 */
export function splitStoreKey(
  key: string,
  corePlurals: ReadonlySet<string>,
): { prefix: string; rest: string } | undefined {
  if (!key.startsWith(registryPrefix)) return undefined;
  const first = key.indexOf('/', registryPrefix.length);
  if (first < 0) return undefined;
  const head = key.slice(registryPrefix.length, first);
  const end = corePlurals.has(head) ? first : key.indexOf('/', first + 1);
  if (end < 0 || end + 1 >= key.length) return undefined;
  return { prefix: key.slice(0, end + 1), rest: key.slice(end + 1) };
}
