import { keyOf } from '../../api/object.ts';
import type { ControllerRevision, DaemonSet, DaemonSetStatus } from '../../api/types/apps-v1.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import { createBackoff } from '../../client/index.ts';
import type { Controller, ControllerContext, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { type History, hashOf, syncHistory, truncateHistory } from '../support/history.ts';
import { createOwnedPods, type OwnedPods } from '../support/owned-pods.ts';
import { indexOrphans, selectorFor } from '../support/ownership.ts';
import { settleAll, slowStart } from '../support/pod-control.ts';
import { availableInMs, isPodAvailable, isPodReady } from '../support/pods.ts';
import { type DaemonPlan, hashOfPod, older, planDaemons, podsByNode } from './plan.ts';
import { fitOf, kind, newPod, targetNode } from './pods.ts';

/** Creations and deletions per reconcile: upstream's BurstReplicas. */
const burst = 250;

/** pkg/controller/daemon of v1.35. */
export const daemonSetController: Controller = {
  name: 'daemonset-controller',
  account: 'daemon-set-controller',
  aliases: ['daemonset'],
  setUp(context) {
    const { informers } = context;
    const sets = informers.informer('apps/v1/daemonsets');
    const nodes = informers.informer('v1/nodes');
    const revisions = informers.informer('apps/v1/controllerrevisions');
    indexOrphans(revisions);
    const own = createOwnedPods(context, {
      kind,
      owners: sets,
      client: namespace => context.client.daemonsets(namespace),
      selector: set => selectorFor(set.spec.selector),
    });
    const all: Deps = { context, own, nodes, revisions, endings: new Map() };
    return {
      sources: [
        ...own.sources,
        watch<'v1/nodes'>(nodes, (node, old, event) =>
          event === 'update' && old && sameForDaemons(node, old) ? [] : sets.store.list().map(keyOf),
        ),
      ],
      reconcile: key => reconcile(all, key),
    };
  },
};

interface Deps {
  readonly context: ControllerContext;
  readonly own: OwnedPods<DaemonSet>;
  readonly nodes: Informer<Node>;
  readonly revisions: Informer<ControllerRevision>;
  /** When a pod that failed on a node may be replaced again, by set and node. */
  readonly endings: Map<string, { backoff: ReturnType<typeof createBackoff>; until: number }>;
}

/** Heartbeats and the like change nothing for daemons. */
const sameForDaemons = (a: Node, b: Node) =>
  deepEqual(a.metadata.labels, b.metadata.labels) &&
  deepEqual(a.spec?.taints, b.spec?.taints) &&
  a.spec?.unschedulable === b.spec?.unschedulable;

async function reconcile(all: Deps, key: string): Promise<ReconcileResult> {
  const { context, own } = all;
  const found = await own.look(key);
  if (!found) return;
  const { owner: set, settled } = found;
  const selector = selectorFor(set.spec.selector);
  if (selector.everything) {
    const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
    context.recorder.event(set, 'Warning', 'SelectingAll', message);
    return;
  }
  if (set.metadata.deletionTimestamp) return;
  const pods = await own.claim(set);
  const revisions = context.client.controllerrevisions(set.metadata.namespace);
  const history = await syncHistory(context.client, kind, set, await own.claimOthers(set, all.revisions, revisions));
  if (!settled) return { requeueAfter: 1_000 };
  const hash = hashOf(history.current);
  const now = context.clock.now();
  const plan = planDaemons(set, all.nodes.store.list(), pods, hash, now);
  const { failure, wait } = await act(all, key, set, plan, hash);
  await writeStatus(all, set, pods, hash, history);
  const inUse = new Set([
    history.current.metadata.name,
    ...history.all.filter(r => pods.some(p => hashOfPod(p) === hashOf(r))).map(r => r.metadata.name),
  ]);
  await truncateHistory(context.client, set, history, inUse);
  if (failure !== undefined) throw failure;
  const minReady = set.spec.minReadySeconds ?? 0;
  const waits = [wait, ...pods.map(pod => availableInMs(pod, minReady, now))].filter(
    ms => ms > 0 && Number.isFinite(ms),
  );
  if (waits.length > 0) return { requeueAfter: Math.min(...waits) };
}

async function act(
  all: Deps,
  key: string,
  set: DaemonSet,
  plan: DaemonPlan,
  hash: string,
): Promise<{ failure: unknown; wait: number }> {
  const due = dueEndings(all, key, set, plan.ended);
  const victims = [...due.pods, ...plan.remove].slice(0, burst);
  const nodes = plan.create.slice(0, burst);
  const failure = await Promise.all([
    slowStart(nodes.length, i => all.own.create(newPod(set, nodes[i] ?? '', hash), set)),
    settleAll(victims.map(pod => all.own.delete(pod, set))),
  ]).then(
    () => undefined,
    e => e,
  );
  return { failure, wait: due.wait };
}

/** A daemon that keeps failing is replaced more and more slowly: 1 s to 15 min per node. One that succeeded is replaced at once. */
function dueEndings(all: Deps, key: string, set: DaemonSet, ended: readonly Pod[]): { pods: Pod[]; wait: number } {
  const pods: Pod[] = [];
  const waits: number[] = [];
  for (const pod of ended) {
    const { namespace, name } = pod.metadata;
    const node = targetNode(pod) ?? '';
    const failed = pod.status?.phase === 'Failed';
    const wait = failed ? failureWait(all, `${key}/${node}`) : 0;
    if (wait > 0) {
      waits.push(wait);
      continue;
    }
    const found = `Found ${failed ? 'failed' : 'succeeded'} daemon pod ${namespace}/${name} on node ${node}`;
    if (failed) all.context.recorder.event(set, 'Warning', 'FailedDaemonPod', `${found}, will try to kill it`);
    else all.context.recorder.event(set, 'Normal', 'SucceededDaemonPod', `${found}, will try to delete it`);
    pods.push(pod);
  }
  return { pods, wait: waits.length > 0 ? Math.min(...waits) : 0 };
}

/** Milliseconds; 0 takes the turn. */
function failureWait({ context, endings }: Deps, id: string): number {
  const { clock, random } = context;
  const known = endings.get(id) ?? {
    backoff: createBackoff(clock, random, { initialMs: 1_000, maxMs: 900_000, resetMs: 1_800_000 }),
    until: 0,
  };
  endings.set(id, known);
  const left = known.until - clock.monotonic();
  if (left > 0) return left;
  known.until = clock.monotonic() + known.backoff.next();
  return 0;
}

async function writeStatus(
  all: Deps,
  set: DaemonSet,
  pods: readonly Pod[],
  hash: string,
  history: History,
): Promise<void> {
  const status = statusOf(set, all.nodes.store.list(), pods, hash, history.collisionCount, all.context.clock.now());
  if (deepEqual(normal(set.status), normal(status))) return;
  await all.context.client
    .daemonsets(set.metadata.namespace)
    .updateStatus({ ...set, status })
    .catch(e => {
      if (!isNotFound(e)) throw e;
    });
}

const normal = (status: DaemonSetStatus | undefined) =>
  Object.fromEntries(Object.entries(status ?? {}).filter(([, v]) => v !== 0 && v !== undefined));

function statusOf(
  set: DaemonSet,
  nodes: readonly Node[],
  pods: readonly Pod[],
  hash: string,
  collisionCount: number | undefined,
  now: number,
): DaemonSetStatus {
  const byNode = podsByNode(pods);
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, available: 0, updated: 0 };
  for (const node of nodes) {
    const own = byNode.get(node.metadata.name) ?? [];
    if (!fitOf(set, node).run) {
      if (own.length > 0) counts.misscheduled += 1;
      continue;
    }
    counts.desired += 1;
    const [oldest] = [...own].sort(older);
    if (!oldest) continue;
    counts.current += 1;
    if (isPodReady(oldest)) counts.ready += 1;
    if (isPodAvailable(oldest, set.spec.minReadySeconds ?? 0, now)) counts.available += 1;
    if (hashOfPod(oldest) === hash) counts.updated += 1;
  }
  return {
    currentNumberScheduled: counts.current,
    desiredNumberScheduled: counts.desired,
    numberMisscheduled: counts.misscheduled,
    numberReady: counts.ready,
    numberAvailable: counts.available,
    numberUnavailable: counts.desired - counts.available,
    updatedNumberScheduled: counts.updated,
    observedGeneration: set.metadata.generation ?? 0,
    ...(collisionCount !== undefined && { collisionCount }),
    ...(set.status?.conditions && { conditions: set.status.conditions }),
  };
}
