/** What ReplicaSets and ReplicationControllers have in common: keep so many pods of a template. */
import type { KubeObject } from '../../api/object.ts';
import type { ReplicaSetCondition, ReplicaSetStatus } from '../../api/types/apps-v1.ts';
import type { Pod, PodTemplateSpec } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { messageOf } from '../../base/errors.ts';
import type { ControllerContext, Loop, ReconcileResult } from '../../controller/contract.ts';
import { conditionOf, withCondition, withoutCondition } from '../support/conditions.ts';
import { createOwnedPods, type OwnedPods, type OwnerOptions } from '../support/owned-pods.ts';
import { podFromTemplate, settleAll, slowStart } from '../support/pod-control.ts';
import {
  availableInMs,
  deletionOrder,
  isActive,
  isPodAvailable,
  isPodReady,
  isTerminating,
  podCondition,
} from '../support/pods.ts';

/** Creations and deletions per reconcile: upstream's BurstReplicas. */
const burst = 500;

/** A kind as this loop sees it. */
export interface ReplicaOwner extends KubeObject {
  spec?: { replicas?: number; minReadySeconds?: number; template?: PodTemplateSpec };
  status?: ReplicaSetStatus;
}
export interface ReplicaKind<T extends ReplicaOwner>
  extends Pick<OwnerOptions<T>, 'kind' | 'owners' | 'client' | 'selector'> {
  /** The kind's status has `terminatingReplicas`. */
  readonly countsTerminating: boolean;
}

interface Replicas<T extends ReplicaOwner> extends ReplicaKind<T> {
  readonly context: ControllerContext;
  readonly own: OwnedPods<T>;
}

export function replicaLoop<T extends ReplicaOwner>(context: ControllerContext, kind: ReplicaKind<T>): Loop {
  const own = createOwnedPods(context, {
    ...kind,
    accepts: pod => isActive(pod) || isTerminating(pod),
    matters: (pod, old) => !sameForReplicas(pod, old),
  });
  const all: Replicas<T> = { ...kind, context, own };
  return { sources: own.sources, reconcile: key => reconcile(all, key) };
}

/** A pod reports much on its way that changes no count; with thousands of pods, looking at all of them for each report adds up. */
function sameForReplicas(pod: Pod, old: Pod): boolean {
  const ready = podCondition(pod, 'Ready');
  const wasReady = podCondition(old, 'Ready');
  return (
    pod.status?.phase === old.status?.phase &&
    ready?.status === wasReady?.status &&
    ready?.lastTransitionTime === wasReady?.lastTransitionTime &&
    pod.metadata.deletionTimestamp === old.metadata.deletionTimestamp &&
    deepEqual(pod.metadata.labels, old.metadata.labels) &&
    deepEqual(pod.metadata.ownerReferences, old.metadata.ownerReferences)
  );
}

async function reconcile<T extends ReplicaOwner>(all: Replicas<T>, key: string): Promise<ReconcileResult> {
  const found = await all.own.look(key);
  if (!found) return;
  const { owner, settled } = found;
  const owned = await all.own.claim(owner);
  const active = owned.filter(isActive);
  let failure: unknown;
  if (settled && !owner.metadata.deletionTimestamp)
    failure = await manage(all, owner, active).then(
      () => undefined,
      e => e ?? new Error('unknown failure'),
    );
  await writeStatus(all, owner, active, owned.filter(isTerminating).length, failure);
  if (failure !== undefined) throw failure;
  return next(all, owner, active, settled);
}

/** Creates what is missing or deletes what is too much. */
async function manage<T extends ReplicaOwner>(all: Replicas<T>, owner: T, active: Pod[]): Promise<void> {
  const surplus = active.length - (owner.spec?.replicas ?? 1);
  const { own, context } = all;
  if (surplus < 0) {
    const template = owner.spec?.template ?? {};
    await slowStart(Math.min(-surplus, burst), () => own.create(podFromTemplate(template, all.kind, owner), owner));
  } else if (surplus > 0) {
    const rank = relatedPodsPerNode(all, owner);
    const victims = deletionOrder(active, rank, context.clock.now()).slice(0, Math.min(surplus, burst));
    await settleAll(victims.map(pod => own.delete(pod, owner)));
  }
}

/** How many active pods of this owner and its siblings (same controller) are on a pod's node: crowded nodes give first. */
function relatedPodsPerNode<T extends ReplicaOwner>({ owners, own }: Replicas<T>, owner: T): (pod: Pod) => number {
  const parent = owner.metadata.ownerReferences?.find(ref => ref.controller)?.uid;
  const related = parent ? owners.store.byIndex('owner', parent) : [owner];
  const counts = new Map<string, number>();
  for (const each of related) {
    for (const pod of own.pods.store.byIndex('owner', each.metadata.uid ?? '')) {
      const node = pod.spec.nodeName;
      if (node && isActive(pod)) counts.set(node, (counts.get(node) ?? 0) + 1);
    }
  }
  return pod => counts.get(pod.spec.nodeName ?? '') ?? 0;
}

/** The status as these pods make it. */
function replicaStatus(
  owner: ReplicaOwner,
  active: readonly Pod[],
  terminating: number | undefined,
  failure: unknown,
  now: number,
): ReplicaSetStatus {
  const templateLabels = Object.entries(owner.spec?.template?.metadata?.labels ?? {});
  const minReady = owner.spec?.minReadySeconds ?? 0;
  const surplus = active.length - (owner.spec?.replicas ?? 1);
  const old = owner.status?.conditions;
  const failed: ReplicaSetCondition = {
    type: 'ReplicaFailure',
    status: 'True',
    reason: surplus < 0 ? 'FailedCreate' : 'FailedDelete',
    message: messageOf(failure),
  };
  // As upstream: a failure that is known already is not told again.
  const conditions =
    failure === undefined
      ? withoutCondition(old, 'ReplicaFailure')
      : conditionOf(old, 'ReplicaFailure')
        ? (old ?? [])
        : withCondition(old, failed, now);
  const ready = active.filter(isPodReady);
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(p => templateLabels.every(([k, v]) => p.metadata.labels?.[k] === v)).length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter(p => isPodAvailable(p, minReady, now)).length,
    ...(terminating !== undefined && { terminatingReplicas: terminating }),
    ...(owner.metadata.generation !== undefined && { observedGeneration: owner.metadata.generation }),
    ...(conditions.length > 0 && { conditions }),
  };
}

async function writeStatus<T extends ReplicaOwner>(
  all: Replicas<T>,
  owner: T,
  active: readonly Pod[],
  terminating: number,
  failure: unknown,
): Promise<void> {
  const counted = all.countsTerminating ? terminating : undefined;
  const status = replicaStatus(owner, active, counted, failure, all.context.clock.now());
  if (deepEqual(normal(owner.status), normal(status))) return;
  await all.client(owner.metadata.namespace ?? '').updateStatus({ ...owner, status });
}

/** The server leaves out zeros. */
function normal(status: ReplicaSetStatus | undefined): object {
  return Object.fromEntries(Object.entries(status ?? {}).filter(([, v]) => v !== 0 && v !== undefined));
}

/** When to look again without an event. */
function next<T extends ReplicaOwner>(
  all: Replicas<T>,
  owner: T,
  active: readonly Pod[],
  settled: boolean,
): ReconcileResult {
  // The event that settles the ledger asks for the key; this is for the rare case that none does.
  if (!settled) return { requeueAfter: 1_000 };
  const minReady = owner.spec?.minReadySeconds ?? 0;
  if (minReady === 0) return;
  const now = all.context.clock.now();
  const waits = active.map(pod => availableInMs(pod, minReady, now)).filter(ms => ms > 0 && Number.isFinite(ms));
  if (waits.length > 0) return { requeueAfter: Math.min(...waits) };
}
