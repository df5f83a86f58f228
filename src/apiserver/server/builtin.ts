/** The built-in kinds as served resources. */

import type { OtherVersions } from '../../api/apply/index.ts';
import { builtinResources } from '../../api/catalog/index.ts';
import type { Unstructured } from '../../api/object.ts';
import { apiVersionOf, type ResourceInfo } from '../../api/schema.ts';
import type { GroupResource } from '../../base/errors.ts';
import type { Store } from '../../store/contract.ts';
import type { Column, Strategy } from '../registry/strategy.ts';
import type { Cacher } from '../storage/cacher.ts';
import { kindPrefix } from '../storage/keys.ts';
import { createObjectStore, type ObjectStore } from '../storage/object-store.ts';
import type { Hooks, Served, Virtual } from './scope.ts';

/** First segments of store keys that are resources, not groups. */
export const corePlurals: ReadonlySet<string> = new Set([
  ...builtinResources()
    .filter(info => info.group === '')
    .map(info => info.plural),
  'masterleases',
]);

export interface StorageInputs {
  readonly store: Store;
  readonly cacher: Cacher;
  readonly lease: (ttlSeconds: number) => Promise<number>;
}

/** Kinds whose deletion is answered with the object (upstream: ReturnDeletedObject). */
const returnsDeleted = new Set([
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

const noStrategy = (resource: string): Strategy => ({ resource, generation: false });

/** The storage of a resource, shared by all its versions. What is stored as another has a name of its own in errors. */
export function storageFor(inputs: StorageInputs) {
  const stores = new Map<string, ObjectStore>();
  return (group: string, plural: string, named: GroupResource = { group, resource: plural }): ObjectStore => {
    const prefix = kindPrefix(group, plural);
    const key = `${prefix} ${named.group}/${named.resource}`;
    let made = stores.get(key);
    if (!made) {
      made = createObjectStore({ ...inputs, prefix, resource: named });
      stores.set(key, made);
    }
    return made;
  };
}

/** Field values of stored objects, for selectors. */
export function fieldReader(strategy: Strategy): (obj: Unstructured) => Record<string, string> {
  const readers = Object.entries(strategy.selectableFields ?? {});
  return obj => {
    const out: Record<string, string> = {};
    for (const [name, read] of readers) out[name] = read(obj) ?? '';
    return out;
  };
}

export interface BuiltinInputs {
  readonly strategies: readonly Strategy[];
  readonly hooks: Readonly<Record<string, Hooks>>;
  /** Answers creates of kinds that are not stored. */
  readonly review: Virtual;
  readonly storage: ReturnType<typeof storageFor>;
}

export function builtinServed(inputs: BuiltinInputs): Served[] {
  const byResource = new Map(inputs.strategies.map(s => [s.resource, s]));
  return builtinResources().map(info => servedFor(info, byResource, inputs));
}

function servedFor(info: ResourceInfo, strategies: ReadonlyMap<string, Strategy>, inputs: BuiltinInputs): Served {
  const resource = `${info.group}/${info.plural}`;
  const own = strategies.get(resource) ?? noStrategy(resource);
  const storedName = own.storedAs ?? resource;
  const apiVersion = apiVersionOf(info);
  const [group = '', plural = ''] = storedName.split('/');
  const stored = info.verbs.includes('delete');
  const virtual = stored || !info.verbs.includes('create') ? undefined : inputs.review;
  const store = stored ? inputs.storage(group, plural, { group: info.group, resource: info.plural }) : undefined;
  if (store && own.storedAs === undefined) store.cache.setFields(fieldReader(own));
  const storedApiVersion = own.storageVersion ?? apiVersion;
  const conversion = own.conversions?.find(c => c.apiVersion === apiVersion);
  const versions = otherVersions(info, own, storedApiVersion);
  return {
    info,
    strategy: own,
    store,
    conversion,
    storedApiVersion,
    storedAs: () => true,
    hooks: inputs.hooks[resource] ?? {},
    ...(versions && { versions }),
    ...(virtual && { virtual }),
    returnsDeleted: returnsDeleted.has(resource),
    columns: (own.columns ?? []) as readonly Column<Unstructured>[],
  };
}

/** The versions of a kind that is served in more than one. */
function otherVersions(
  { plural }: ResourceInfo,
  { conversions = [] }: Strategy,
  storedApiVersion: string,
): OtherVersions | undefined {
  if (conversions.length === 0) return undefined;
  const find = (apiVersion: unknown) => conversions.find(c => c.apiVersion === apiVersion);
  const infos = builtinResources().filter(r => r.plural === plural);
  const schema = (apiVersion: string) =>
    apiVersion === storedApiVersion || find(apiVersion)
      ? infos.find(r => apiVersionOf(r) === apiVersion)?.schema
      : undefined;
  return {
    schema,
    convert(object, apiVersion) {
      if (!schema(apiVersion)) return undefined;
      const obj = object as unknown as Unstructured;
      const stored = find(obj.apiVersion)?.toStorage(obj) ?? obj;
      const converted = apiVersion === storedApiVersion ? stored : (find(apiVersion)?.fromStorage(stored) ?? stored);
      return { ...converted, apiVersion };
    },
  };
}
