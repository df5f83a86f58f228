/** The order in which things go. */
import { controllerOf } from '../../../api/object.ts';
import type { StatefulSet } from '../../../api/types/apps-v1.ts';
import type { Pod } from '../../../api/types/core-v1.ts';
import type { Invariant } from '../contract.ts';
import { idOf, isActive, objectPath, pathOf, podsOf, underWayMs } from './support.ts';

/** How long a controller's cache may be behind what was made. */
const lateMs = 60_000;

/** Since when each object is there, by uid. */
function ages() {
  const made = new Map<string, number>();
  return {
    see(uid: string | undefined, now: number): void {
      if (uid && !made.has(uid)) made.set(uid, now);
    },
    isOld: (uid: string | undefined, now: number) => now - (made.get(uid ?? '') ?? now) > lateMs,
  };
}

/** Pods of a namespace go before what they may need (feature OrderedNamespaceDeletion). */
export function podsGoFirst(): Invariant {
  const age = ages();
  return {
    name: 'pods of a namespace go first',
    onChange({ kind, before, after }, view) {
      if (kind === 'pods' && !before) age.see(after?.metadata?.uid, view.elapsed);
      return undefined;
    },
    *onRequest({ method, part, path }, view) {
      const [, namespace = '', plural = ''] = /\/namespaces\/([^/]+)\/([^/]+)/.exec(path) ?? [];
      if (method !== 'DELETE' || part !== 'namespace-controller' || plural === 'pods') return;
      const left = view.list<Pod>('pods', namespace).find(pod => age.isOld(pod.metadata.uid, view.elapsed));
      if (left) yield `${path} is emptied while pod ${idOf(left)} is there`;
    },
  };
}

/**
 * Whom the collector lets go after a deletion in the foreground has outlived the dependents that block it (pkg/controller/garbagecollector).
 * A deletion that asks for another policy, such as that of all in a namespace, does not wait.
 */
export function foreground(): Invariant {
  const age = ages();
  const released = new Map<string, number>();
  return {
    name: 'foreground deletion waits for dependents',
    onRequest({ method, part, path }, { elapsed }) {
      if (method === 'PATCH' && part === 'generic-garbage-collector') released.set(objectPath(path), elapsed);
      return undefined;
    },
    *onChange({ kind, key, before, after }, view) {
      if (after && !before) age.see(after.metadata?.uid, view.elapsed);
      if (after || !before?.metadata?.finalizers?.includes('foregroundDeletion')) return;
      const since = view.elapsed - (released.get(pathOf(kind, before.metadata)) ?? Number.NEGATIVE_INFINITY);
      if (since > underWayMs) return;
      const { uid, namespace } = before.metadata;
      for (const other of view.kinds())
        for (const obj of view.list(other, namespace)) {
          const blocks = obj.metadata?.ownerReferences?.some(ref => ref.uid === uid && ref.blockOwnerDeletion);
          if (blocks && age.isOld(obj.metadata?.uid, view.elapsed))
            yield `${kind} ${key} went before ${other} ${idOf(obj)}`;
        }
    },
  };
}

const ordinalOf = (pod: Pod): number => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? -1);

/** An ordered set that shrinks gives up its highest pod first. */
export function orderedScaleDown(): Invariant {
  const age = ages();
  return {
    name: 'ordered sets shrink in order',
    onChange({ kind, before, after }, view) {
      if (kind === 'pods' && !before) age.see(after?.metadata?.uid, view.elapsed);
      return undefined;
    },
    *onRequest({ method, part, path }, view) {
      const [, namespace, name] = /\/namespaces\/([^/]+)\/pods\/([^/]+)$/.exec(path) ?? [];
      if (method !== 'DELETE' || part !== 'statefulset-controller' || !name) return;
      const pod = view.get<Pod>('pods', `${namespace}/${name}`);
      const owner = pod && controllerOf(pod);
      const set = owner && view.get<StatefulSet>('apps/statefulsets', `${namespace}/${owner.name}`);
      if (!pod || set?.metadata.uid !== owner?.uid || !set || set.spec.podManagementPolicy === 'Parallel') return;
      if (!isActive(pod) || ordinalOf(pod) < (set.spec.replicas ?? 1)) return;
      const higher = podsOf(view, set).find(
        other => ordinalOf(other) > ordinalOf(pod) && isActive(other) && age.isOld(other.metadata.uid, view.elapsed),
      );
      if (higher) yield `${namespace}/${name} is given up before ${idOf(higher)}`;
    },
  };
}

export const deletionInvariants = (): readonly Invariant[] => [podsGoFirst(), foreground(), orderedScaleDown()];
