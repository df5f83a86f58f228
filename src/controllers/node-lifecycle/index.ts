/** Watches over nodes' heartbeats: marks silent ones, taints them, and marks their pods not ready. */
import { keyOf } from '../../api/object.ts';
import type { Node, Pod } from '../../api/types/index.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isConflict, isNotFound } from '../../base/errors.ts';
import { type Controller, type ControllerContext, watch } from '../../controller/contract.ts';
import {
  beatOf,
  type Heartbeat,
  readyStatus,
  silentConditions,
  wantedTaints,
  type ZoneState,
  zoneState,
} from './health.ts';

export interface NodeLifecycleOptions {
  /** Milliseconds without a sign of life before a node counts as unreachable; default 50 s. */
  readonly gracePeriodMs?: number;
  /** Same for a node that never reported; default 60 s. */
  readonly startupGracePeriodMs?: number;
  /** Nodes per second that begin to be evicted in a healthy zone; default 0.1. */
  readonly evictionRate?: number;
  /** Same in a zone that is mostly down, when it has more than 50 nodes (else none); default 0.01. */
  readonly secondaryEvictionRate?: number;
}

const leaseNamespace = 'kube-node-lease';
const largeZone = 50;

export function nodeLifecycleController(options: NodeLifecycleOptions = {}): Controller {
  return {
    name: 'node-lifecycle-controller',
    account: 'node-controller',
    component: 'node-controller',
    setUp: context => setUp(context, options),
  };
}

function setUp(context: ControllerContext, options: NodeLifecycleOptions) {
  const { client, reader, clock, informers, recorder } = context;
  const grace = options.gracePeriodMs ?? 50_000;
  const startupGrace = options.startupGracePeriodMs ?? 60_000;
  const nodes = informers.informer('v1/nodes');
  const leases = informers.informer('coordination.k8s.io/v1/leases', { namespace: leaseNamespace });
  const pods = informers.informer('v1/pods');
  pods.addIndex('node', pod => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  const heartbeats = new Map<string, Heartbeat>();
  const known = new Set<string>();
  const limiter = createEvictionLimiter(context, options, () => nodes.store.list());

  function hear(node: Node): Heartbeat {
    const beat = beatOf(node, leases.store.get(`${leaseNamespace}/${node.metadata.name}`));
    const last = heartbeats.get(node.metadata.name);
    if (last?.beat === beat) return last;
    const fresh = { beat, seenAt: clock.monotonic() };
    heartbeats.set(node.metadata.name, fresh);
    return fresh;
  }

  /**
   * By the server's word, as the cache may be behind. While the server cannot be asked, silence says nothing about nodes, which cannot be heard
   * either: their time begins anew.
   */
  async function isSilent(node: Node, { beat }: Heartbeat): Promise<boolean> {
    const { name } = node.metadata;
    let live = beat;
    try {
      const { items } = await reader.leases(leaseNamespace).list({ fieldSelector: `metadata.name=${name}` });
      live = beatOf(node, items[0]);
    } catch (error) {
      heartbeats.set(name, { beat, seenAt: clock.monotonic() });
      throw error;
    }
    if (live === beat) return true;
    heartbeats.set(name, { beat: live, seenAt: clock.monotonic() });
    return false;
  }

  async function markSilent(node: Node): Promise<Node> {
    const now = rfc3339(clock.now());
    const conditions = silentConditions(node, now);
    if (!conditions) return node;
    const wasReady = readyStatus(node) === 'True';
    const updated = await client.nodes().updateStatus({ ...node, status: { ...node.status, conditions } });
    if (wasReady)
      recorder.event(node, 'Normal', 'NodeNotReady', `Node ${node.metadata.name} status is now: NodeNotReady`);
    return updated;
  }

  async function taint(node: Node): Promise<{ held: number | undefined }> {
    const name = node.metadata.name;
    // A node that was well again waits for its turn again.
    if (readyStatus(node) === 'True') limiter.forget(name);
    const held = readyStatus(node) === 'True' ? undefined : limiter.waitFor(node);
    const eviction = held === undefined ? 'now' : limiter.isOutage() ? 'never' : 'later';
    const taints = wantedTaints(node, eviction, rfc3339(clock.now()));
    if (taints) {
      await client.nodes().patch(name, 'merge', {
        metadata: { resourceVersion: node.metadata.resourceVersion },
        spec: { taints: taints.length > 0 ? taints : null },
      });
    }
    return { held };
  }

  async function markPods(node: Node): Promise<void> {
    const now = rfc3339(clock.now());
    for (const pod of pods.store.byIndex('node', node.metadata.name)) await markNotReady(context, pod, now);
  }

  function forget(name: string): void {
    heartbeats.delete(name);
    limiter.forget(name);
    if (!known.delete(name)) return;
    const gone = { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name } };
    recorder.event(gone, 'Normal', 'RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`);
  }

  return {
    sources: [
      watch<'v1/nodes'>(nodes, node => [keyOf(node)]),
      watch<'coordination.k8s.io/v1/leases'>(leases, lease => {
        const node = nodes.store.get(lease.metadata.name);
        if (!node) return [];
        hear(node);
        // Others are looked at when their time is up.
        return readyStatus(node) === 'Unknown' ? [lease.metadata.name] : [];
      }),
    ],
    concurrency: 8,
    async reconcile(name: string) {
      let node = nodes.store.get(name);
      if (!node) return forget(name);
      if (!known.has(name)) {
        known.add(name);
        recorder.event(node, 'Normal', 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
      }
      const heartbeat = hear(node);
      const neverReported = (node.status?.conditions ?? []).every(c => c.type !== 'Ready');
      const left = heartbeat.seenAt + (neverReported ? startupGrace : grace) - clock.monotonic();
      try {
        if (left <= 0 && silentConditions(node, '') && (await isSilent(node, heartbeat))) node = await markSilent(node);
        const { held } = await taint(node);
        if (readyStatus(node) !== 'True') await markPods(node);
        const next = [left > 0 ? left : grace, ...(held === undefined ? [] : [held])];
        return { requeueAfter: Math.max(10, Math.min(...next)) };
      } catch (error) {
        if (isNotFound(error)) return;
        if (isConflict(error)) return { requeueAfter: 50 };
        throw error;
      }
    },
  };
}

/** Pods of a node that is not ready stop being endpoints at once. */
async function markNotReady({ client, recorder }: ControllerContext, pod: Pod, now: string): Promise<void> {
  const ready = pod.status?.conditions?.find(c => c.type === 'Ready');
  if (ready?.status !== 'True') return;
  const conditions = (pod.status?.conditions ?? []).map(c =>
    c === ready ? { ...c, status: 'False', lastTransitionTime: now } : c,
  );
  try {
    await client.pods(pod.metadata.namespace).updateStatus({ ...pod, status: { ...pod.status, conditions } });
    recorder.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

/** Lets nodes of a zone begin to be evicted one after another; none at all when the whole cluster looks down, which is then our own fault. */
function createEvictionLimiter(
  { clock }: ControllerContext,
  options: NodeLifecycleOptions,
  list: () => readonly Node[],
) {
  const admitted = new Set<string>();
  const nextFree = new Map<string, number>();
  const zoneOf = (node: Node) =>
    `${node.metadata.labels?.['topology.kubernetes.io/region'] ?? ''}/${node.metadata.labels?.['topology.kubernetes.io/zone'] ?? ''}`;
  const retryMs = 5000;

  function zones(): Map<string, { size: number; state: ZoneState }> {
    const counts = new Map<string, { ready: number; notReady: number }>();
    for (const node of list()) {
      const count = counts.get(zoneOf(node)) ?? { ready: 0, notReady: 0 };
      if (readyStatus(node) === 'True') count.ready += 1;
      else count.notReady += 1;
      counts.set(zoneOf(node), count);
    }
    return new Map(
      [...counts].map(([zone, { ready, notReady }]) => [
        zone,
        { size: ready + notReady, state: zoneState(ready, notReady) },
      ]),
    );
  }

  function isOutage(): boolean {
    return [...zones().values()].every(({ state }) => state === 'full');
  }

  function rate(zone: string): number {
    const { size = 0, state } = zones().get(zone) ?? {};
    if (state !== 'partial') return options.evictionRate ?? 0.1;
    return size > largeZone ? (options.secondaryEvictionRate ?? 0.01) : 0;
  }

  return {
    /** Undefined: the node's pods may be evicted. Else milliseconds after which to ask again. */
    waitFor(node: Node): number | undefined {
      const name = node.metadata.name;
      if (isOutage()) {
        admitted.clear();
        return retryMs;
      }
      if (admitted.has(name)) return undefined;
      const zone = zoneOf(node);
      const perSecond = rate(zone);
      if (perSecond <= 0) return retryMs;
      const now = clock.monotonic();
      const free = nextFree.get(zone) ?? 0;
      if (now < free) return free - now;
      nextFree.set(zone, now + 1000 / perSecond);
      admitted.add(name);
      return undefined;
    },
    /** No node is ready: then nobody's pods go, also not from nodes that were tainted before. */
    isOutage,
    forget(name: string): void {
      admitted.delete(name);
    },
  };
}
