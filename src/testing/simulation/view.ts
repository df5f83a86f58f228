/** The cluster's true state, read from the store beside every server and cache, one change at a time. */
import type { KubeObject, Unstructured } from '../../api/object.ts';
import type { Clock } from '../../base/clock.ts';
import type { Store } from '../../store/contract.ts';
import type { History } from './history.ts';

/** One object changed in one revision. */
export interface Change {
  readonly revision: number;
  /** As in the store: "pods", "apps/deployments". */
  readonly kind: string;
  /** "namespace/name" or "name". */
  readonly key: string;
  readonly before: Unstructured | undefined;
  readonly after: Unstructured | undefined;
}

export interface View {
  readonly revision: number;
  /** Milliseconds of the run. */
  readonly elapsed: number;
  /** Wall time of the cluster, in milliseconds. */
  readonly now: number;
  list<T extends KubeObject = Unstructured>(kind: string, namespace?: string): T[];
  get<T extends KubeObject = Unstructured>(kind: string, key: string): T | undefined;
  kinds(): Iterable<string>;
}

const decoder = new TextDecoder();
/** Of no interest to any check, and most of the bytes. */
const ignored = new Set(['events', 'events.k8s.io/events']);

const grouped = /^\/registry\/([^/]*\.k8s\.io|apps|batch|autoscaling|policy|[^/]+\.[^/]+)\/([^/]+)\/(.+)$/;
function splitKey(key: string): { kind: string; rest: string } | undefined {
  const match = grouped.exec(key);
  if (match) return { kind: `${match[1]}/${match[2]}`, rest: match[3] ?? '' };
  const core = /^\/registry\/([^/]+)\/(.+)$/.exec(key);
  return core ? { kind: core[1] ?? '', rest: core[2] ?? '' } : undefined;
}

export interface Observer {
  readonly view: View;
  /** Ends with the store. */
  readonly finished: Promise<void>;
  stop(): void;
}

/** Follows the store; `onChange` is called for each change in order, after the view shows it. */
export function observe(store: Store, clock: Clock, history: History, onChange: (change: Change) => void): Observer {
  const kinds = new Map<string, Map<string, Unstructured>>();
  let revision = 0;
  const watch = store.watch({ start: '/', end: '' }, { fromRevision: 1 });

  function apply(type: 'put' | 'delete', key: string, value: Uint8Array, at: number): void {
    history.note([type, key, at, value]);
    const split = splitKey(key);
    if (!split || ignored.has(split.kind)) return;
    let objects = kinds.get(split.kind);
    if (!objects) {
      objects = new Map();
      kinds.set(split.kind, objects);
    }
    const before = objects.get(split.rest);
    let after: Unstructured | undefined;
    if (type === 'put') {
      after = JSON.parse(decoder.decode(value)) as Unstructured;
      if (after.metadata) after.metadata.resourceVersion = String(at);
      objects.set(split.rest, after);
    } else objects.delete(split.rest);
    onChange({ revision: at, kind: split.kind, key: split.rest, before, after });
  }
  async function follow(): Promise<void> {
    for await (const batch of watch) {
      if (batch.events.length > 0 && batch.revision <= revision)
        throw new Error(`revision ${batch.revision} came after ${revision}`);
      revision = Math.max(revision, batch.revision);
      for (const { type, kv } of batch.events) apply(type, kv.key, kv.value, batch.revision);
    }
  }
  const view: View = {
    get revision() {
      return revision;
    },
    get elapsed() {
      return clock.monotonic();
    },
    get now() {
      return clock.now();
    },
    list: <T extends KubeObject>(kind: string, namespace?: string) => {
      const all = [...(kinds.get(kind)?.values() ?? [])] as unknown as T[];
      return namespace === undefined ? all : all.filter(o => o.metadata.namespace === namespace);
    },
    get: <T extends KubeObject>(kind: string, key: string) => kinds.get(kind)?.get(key) as T | undefined,
    kinds: () => kinds.keys(),
  };
  const finished = follow().catch(error => {
    if ((error as { code?: string }).code !== 'closed') throw error;
  });
  return { view, finished, stop: () => watch.cancel() };
}
