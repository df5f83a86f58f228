import { keyOf } from '../../api/object.ts';
import type { ControllerRevision, DaemonSet, DaemonSetStatus } from '../../api/types/apps-v1.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import { createBackoff } from '../../client/index.ts';
import type { Controller, ControllerContext, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { createWriteLedger, type WriteLedger } from '../../controller/ledger.ts';
import { createDoubts, type Doubts } from '../support/doubts.ts';
import { type History, hashOf, syncHistory, truncateHistory } from '../support/history.ts';
import { claim, indexOrphans, ownerKeys, selectorFor } from '../support/ownership.ts';
import {
  createPodControl,
  isNamespaceTerminating,
  type PodControl,
  settleAll,
  slowStart,
} from '../support/pod-control.ts';
import { availableInMs, isPodAvailable, isPodReady } from '../support/pods.ts';
import { type DaemonPlan, hashOfPod, planDaemons, podsByNode } from './plan.ts';
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
    const pods = informers.informer('v1/pods');
    const nodes = informers.informer('v1/nodes');
    const revisions = informers.informer('apps/v1/controllerrevisions');
    indexOrphans(pods);
    indexOrphans(revisions);
    const control = createPodControl(context.client, context.recorder);
    const ledger = createWriteLedger(pods);
    const all: Deps = {
      context,
      sets,
      pods,
      nodes,
      revisions,
      control,
      ledger,
      doubts: createDoubts(context.client, ledger),
      endings: new Map(),
    };
    return {
      sources: [
        watch<'apps/v1/daemonsets'>(sets, set => [keyOf(set)]),
        watch<'v1/pods'>(
          pods,
          ownerKeys(kind, sets, set => selectorFor(set.spec.selector)),
        ),
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
  readonly sets: Informer<DaemonSet>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly revisions: Informer<ControllerRevision>;
  readonly control: PodControl;
  readonly ledger: WriteLedger<Pod>;
  readonly doubts: Doubts;
  /** When a pod that ended on a node may be replaced again, by set and node. */
  readonly endings: Map<string, { backoff: ReturnType<typeof createBackoff>; until: number }>;
}

/** Heartbeats and the like change nothing for daemons. */
const sameForDaemons = (a: Node, b: Node) =>
  deepEqual(a.metadata.labels, b.metadata.labels) &&
  deepEqual(a.spec?.taints, b.spec?.taints) &&
  a.spec?.unschedulable === b.spec?.unschedulable;

async function reconcile(all: Deps, key: string): Promise<ReconcileResult> {
  const { context, sets, ledger } = all;
  const known = sets.store.get(key);
  if (known) await all.doubts.resolve(key, known, selectorFor(known.spec.selector));
  const settled = ledger.settled(key);
  const set = sets.store.get(key);
  if (!set) {
    ledger.forget(key);
    all.doubts.forget(key);
    return;
  }
  const selector = selectorFor(set.spec.selector);
  if (selector.everything) {
    const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
    context.recorder.event(set, 'Warning', 'SelectingAll', message);
    return;
  }
  if (set.metadata.deletionTimestamp) return;
  const pods = await claimAll(all, set);
  const history = await syncHistory(context.client, kind, set, await claimRevisions(all, set));
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

function claimAll(all: Deps, set: DaemonSet): Promise<Pod[]> {
  const { namespace = '', name } = set.metadata;
  return claim<Pod>({
    kind,
    owner: set,
    selector: selectorFor(set.spec.selector),
    informer: all.pods,
    client: all.context.client.pods(namespace),
    fresh: () => all.context.client.daemonsets(namespace).get(name),
  });
}

function claimRevisions(all: Deps, set: DaemonSet): Promise<ControllerRevision[]> {
  const { namespace = '', name } = set.metadata;
  return claim<ControllerRevision>({
    kind,
    owner: set,
    selector: selectorFor(set.spec.selector),
    informer: all.revisions,
    client: all.context.client.controllerrevisions(namespace),
    fresh: () => all.context.client.daemonsets(namespace).get(name),
  });
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
    slowStart(nodes.length, async i => {
      try {
        all.ledger.created(key, await all.control.create(newPod(set, nodes[i] ?? '', hash), set));
      } catch (e) {
        if (isNamespaceTerminating(e)) return;
        all.doubts.note(key, e);
        throw e;
      }
    }),
    settleAll(
      victims.map(async pod => {
        await all.control.delete(pod, set);
        all.ledger.deleted(key, pod.metadata.uid ?? '');
      }),
    ),
  ]).then(
    () => undefined,
    e => e,
  );
  return { failure, wait: due.wait };
}

/** A daemon that keeps ending is replaced more and more slowly: 1 s to 15 min per node. */
function dueEndings(all: Deps, key: string, set: DaemonSet, ended: readonly Pod[]): { pods: Pod[]; wait: number } {
  const { clock, random, recorder } = all.context;
  const pods: Pod[] = [];
  let wait = 0;
  for (const pod of ended) {
    const node = targetNode(pod) ?? '';
    const id = `${key}/${node}`;
    const known = all.endings.get(id) ?? {
      backoff: createBackoff(clock, random, { initialMs: 1_000, maxMs: 900_000, resetMs: 1_800_000 }),
      until: 0,
    };
    all.endings.set(id, known);
    const left = known.until - clock.monotonic();
    if (left > 0) {
      wait = wait === 0 ? left : Math.min(wait, left);
      continue;
    }
    known.until = clock.monotonic() + known.backoff.next();
    const { namespace, name } = pod.metadata;
    if (pod.status?.phase === 'Failed')
      recorder.event(
        set,
        'Warning',
        'FailedDaemonPod',
        `Found failed daemon pod ${namespace}/${name} on node ${node}, will try to kill it`,
      );
    else
      recorder.event(
        set,
        'Normal',
        'SucceededDaemonPod',
        `Found succeeded daemon pod ${namespace}/${name} on node ${node}, will try to delete it`,
      );
    pods.push(pod);
  }
  return { pods, wait };
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
    const [oldest] = [...own].sort((a, b) =>
      (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1,
    );
    if (!oldest) continue;
    counts.current += 1;
    if (own.some(isPodReady)) counts.ready += 1;
    if (own.some(pod => isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now))) counts.available += 1;
    if (own.some(pod => hashOfPod(pod) === hash && !pod.metadata.deletionTimestamp)) counts.updated += 1;
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
