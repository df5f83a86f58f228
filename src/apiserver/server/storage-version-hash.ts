/** Tells clients when the version that a resource is stored in changes, so that they can migrate what is stored. They only compare. */
import { sha256 } from '../../base/sha256.ts';
import type { ResourceTable } from './resources.ts';
import type { Served } from './scope.ts';

/** What upstream stores in another version than we do: the hash names upstream's. */
const storedElsewhere: Readonly<Record<string, string>> = {
  'apiextensions.k8s.io/customresourcedefinitions': 'apiextensions.k8s.io/v1beta1',
};

/** Undefined for what is not stored, and for custom resources whose storage version is not served. */
export function storageVersionHash(resources: ResourceTable, served: Served): string | undefined {
  const { info, store, storedApiVersion, custom } = served;
  if (!store) return undefined;
  if (custom && !isServed(resources, served)) return undefined;
  const apiVersion = storedElsewhere[`${info.group}/${info.plural}`] ?? storedApiVersion;
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const digest = sha256(new TextEncoder().encode(`${group}/${version}/${info.kind}`));
  return btoa(String.fromCharCode(...digest.subarray(0, 8)));
}

function isServed(resources: ResourceTable, { info, storedApiVersion }: Served): boolean {
  return resources.find(info.group, storedApiVersion.slice(info.group.length + 1), info.plural) !== undefined;
}
