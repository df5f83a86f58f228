import { controllerOf, type KubeObject } from '../../../api/object.ts';
import type { Pod } from '../../../api/types/core-v1.ts';
import type { Change, View } from '../view.ts';

export const isTerminal = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
/** Runs or will run: not ended, not told to end. */
export const isActive = (pod: Pod): boolean => !isTerminal(pod) && !pod.metadata.deletionTimestamp;
export const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ?? false;
export const idOf = (obj: KubeObject): string =>
  obj.metadata.namespace ? `${obj.metadata.namespace}/${obj.metadata.name}` : obj.metadata.name;

export function podsOf(view: View, owner: KubeObject): Pod[] {
  return view.list<Pod>('pods', owner.metadata.namespace).filter(pod => controllerOf(pod)?.uid === owner.metadata.uid);
}

/** An object of a change, whose kind tells its type. */
export const typed = <T extends KubeObject>(obj: KubeObject): T => obj as T;

/** JSON with sorted names: equal for equal values. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The change as one of pods, when it is. */
export function podChange(change: Change): { before: Pod | undefined; after: Pod | undefined } | undefined {
  if (change.kind !== 'pods') return undefined;
  return { before: change.before as Pod | undefined, after: change.after as Pod | undefined };
}

/** How far behind a controller may be that is not wrong: late watches, slow requests, a change of leader. */
export const memoryMs = 180_000;

/** The highest and lowest values that something had lately. What a late controller does is judged by what it may have seen. */
export function recently() {
  const values = new Map<string, { at: number; value: number }[]>();
  const kept = (key: string, now: number) => {
    const all = values.get(key) ?? [];
    // The last value before the window was still true when it began.
    const first = all.findLastIndex(entry => entry.at < now - memoryMs);
    if (first > 0) all.splice(0, first);
    return all.map(entry => entry.value);
  };
  return {
    note(key: string, now: number, value: number): void {
      const all = values.get(key);
      if (!all) values.set(key, [{ at: now, value }]);
      else if (all.at(-1)?.value !== value) all.push({ at: now, value });
    },
    highest: (key: string, now: number) => Math.max(Number.NEGATIVE_INFINITY, ...kept(key, now)),
    lowest: (key: string, now: number) => Math.min(Number.POSITIVE_INFINITY, ...kept(key, now)),
    forget: (key: string) => void values.delete(key),
  };
}

/** Rounds a percentage as Deployments do: surge up, unavailability down. */
export function scaled(value: number | string | undefined, of: number, round: 'up' | 'down'): number {
  if (typeof value !== 'string') return value ?? 0;
  const exact = (Number.parseInt(value, 10) * of) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}

/** So long a request may be on its way from the server to the store. */
export const underWayMs = 5_000;

/** Which object a request's path names: "namespace/plural/name" or "plural/name", without subresource. */
export function objectPath(path: string): string {
  const parts = path.split('/').slice(path.startsWith('/api/') ? 3 : 4);
  if (parts[0] !== 'namespaces' || parts.length < 4) return parts.slice(0, 2).join('/');
  return parts[2] === 'finalize' || parts[2] === 'status' ? parts.slice(0, 2).join('/') : parts.slice(1, 4).join('/');
}

/** The same of an object of the store. */
export function pathOf(
  kind: string,
  { namespace, name }: { readonly namespace?: string; readonly name?: string },
): string {
  return `${namespace ? `${namespace}/` : ''}${kind.split('/').pop()}/${name}`;
}
