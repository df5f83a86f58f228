import { keyOf, splitKey } from '../../api/object.ts';
import type { Deployment, DeploymentStatus, ReplicaSet } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import type { Controller, ControllerContext, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { conditionOf } from '../support/conditions.ts';
import { claim, indexOrphans, ownerKeys, selectorFor } from '../support/ownership.ts';
import { isFinished } from '../support/pods.ts';
import { findNewSet, nextRevision, revisionOf } from './revisions.ts';
import {
  desiredReplicas,
  desiredReplicasAnnotation,
  isRolling,
  newSetReplicas,
  proportional,
  replicasOf,
  scaleDownOld,
} from './rollout.ts';
import { createSetWriter, type SetWriter } from './sets.ts';
import {
  countedStatus,
  hasProgressDeadline,
  isComplete,
  progressDeadlineIn,
  progressing,
  rolloutStatus,
  setCondition,
} from './status.ts';

const kind = { apiVersion: 'apps/v1', kind: 'Deployment' };
/** The cache's next news of a set asks again, too. */
const unsettledMs = 1_000;

/** pkg/controller/deployment of v1.35. Works on ReplicaSets only; each write carries the resourceVersion that the decision was made on. */
export const deploymentController: Controller = {
  name: 'deployment-controller',
  aliases: ['deployment'],
  setUp(context) {
    const { informers } = context;
    const deployments = informers.informer('apps/v1/deployments');
    const sets = informers.informer('apps/v1/replicasets');
    const pods = informers.informer('v1/pods');
    indexOrphans(sets);
    const all: Deps = { context, deployments, sets, pods, writer: createSetWriter(context, sets) };
    return {
      sources: [
        watch<'apps/v1/deployments'>(deployments, d => [keyOf(d)]),
        watch<'apps/v1/replicasets'>(
          sets,
          ownerKeys(kind, deployments, d => selectorFor(d.spec.selector)),
        ),
        // A Recreate rollout waits for the last old pod to go.
        watch<'v1/pods'>(pods, (pod, _old, event) => (event === 'delete' ? recreating(all, pod) : [])),
      ],
      reconcile: key => reconcile(all, key),
    };
  },
};

interface Deps {
  readonly context: ControllerContext;
  readonly deployments: Informer<Deployment>;
  readonly sets: Informer<ReplicaSet>;
  readonly pods: Informer<Pod>;
  readonly writer: SetWriter;
}
/** One deployment as the caches have it. */
interface View {
  readonly d: Deployment;
  readonly newSet: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
}
const setsOf = ({ newSet, old }: View): readonly ReplicaSet[] => (newSet ? [...old, newSet] : old);

function recreating({ sets, deployments }: Deps, pod: Pod): string[] {
  const owner = pod.metadata.ownerReferences?.find(ref => ref.controller && ref.kind === 'ReplicaSet');
  const rs = owner && sets.store.byIndex('uid', owner.uid)[0];
  const parent = rs?.metadata.ownerReferences?.find(ref => ref.controller);
  const d = parent && deployments.store.byIndex('uid', parent.uid)[0];
  return d && !isRolling(d) ? [keyOf(d)] : [];
}

async function reconcile(all: Deps, key: string): Promise<ReconcileResult> {
  const { context, deployments, sets } = all;
  const d = deployments.store.get(key);
  if (!d) return all.writer.forget(key);
  if (!(await all.writer.settled(d))) return { requeueAfter: unsettledMs };
  const { namespace, name } = splitKey(key);
  const selector = selectorFor(d.spec.selector);
  if (selector.everything) return refuseSelector(all, d);
  const owned = await claim<ReplicaSet>({
    kind,
    owner: d,
    selector,
    informer: sets,
    client: context.client.replicasets(namespace),
    fresh: () => context.client.deployments(namespace).get(name),
  });
  const newSet = findNewSet(d, owned);
  const view: View = { d, newSet, old: owned.filter(rs => rs !== newSet) };
  if (d.metadata.deletionTimestamp) return writeStatus(all, d, counted(all, view));
  const paused = pausedStatus(all, d);
  if (paused) return writeStatus(all, d, paused);
  if (d.spec.paused || isScalingEvent(d, owned)) return resize(all, await syncRevision(all, view, false));
  return isRolling(d) ? rollOut(all, view) : recreate(all, view);
}

async function refuseSelector(all: Deps, d: Deployment): Promise<void> {
  const message = 'This deployment is selecting all pods. A non-empty selector is required.';
  all.context.recorder.event(d, 'Warning', 'SelectingAll', message);
  const { generation = 0 } = d.metadata;
  if ((d.status?.observedGeneration ?? 0) < generation)
    await writeStatus(all, d, { ...d.status, observedGeneration: generation });
}

const counted = ({ context }: Deps, view: View): DeploymentStatus =>
  countedStatus(view.d, setsOf(view), view.newSet, context.clock.now());

/** Time spent paused must not count as lack of progress. */
function pausedStatus({ context }: Deps, d: Deployment): DeploymentStatus | undefined {
  if (!hasProgressDeadline(d)) return undefined;
  const current = conditionOf(d.status?.conditions, 'Progressing');
  const known = current?.reason === 'DeploymentPaused';
  if (current?.reason === 'ProgressDeadlineExceeded' || Boolean(d.spec.paused) === known) return undefined;
  const condition = d.spec.paused
    ? progressing('Unknown', 'DeploymentPaused', 'Deployment is paused')
    : progressing('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  return setCondition(d.status ?? {}, condition, context.clock.now());
}

/**
 * The size was changed since the sets were last scaled. Only of interest to rolling updates: upstream also resizes a deployment that
 * recreates, which does nothing, for ever, once several of its sets have pods.
 */
function isScalingEvent(d: Deployment, sets: readonly ReplicaSet[]): boolean {
  if (!isRolling(d)) return false;
  return sets.some(rs => {
    const desired = rs.metadata.annotations?.[desiredReplicasAnnotation];
    return replicasOf(rs) > 0 && desired !== undefined && Number(desired) !== desiredReplicas(d);
  });
}

/** Brings the new set's revision and annotations up to date; with `create`, makes the set when there is none. */
async function syncRevision(all: Deps, view: View, create: boolean): Promise<View> {
  const { d, old } = view;
  const revision = nextRevision(old);
  const newSet = view.newSet
    ? await all.writer.refresh(d, view.newSet, revision)
    : create
      ? await all.writer.create(d, setsOf(view), revision)
      : undefined;
  if (!newSet) return view;
  const annotated = revisionOf(d) === revisionOf(newSet) ? d : await all.writer.setRevision(d, revisionOf(newSet));
  const status = startOfProgress(all, d, newSet, view.newSet === undefined);
  return { d: { ...annotated, ...(status && { status }) }, newSet, old };
}

/** The progress deadline counts from when the new set was made, or first noticed. */
function startOfProgress({ context }: Deps, d: Deployment, newSet: ReplicaSet, created: boolean) {
  const known = conditionOf(d.status?.conditions, 'Progressing');
  if (!hasProgressDeadline(d) || (known && !created)) return d.status;
  const { name } = newSet.metadata;
  const condition = created
    ? progressing('True', 'NewReplicaSetCreated', `Created new replica set "${name}"`)
    : progressing('True', 'FoundNewReplicaSet', `Found new replica set "${name}"`);
  return setCondition(d.status ?? {}, condition, context.clock.now());
}

/** Paused, or resized in the middle of a rollout. */
async function resize(all: Deps, view: View): Promise<ReconcileResult> {
  const { d, newSet, old } = view;
  const desired = desiredReplicas(d);
  const active = setsOf(view).filter(rs => replicasOf(rs) > 0);
  const newest = newSet ?? [...old].sort((a, b) => revisionOf(b) - revisionOf(a))[0];
  const only = active.length === 0 ? newest : active.length === 1 ? active[0] : undefined;
  let next = view;
  if (only) next = await scaleAll(all, view, [{ set: only, replicas: desired }]);
  else if (newSet && isSaturated(d, newSet))
    next = await scaleAll(
      all,
      view,
      active.filter(rs => rs !== newSet).map(set => ({ set, replicas: 0 })),
    );
  else if (isRolling(d)) next = await scaleAll(all, view, proportional(d, active));
  if (d.spec.paused) await all.writer.cleanUp(d, next.old);
  return writeStatus(all, d, counted(all, next));
}

function isSaturated(d: Deployment, rs: ReplicaSet): boolean {
  const desired = desiredReplicas(d);
  const annotated = Number(rs.metadata.annotations?.[desiredReplicasAnnotation]);
  return annotated === desired && replicasOf(rs) === desired && rs.status?.availableReplicas === desired;
}

async function scaleAll(
  all: Deps,
  view: View,
  scalings: readonly { set: ReplicaSet; replicas: number }[],
): Promise<View> {
  const written = new Map<ReplicaSet, ReplicaSet>();
  for (const { set, replicas } of scalings) written.set(set, await all.writer.scale(view.d, set, replicas));
  return {
    d: view.d,
    newSet: view.newSet && (written.get(view.newSet) ?? view.newSet),
    old: view.old.map(rs => written.get(rs) ?? rs),
  };
}

async function rollOut(all: Deps, before: View): Promise<ReconcileResult> {
  let view = await syncRevision(all, before, true);
  const { d, newSet } = view;
  if (!newSet) return;
  const wanted = newSetReplicas(d, setsOf(view), replicasOf(newSet));
  if (wanted !== replicasOf(newSet)) view = await scaleAll(all, view, [{ set: newSet, replicas: wanted }]);
  else view = await scaleAll(all, view, scaleDownOld(d, newSet, view.old));
  if (isComplete(d, d.status)) await all.writer.cleanUp(d, view.old);
  return finish(all, view);
}

/** All old pods go before the first new one comes. */
async function recreate(all: Deps, before: View): Promise<ReconcileResult> {
  let view = await syncRevision(all, before, false);
  const active = view.old.filter(rs => replicasOf(rs) > 0);
  if (active.length > 0)
    return finish(
      all,
      await scaleAll(
        all,
        view,
        active.map(set => ({ set, replicas: 0 })),
      ),
    );
  if (view.old.some(rs => hasPods(all, rs))) return finish(all, view);
  if (!view.newSet) view = await syncRevision(all, view, true);
  const { d, newSet } = view;
  if (!newSet) return;
  view = await scaleAll(all, view, [{ set: newSet, replicas: desiredReplicas(d) }]);
  if (isComplete(d, d.status)) await all.writer.cleanUp(d, view.old);
  return finish(all, view);
}

function hasPods({ pods }: Deps, rs: ReplicaSet): boolean {
  return pods.store.byIndex('owner', rs.metadata.uid ?? '').some(pod => !isFinished(pod));
}

async function finish(all: Deps, view: View): Promise<ReconcileResult> {
  const now = all.context.clock.now();
  const status = rolloutStatus(view.d, setsOf(view), view.newSet, now);
  await writeStatus(all, view.d, status);
  if (isComplete(view.d, status)) return;
  const left = progressDeadlineIn(view.d, status, now);
  // Time stamps are whole seconds, so a second more makes sure that the deadline is past.
  if (left !== undefined && left > 0) return { requeueAfter: left + 1_000 };
}

async function writeStatus(all: Deps, d: Deployment, status: DeploymentStatus): Promise<void> {
  // `d` may carry conditions that were not written yet; what counts is the status that the server has.
  const known = all.deployments.store.get(keyOf(d)) ?? d;
  if (deepEqual(withoutZeros(known.status), withoutZeros(status))) return;
  const client = all.context.client.deployments(d.metadata.namespace);
  await client.updateStatus({ ...d, status }).catch(e => {
    if (!isNotFound(e)) throw e;
  });
}

const isNothing = (v: unknown) => v === 0 || v === undefined || (Array.isArray(v) && v.length === 0);
const withoutZeros = (status: DeploymentStatus | undefined) =>
  Object.fromEntries(Object.entries(status ?? {}).filter(([, v]) => !isNothing(v)));
