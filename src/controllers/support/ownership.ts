import { controllerOf, type KubeObject, keyOf } from '../../api/object.ts';
import { nothing, type Selector, selectorFromObject } from '../../api/selectors/index.ts';
import type { LabelSelector } from '../../api/types/meta-v1.ts';
import { ApiError, isNotFound } from '../../base/errors.ts';
import type { Informer, ResourceClient } from '../../client/contract.ts';
import { controllerRef, type OwnerKind } from './pod-control.ts';

/** An informer's objects without a controller, by namespace: candidates for adoption. */
export const orphanIndex = 'orphan';
export function indexOrphans<T extends KubeObject>(informer: Informer<T>): void {
  informer.addIndex(orphanIndex, obj =>
    controllerOf(obj) || obj.metadata.deletionTimestamp ? [] : [obj.metadata.namespace ?? ''],
  );
}

export interface ClaimOptions<T extends KubeObject> {
  readonly kind: OwnerKind;
  readonly owner: KubeObject;
  readonly selector: Selector;
  readonly informer: Informer<T>;
  readonly client: ResourceClient<T>;
  /** The owner as the server has it now: adoption must not trust a cache. */
  fresh(): Promise<KubeObject>;
  /** Objects that it refuses are left alone: neither adopted nor released nor given. */
  accepts?(obj: T): boolean;
  /** Patched together with the reference on adoption and release. */
  readonly finalizer?: string;
}

/**
 * The dependents of an owner: upstream's ControllerRefManager. Objects that it owns and its selector does not match are released;
 * orphans that it matches are adopted. Gives those owned afterwards.
 */
export async function claim<T extends KubeObject>(options: ClaimOptions<T>): Promise<T[]> {
  const { owner, informer, selector, accepts = () => true } = options;
  const { uid = '', namespace = '', deletionTimestamp } = owner.metadata;
  const matches = (obj: T) => selector.matches(obj.metadata.labels);
  const claimed: T[] = [];
  for (const obj of informer.store.byIndex('owner', uid).filter(accepts)) {
    if (matches(obj) || deletionTimestamp) claimed.push(obj);
    else await release(options, obj);
  }
  if (deletionTimestamp || selector.nothing) return claimed;
  let checked = false;
  for (const obj of informer.store.byIndex(orphanIndex, namespace).filter(accepts)) {
    if (!matches(obj)) continue;
    if (!checked) {
      const now = await options.fresh();
      if (now.metadata.uid !== uid || now.metadata.deletionTimestamp)
        throw new ApiError(409, 'Conflict', `${keyOf(owner)} was replaced or is being deleted; it adopts nothing`);
      checked = true;
    }
    const adopted = await adopt(options, obj);
    if (adopted) claimed.push(adopted);
  }
  return claimed;
}

async function adopt<T extends KubeObject>({ client, kind, owner, finalizer }: ClaimOptions<T>, obj: T) {
  const { name, uid } = obj.metadata;
  const metadata = {
    uid,
    ownerReferences: [controllerRef(kind, owner)],
    ...(finalizer && { finalizers: [finalizer] }),
  };
  return client.patch(name, 'strategic', { metadata }).catch(e => {
    if (isNotFound(e)) return undefined;
    throw e;
  });
}

async function release<T extends KubeObject>({ client, owner, finalizer }: ClaimOptions<T>, obj: T): Promise<void> {
  const { name, uid } = obj.metadata;
  const metadata = {
    uid,
    ownerReferences: [{ $patch: 'delete', uid: owner.metadata.uid }],
    ...(finalizer && { '$deleteFromPrimitiveList/finalizers': [finalizer] }),
  };
  await client.patch(name, 'strategic', { metadata }).catch(e => {
    // 404: gone. 422: the uid is another's now, or the reference is gone already.
    if (!isNotFound(e) && (e as { code?: number }).code !== 422) throw e;
  });
}

/**
 * Keys of the owners that a dependent's change concerns: its controller of this kind, the one before the change, and, for an orphan,
 * every owner in its namespace whose selector matches.
 */
export function ownerKeys<O extends KubeObject, T extends KubeObject>(
  kind: OwnerKind,
  owners: Informer<O>,
  selectorOf: (owner: O) => Selector,
): (obj: T, old: T | undefined, event: 'add' | 'update' | 'delete') => Iterable<string> {
  const group = kind.apiVersion.replace(/\/?[^/]*$/, '');
  const keyOfOwner = (obj: T): string | undefined => {
    const ref = controllerOf(obj);
    if (ref?.kind !== kind.kind || ref.apiVersion.replace(/\/?[^/]*$/, '') !== group) return undefined;
    return keyOf({ metadata: { namespace: obj.metadata.namespace ?? '', name: ref.name } });
  };
  return (obj, old, event) => {
    const keys = new Set<string>();
    for (const key of [keyOfOwner(obj), old && keyOfOwner(old)]) if (key) keys.add(key);
    if (keys.size > 0 || controllerOf(obj) || event === 'delete') return keys;
    if (old && controllerOf(old) === undefined && sameLabels(obj, old)) return keys;
    for (const owner of owners.store.byIndex('namespace', obj.metadata.namespace ?? ''))
      if (selectorOf(owner).matches(obj.metadata.labels)) keys.add(keyOf(owner));
    return keys;
  };
}

const sameLabels = (a: KubeObject, b: KubeObject) =>
  JSON.stringify(a.metadata.labels ?? {}) === JSON.stringify(b.metadata.labels ?? {});

/** Parsed once per selector object; caches hand out the same object until it changes. One that makes no sense selects nothing. */
const parsed = new WeakMap<object, Selector>();
export function selectorFor(selector: LabelSelector | undefined): Selector {
  if (!selector) return nothing;
  const known = parsed.get(selector) ?? parse(selector);
  parsed.set(selector, known);
  return known;
}
function parse(selector: LabelSelector): Selector {
  try {
    return selectorFromObject(selector);
  } catch {
    return nothing;
  }
}
