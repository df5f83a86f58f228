/** The cluster's true state, read from the store beside every server and cache, one change at a time. */
import type { KubeObject, Unstructured } from '../../api/object.ts';
import type { Clock } from '../../base/clock.ts';
import { type Store, StoreError } from '../../store/contract.ts';
import type { History } from './history.ts';
import { type Entry, objectOf, type Records } from './records.ts';
import type { Report } from './watches.ts';

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

/** Of no interest to any check, and most of the bytes. */
const ignored = new Set(['events', 'events.k8s.io/events']);

const grouped = /^\/registry\/([^/]*\.k8s\.io|apps|batch|autoscaling|policy|[^/]+\.[^/]+)\/([^/]+)\/(.+)$/;
function splitKey(key: string): { kind: string; rest: string } | undefined {
  const match = grouped.exec(key);
  if (match) return { kind: `${match[1]}/${match[2]}`, rest: match[3] ?? '' };
  const core = /^\/registry\/([^/]+)\/(.+)$/.exec(key);
  return core ? { kind: core[1] ?? '', rest: core[2] ?? '' } : undefined;
}

export interface ObserverOptions {
  readonly clock: Clock;
  readonly history: History;
  readonly records: Records;
  /** Called for each change in order, after the view shows it. */
  onChange(change: Change): void;
  report: Report;
}

export interface Observer {
  readonly view: View;
  /** From now on looks at this store, of which nobody else has made use yet: it must hold everything that was ever told of. */
  follow(store: Store): Promise<void>;
  /** The stores looked at have ended. */
  finished(): Promise<void>;
}

export function createObserver({ clock, history, records, onChange, report }: ObserverOptions): Observer {
  const kinds = new Map<string, Map<string, Unstructured>>();
  let following: Store | undefined;
  let watching: Promise<void> = Promise.resolve();

  function apply({ key, value, revision }: Entry): void {
    history.note([value ? 'put' : 'delete', key, revision, value ?? '']);
    const split = splitKey(key);
    if (!split || ignored.has(split.kind)) return;
    let objects = kinds.get(split.kind);
    if (!objects) {
      objects = new Map();
      kinds.set(split.kind, objects);
    }
    const before = objects.get(split.rest);
    const entry = records.newest(key);
    const after = entry && objectOf(entry);
    if (after) objects.set(split.rest, after);
    else objects.delete(split.rest);
    onChange({ revision, kind: split.kind, key: split.rest, before, after });
  }
  async function watch(store: Store): Promise<void> {
    for await (const batch of store.watch({ start: '/', end: '' }, { fromRevision: records.revision + 1 })) {
      if (batch.events.length === 0) continue;
      if (batch.revision <= records.revision) report(`revision ${batch.revision} came after ${records.revision}`);
      const after = records.revision;
      const changes = batch.events.map(({ type, kv }) => ({
        key: kv.key,
        value: type === 'put' ? kv.value : undefined,
      }));
      records.add(batch.revision, changes);
      for (const entry of records.between(after, batch.revision)) apply(entry);
    }
  }
  async function compare(store: Store): Promise<void> {
    const { kvs, revision } = await store.range({ start: '/', end: '' });
    if (revision < records.revision)
      return report(`the store is at ${revision} after a restart, and had told of ${records.revision}`);
    await new Promise<void>(resolve => records.once(revision, resolve));
    const known = new Set(records.keys());
    for (const { key, modRevision } of kvs) {
      if (records.newest(key)?.revision !== modRevision)
        report(`after a restart ${key} is of ${modRevision}, and was of ${records.newest(key)?.revision}`);
      known.delete(key);
    }
    if (known.size > 0) report(`a restart lost ${[...known].join(', ')}`);
  }
  const view: View = {
    get revision() {
      return records.revision;
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
  return {
    view,
    async follow(store) {
      if (store === following) return;
      await watching;
      following = store;
      const isFirst = records.revision === 0;
      watching = watch(store).catch(error => {
        if (!(error instanceof StoreError) || (error.code !== 'closed' && error.code !== 'unavailable')) throw error;
      });
      if (!isFirst) await compare(store);
    },
    finished: () => watching,
  };
}
