/** What holds for every object and every answer of the server. */
import type { Unstructured } from '../../../api/object.ts';
import type { Invariant } from '../contract.ts';
import { canonical, isTerminal, objectPath, pathOf, podChange, underWayMs } from './support.ts';

/** An object's identity never changes, its generation counts changes of its spec, and what was observed is not ahead of it. */
export const identity: Invariant = {
  name: 'identity and generation',
  *onChange({ kind, key, before, after }) {
    if (!after?.metadata || !before?.metadata || after.metadata.uid !== before.metadata.uid) {
      if (before?.metadata && after?.metadata) yield `${kind} ${key} changed its uid without being deleted`;
      return;
    }
    const [old, now] = [before.metadata, after.metadata];
    if (old.creationTimestamp !== now.creationTimestamp) yield `${kind} ${key} changed its creationTimestamp`;
    if (old.deletionTimestamp && !now.deletionTimestamp) yield `${kind} ${key} came back from deletion`;
    if ((now.generation ?? 0) < (old.generation ?? 0)) yield `the generation of ${kind} ${key} went back`;
    const observed = observedGeneration(after);
    if (observed > (now.generation ?? 0) && now.generation !== undefined)
      yield `${kind} ${key} observed generation ${observed} before there was one`;
    if (observed < observedGeneration(before)) yield `the observed generation of ${kind} ${key} went back`;
    if (
      counted.has(kind) &&
      now.generation === old.generation &&
      canonical(before['spec']) !== canonical(after['spec'])
    )
      yield `the spec of ${kind} ${key} changed without its generation`;
  },
};
const counted = new Set(['apps/deployments', 'apps/replicasets', 'apps/statefulsets', 'apps/daemonsets', 'batch/jobs']);

function observedGeneration(obj: Unstructured): number {
  const { observedGeneration: observed = 0 } = (obj['status'] ?? {}) as { observedGeneration?: number };
  return observed;
}

/** Of the server itself: a deletion that asks for another policy takes them away (rest/store.go, deletionFinalizersForGarbageCollection). */
const ofPolicy = new Set(['orphan', 'foregroundDeletion']);

/** Nothing goes while a finalizer stands: only an update, which may take the last one away, removes such an object; never a deletion. */
export function finalizers(): Invariant {
  const updated = new Map<string, number>();
  return {
    name: 'finalizers are respected',
    onRequest({ method, path }, { elapsed }) {
      if (method === 'PUT' || method === 'PATCH') updated.set(objectPath(path), elapsed);
      return undefined;
    },
    *onChange({ kind, key, before, after }, { elapsed }) {
      if (after || !before?.metadata) return;
      const { finalizers: all = [] } = before.metadata;
      const held = all.filter(finalizer => !ofPolicy.has(finalizer));
      const { finalizers: ofSpec = [] } = (before['spec'] ?? {}) as { finalizers?: string[] };
      if (held.length === 0 && !(kind === 'namespaces' && ofSpec.length > 0)) return;
      const since = elapsed - (updated.get(pathOf(kind, before.metadata)) ?? Number.NEGATIVE_INFINITY);
      if (since > underWayMs) yield `${kind} ${key} was removed with finalizers ${[...held, ...ofSpec].join(', ')}`;
    },
  };
}

/** Nothing is left in a namespace that is gone. */
export const emptyNamespaces: Invariant = {
  name: 'a removed namespace is empty',
  *onChange({ kind, key, after }, view) {
    if (kind !== 'namespaces' || after) return;
    for (const other of view.kinds())
      for (const obj of view.list(other, key)) yield `${other} ${key}/${obj.metadata.name} outlived its namespace`;
  },
};

/** A bound pod stays on its node, and one that ended stays ended. */
export const pods: Invariant = {
  name: 'a pod is bound once and ends once',
  *onChange(change) {
    const { before, after } = podChange(change) ?? {};
    if (!before || !after) return;
    if (before.spec.nodeName && before.spec.nodeName !== after.spec.nodeName)
      yield `pod ${change.key} moved from ${before.spec.nodeName} to ${after.spec.nodeName ?? 'nowhere'}`;
    if (isTerminal(before) && before.status?.phase !== after.status?.phase)
      yield `pod ${change.key} went from ${before.status?.phase} to ${after.status?.phase}`;
  },
};

/** The server never fails by itself: a 500 is a defect, unless the disk made it. */
export const noServerErrors: Invariant = {
  name: 'the server does not fail',
  *onResponse({ method, path, part }, response) {
    if (response.status !== 500 || !(response.body instanceof Uint8Array)) return;
    const text = new TextDecoder().decode(response.body);
    if (!text.includes('simulated: ') && !text.includes('no space') && !text.includes('closed'))
      yield `${method} ${path} of ${part} was answered with ${text.slice(0, 500)}`;
  },
};

export const objectInvariants = (): readonly Invariant[] => [
  identity,
  finalizers(),
  emptyNamespaces,
  pods,
  noServerErrors,
];
