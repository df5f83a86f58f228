import { keyOf, splitKey } from '../../api/object.ts';
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from '../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isAlreadyExists, isNotFound, messageOf } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import type { Controller, ControllerContext, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { type History, syncHistory, templateOf, truncateHistory } from '../support/history.ts';
import { createOwnedPods, type OwnedPods } from '../support/owned-pods.ts';
import { indexOrphans, selectorFor } from '../support/ownership.ts';
import { isNamespaceTerminating } from '../support/pod-control.ts';
import { availableInMs, isPodAvailable, isPodReady } from '../support/pods.ts';
import { type Claims, createClaims } from './claims.ts';
import { inRange, kind, newPod, ordinalOf, podName, replicasOf } from './identity.ts';
import { planStep, type Revisions, revisionOf } from './plan.ts';

/** pkg/controller/statefulset of v1.35. Pods have fixed names, so that a repeated creation cannot double one. */
export const statefulSetController: Controller = {
  name: 'statefulset-controller',
  aliases: ['statefulset'],
  setUp(context) {
    const { informers } = context;
    const sets = informers.informer('apps/v1/statefulsets');
    const revisions = informers.informer('apps/v1/controllerrevisions');
    const claims = informers.informer('v1/persistentvolumeclaims');
    indexOrphans(revisions);
    const own = createOwnedPods(context, {
      kind,
      owners: sets,
      client: namespace => context.client.statefulsets(namespace),
      selector: set => selectorFor(set.spec.selector),
      accepts: (pod, set) => ordinalOf(set, pod) >= 0,
    });
    const all: Deps = { context, own, revisions, claims: createClaims(context, claims) };
    return {
      // A claim that goes lets its pod be made.
      sources: [
        ...own.sources,
        watch<'v1/persistentvolumeclaims'>(claims, (claim, _old, event) =>
          event === 'delete' ? setsOf(sets, claim) : [],
        ),
      ],
      reconcile: key => reconcile(all, key),
    };
  },
};

/** Sets that have a claim of this name, by how names are made. */
function setsOf(sets: Informer<StatefulSet>, { metadata: { name, namespace = '' } }: PersistentVolumeClaim): string[] {
  const has = (set: StatefulSet) =>
    set.spec.volumeClaimTemplates?.some(claim => name.startsWith(`${claim.metadata.name}-${set.metadata.name}-`));
  return sets.store.byIndex('namespace', namespace).filter(has).map(keyOf);
}

const nameOf = (revision: ControllerRevision): string => revision.metadata.name;

interface Deps {
  readonly context: ControllerContext;
  readonly own: OwnedPods<StatefulSet>;
  readonly revisions: Informer<ControllerRevision>;
  readonly claims: Claims;
}

async function reconcile(all: Deps, key: string): Promise<ReconcileResult> {
  const { context, own } = all;
  const found = await own.look(key);
  if (!found) return;
  const { owner: set, settled } = found;
  const pods = await own.claim(set);
  const dependents = context.client.controllerrevisions(set.metadata.namespace);
  const history = await syncHistory(context.client, kind, set, await own.claimOthers(set, all.revisions, dependents));
  const revisions = revisionsOf(set, history);
  if (!settled) return { requeueAfter: 1_000 };
  let failure: unknown;
  if (!set.metadata.deletionTimestamp)
    failure = await act(all, set, pods, history, revisions).then(
      () => undefined,
      e => e,
    );
  await writeStatus(all, set, pods, revisions, history);
  await truncateHistory(context.client, set, history, inUse(set, pods, history, revisions));
  if (failure !== undefined) throw failure;
  const minReady = set.spec.minReadySeconds ?? 0;
  const waits = pods
    .map(pod => availableInMs(pod, minReady, context.clock.now()))
    .filter(ms => ms > 0 && Number.isFinite(ms));
  if (waits.length > 0) return { requeueAfter: Math.min(...waits) };
}

/** Revisions by name. A set that is new, or whose current revision is lost, has only one. */
function revisionsOf(set: StatefulSet, { all, current }: History): Revisions {
  const update = nameOf(current);
  const known = all.find(r => r.metadata.name === set.status?.currentRevision);
  return { current: known ? nameOf(known) : update, update };
}

function inUse(
  set: StatefulSet,
  pods: readonly Pod[],
  { current }: History,
  revisions: Revisions,
): ReadonlySet<string> {
  const own = [nameOf(current), set.status?.currentRevision ?? '', revisions.current, revisions.update];
  return new Set([...own, ...pods.map(revisionOf)]);
}

async function act(
  all: Deps,
  set: StatefulSet,
  pods: readonly Pod[],
  history: History,
  revisions: Revisions,
): Promise<void> {
  const step = planStep(set, pods, revisions, all.context.clock.now());
  await all.claims.own(set, pods);
  for (const pod of step.fix) await fixIdentity(all, set, pod);
  for (const pod of step.remove) await remove(all, set, pod);
  for (const { ordinal, revision } of step.create)
    if (!all.claims.isStale(set, ordinal)) await create(all, set, history, revision, ordinal);
  // Somebody may have removed a claim before its pod could be scheduled.
  for (const pod of pods)
    if (pod.status?.phase === 'Pending' && !pod.metadata.deletionTimestamp && inRange(set, ordinalOf(set, pod)))
      await all.claims.ensure(set, ordinalOf(set, pod));
}

async function create(
  all: Deps,
  set: StatefulSet,
  history: History,
  revisionName: string,
  ordinal: number,
): Promise<void> {
  const { client, recorder } = all.context;
  const revision = history.all.find(r => nameOf(r) === revisionName) ?? history.current;
  const template = templateOf(revision) ?? set.spec.template;
  const name = podName(set, ordinal);
  try {
    await all.claims.ensure(set, ordinal);
    const made = await client.pods(set.metadata.namespace).create(newPod(set, template, nameOf(revision), ordinal));
    all.own.created(made, set);
    recorder.event(
      set,
      'Normal',
      'SuccessfulCreate',
      `create Pod ${name} in StatefulSet ${set.metadata.name} successful`,
    );
  } catch (e) {
    if (isNamespaceTerminating(e) || isAlreadyExists(e)) return;
    const message = `create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${messageOf(e)}`;
    recorder.event(set, 'Warning', 'FailedCreate', message);
    throw e;
  }
}

async function remove(all: Deps, set: StatefulSet, pod: Pod): Promise<void> {
  const { client, recorder } = all.context;
  const { name, namespace, uid = '' } = pod.metadata;
  try {
    await client.pods(namespace).delete(name, { preconditions: { uid } });
  } catch (e) {
    if (isNotFound(e)) return;
    const message = `delete Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${messageOf(e)}`;
    recorder.event(set, 'Warning', 'FailedDelete', message);
    throw e;
  }
  all.own.deleted(pod, set);
  recorder.event(
    set,
    'Normal',
    'SuccessfulDelete',
    `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`,
  );
}

/** An adopted pod gets the labels of its ordinal. */
async function fixIdentity({ context }: Deps, set: StatefulSet, pod: Pod): Promise<void> {
  const labels = {
    'statefulset.kubernetes.io/pod-name': pod.metadata.name,
    'apps.kubernetes.io/pod-index': String(ordinalOf(set, pod)),
  };
  const { name, namespace } = pod.metadata;
  await context.client.pods(namespace).patch(name, 'merge', { metadata: { labels } });
  const message = `update Pod ${name} in StatefulSet ${set.metadata.name} successful`;
  context.recorder.event(set, 'Normal', 'SuccessfulUpdate', message);
}

/** Counts, and the end of a rollout: when every pod is at the update revision, it becomes the current one. */
function statusOf(
  set: StatefulSet,
  pods: readonly Pod[],
  revisions: Revisions,
  history: History,
  now: number,
): StatefulSetStatus {
  const minReady = set.spec.minReadySeconds ?? 0;
  const live = pods.filter(pod => inRange(set, ordinalOf(set, pod)) || !pod.metadata.deletionTimestamp);
  const at = (name: string) => live.filter(p => revisionOf(p) === name && !p.metadata.deletionTimestamp).length;
  const ready = live.filter(isPodReady);
  const available = live.filter(p => isPodAvailable(p, minReady, now));
  const updated = at(revisions.update);
  const done =
    revisions.current !== revisions.update &&
    updated === live.length &&
    updated === replicasOf(set) &&
    ready.length === replicasOf(set) &&
    (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
  const currentName = done ? revisions.update : revisions.current;
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: live.length,
    readyReplicas: ready.length,
    availableReplicas: available.length,
    currentReplicas: at(currentName),
    updatedReplicas: updated,
    currentRevision: currentName,
    updateRevision: revisions.update,
    collisionCount: history.collisionCount ?? 0,
    ...(set.status?.conditions && { conditions: set.status.conditions }),
  };
}

async function writeStatus(
  all: Deps,
  set: StatefulSet,
  pods: readonly Pod[],
  revisions: Revisions,
  history: History,
): Promise<void> {
  const status = statusOf(set, pods, revisions, history, all.context.clock.now());
  if (deepEqual(normal(set.status), normal(status))) return;
  await all.context.client
    .statefulsets(splitKey(keyOf(set)).namespace)
    .updateStatus({ ...set, status })
    .catch(e => {
      if (!isNotFound(e)) throw e;
    });
}

const normal = (status: StatefulSetStatus | undefined) =>
  Object.fromEntries(Object.entries(status ?? {}).filter(([, v]) => v !== 0 && v !== undefined));
