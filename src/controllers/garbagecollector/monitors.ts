/** One metadata-only informer per deletable resource, kept in step with what the server serves. */
import type { KubeObject } from '../../api/object.ts';
import { apiVersionOf } from '../../api/schema.ts';
import { sleep } from '../../base/clock.ts';
import { createInformer, type DiscoveredResource, discover, resourceId } from '../../client/index.ts';
import type { ControllerContext } from '../../controller/contract.ts';
import { type Graph, nodeOf } from './graph.ts';

/** They have owners never, and are many (upstream's DefaultIgnoredResources). */
const ignored = new Set(['v1/events', 'events.k8s.io/v1/events']);
/** After so long the collector begins with what it has (upstream's initialSyncTimeout). */
const syncTimeoutMs = 30_000;

export interface Monitors {
  /** Discovers, starts monitors for new resources, stops those that are gone. */
  refresh(): Promise<void>;
  /** Resolves when every monitor's first list is in the graph, or after 30 s. */
  synced(): Promise<void>;
  /** The resource behind an owner reference. */
  find(apiVersion: string, kind: string): DiscoveredResource | undefined;
}

export function createMonitors(
  context: ControllerContext,
  graph: Graph,
  concerned: (uids: Iterable<string>) => void,
): Monitors {
  const { client, clock, random, log, signal } = context;
  const metadata = client.with({ metadataOnly: true });
  const running = new Map<string, { stop: AbortController; synced: Promise<void> }>();
  let kinds = new Map<string, DiscoveredResource>();

  function start(resource: DiscoveredResource): void {
    const stop = new AbortController();
    const informer = createInformer(metadata.resource(resource), {}, { clock, random, log, transform: essential });
    informer.addHandler({
      onAdd: obj => concerned(graph.put(nodeOf(resource, obj))),
      onUpdate(obj, old) {
        // The same name, but another object: the first one is gone.
        if (old.metadata.uid !== obj.metadata.uid) concerned(graph.remove(old.metadata.uid ?? ''));
        concerned(graph.put(nodeOf(resource, obj)));
      },
      onDelete: obj => concerned(graph.remove(obj.metadata.uid ?? '')),
    });
    void informer.run(AbortSignal.any([signal, stop.signal]));
    running.set(resourceId(resource), { stop, synced: informer.synced() });
  }
  return {
    async refresh() {
      const { resources, failures } = await discover(client, { allVersions: true, signal });
      kinds = new Map(resources.map(r => [`${apiVersionOf(r)}/${r.kind}`, r]));
      const wanted = new Map(preferred(resources).map(r => [resourceId(r), r]));
      for (const [id, resource] of wanted) if (!running.has(id)) start(resource);
      for (const [id, { stop }] of running) {
        // A group that could not be read just now is not a group that is gone.
        if (wanted.has(id) || [...failures.keys()].some(gv => id.startsWith(`${gv}/`))) continue;
        stop.abort(new Error('no longer served'));
        running.delete(id);
      }
    },
    async synced() {
      const enough = new AbortController();
      const all = Promise.all([...running.values()].map(m => m.synced));
      await Promise.race([
        all,
        sleep(clock, syncTimeoutMs, AbortSignal.any([signal, enough.signal])).catch(() => undefined),
      ]);
      enough.abort(new Error('synced'));
    },
    find: (apiVersion, kind) => kinds.get(`${apiVersion}/${kind}`),
  };
}

/** One version of each deletable resource: discovery gives the preferred one first. */
function preferred(resources: readonly DiscoveredResource[]): DiscoveredResource[] {
  const seen = new Map<string, DiscoveredResource>();
  for (const r of resources) {
    const deletable = ['delete', 'list', 'watch'].every(verb => r.verbs.includes(verb));
    const key = `${r.group}/${r.plural}`;
    if (deletable && !ignored.has(resourceId(r)) && !seen.has(key)) seen.set(key, r);
  }
  return [...seen.values()];
}

/** Most of an object's metadata is bookkeeping that the graph does not need. */
function essential({ metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, ownerReferences, finalizers, deletionTimestamp } = metadata;
  return {
    metadata: {
      name,
      ...(namespace && { namespace }),
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
      ...(ownerReferences && { ownerReferences }),
      ...(finalizers && { finalizers }),
      ...(deletionTimestamp && { deletionTimestamp }),
    },
  };
}
