import { controllerOf, type Draft, keyOf } from '../../api/object.ts';
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isAlreadyExists, isApiError, isConflict, isNotFound, messageOf } from '../../base/errors.ts';
import type { Informer, ResourceClient } from '../../client/contract.ts';
import type { ControllerContext } from '../../controller/contract.ts';
import { atLeast } from '../../controller/ledger.ts';
import { shortHash } from '../support/hash.ts';
import { controllerRef, isNamespaceTerminating } from '../support/pod-control.ts';
import {
  hashLabel,
  revisionAnnotation,
  revisionOf,
  sameTemplate,
  setAnnotations,
  sizeAnnotations,
} from './revisions.ts';
import { newSetReplicas, replicasOf } from './rollout.ts';
import { hasProgressDeadline, progressing, setCondition } from './status.ts';

/** Writes a deployment's ReplicaSets. What it gives back is the server's answer, so that the next decision counts it. */
export interface SetWriter {
  create(d: Deployment, others: readonly ReplicaSet[], revision: number): Promise<ReplicaSet | undefined>;
  refresh(d: Deployment, rs: ReplicaSet, revision: number): Promise<ReplicaSet>;
  scale(d: Deployment, rs: ReplicaSet, replicas: number): Promise<ReplicaSet>;
  setRevision(d: Deployment, revision: number): Promise<Deployment>;
  /**
   * Whether the cache of sets shows all that this process wrote for the deployment. While it does not, sets that seem to have room may have
   * none left, and nothing must be decided.
   */
  settled(d: Deployment): Promise<boolean>;
  /** The deployment is gone. */
  forget(key: string): void;
  /** Deletes old sets beyond the history limit. */
  cleanUp(d: Deployment, old: readonly ReplicaSet[]): Promise<void>;
}

const scalingReason = 'ScalingReplicaSet';

export function createSetWriter(context: ControllerContext, cache: Informer<ReplicaSet>): SetWriter {
  const { client, recorder } = context;
  const sets = (d: Deployment) => client.replicasets(d.metadata.namespace);
  const writes = createWrites(cache);
  const written = (d: Deployment, write: Promise<ReplicaSet>) =>
    write.then(
      rs => writes.note(d, rs),
      e => {
        if (!isApiError(e) || e.code >= 500) writes.doubt(d);
        throw e;
      },
    );
  return {
    async settled(d) {
      if (writes.isInDoubt(d)) {
        const { items } = await sets(d).list();
        for (const rs of items) if (controllerOf(rs)?.uid === d.metadata.uid) writes.note(d, rs);
        writes.trust(d);
      }
      return writes.areShown(d);
    },
    forget: writes.forget,
    async create(d, others, revision) {
      const draft = draftSet(d, others, revision);
      try {
        const made = await written(d, sets(d).create(draft));
        const size = replicasOf(made);
        if (size > 0)
          recorder.event(d, 'Normal', scalingReason, `Scaled up replica set ${made.metadata.name} from 0 to ${size}`);
        return made;
      } catch (e) {
        if (isAlreadyExists(e)) return writes.note(d, await existing(context, d, draft, e));
        if (isNamespaceTerminating(e)) return undefined;
        await creationFailed(context, d, draft, e);
        throw e;
      }
    },
    async refresh(d, rs, revision) {
      const annotations = setAnnotations(d, rs, revision, true);
      const minReadySeconds = d.spec.minReadySeconds ?? 0;
      const same = minReadySeconds === (rs.spec?.minReadySeconds ?? 0);
      if (same && deepEqual(annotations, rs.metadata.annotations ?? {})) return rs;
      const spec = { ...(rs.spec ?? { selector: {} }), minReadySeconds };
      return written(d, updateSpec(sets(d), { ...rs, metadata: { ...rs.metadata, annotations }, spec }));
    },
    async scale(d, rs, replicas) {
      const before = replicasOf(rs);
      const annotations = { ...rs.metadata.annotations, ...sizeAnnotations(d) };
      if (before === replicas && deepEqual(annotations, rs.metadata.annotations)) return rs;
      const spec = { ...(rs.spec ?? { selector: {} }), replicas };
      const scaled = await written(d, updateSpec(sets(d), { ...rs, metadata: { ...rs.metadata, annotations }, spec }));
      const direction = before < replicas ? 'up' : 'down';
      if (before !== replicas) {
        const message = `Scaled ${direction} replica set ${rs.metadata.name} from ${before} to ${replicas}`;
        recorder.event(d, 'Normal', scalingReason, message);
      }
      return scaled;
    },
    async setRevision(d, revision) {
      const annotations = { ...d.metadata.annotations, [revisionAnnotation]: String(revision) };
      return client.deployments(d.metadata.namespace).update({ ...d, metadata: { ...d.metadata, annotations } });
    },
    async cleanUp(d, old) {
      const surplus = old.filter(rs => !rs.metadata.deletionTimestamp).sort((a, b) => revisionOf(a) - revisionOf(b));
      surplus.length = Math.max(0, surplus.length - (d.spec.revisionHistoryLimit ?? 10));
      for (const rs of surplus.filter(isEmpty))
        await sets(d)
          .delete(rs.metadata.name)
          .catch(e => {
            if (!isNotFound(e)) throw e;
          });
    },
  };
}

/** What was written for each deployment that the cache may not show yet. */
function createWrites(cache: Informer<ReplicaSet>) {
  const awaited = new Map<string, Map<string, string>>();
  const inDoubt = new Set<string>();
  return {
    note(d: Deployment, rs: ReplicaSet): ReplicaSet {
      const known = awaited.get(keyOf(d)) ?? new Map<string, string>();
      awaited.set(keyOf(d), known.set(rs.metadata.uid ?? '', rs.metadata.resourceVersion ?? ''));
      return rs;
    },
    /** A write whose answer was lost may have taken effect. */
    doubt: (d: Deployment) => void inDoubt.add(keyOf(d)),
    trust: (d: Deployment) => void inDoubt.delete(keyOf(d)),
    isInDoubt: (d: Deployment) => inDoubt.has(keyOf(d)),
    areShown(d: Deployment): boolean {
      for (const [uid, revision] of awaited.get(keyOf(d)) ?? []) {
        const shown = cache.store.byIndex('uid', uid)[0]?.metadata.resourceVersion ?? '';
        if (!atLeast(shown, revision) && !atLeast(cache.revision, revision)) return false;
      }
      awaited.delete(keyOf(d));
      return true;
    },
    forget(key: string): void {
      awaited.delete(key);
      inDoubt.delete(key);
    },
  };
}

/**
 * What decisions are made by is the set's spec, and its generation tells whether that is as it was. Its status changes with every pod that
 * becomes ready, which must not send the deployment back to the start each time; but a set that shrinks does so by what it had available.
 */
async function updateSpec(sets: ResourceClient<ReplicaSet>, rs: ReplicaSet): Promise<ReplicaSet> {
  let current = rs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await sets.update(current);
    } catch (e) {
      if (!isConflict(e) || attempt === 5) throw e;
      const live = await sets.get(rs.metadata.name);
      const { uid, generation, ownerReferences, deletionTimestamp } = live.metadata;
      const same =
        uid === rs.metadata.uid &&
        generation === rs.metadata.generation &&
        deepEqual(ownerReferences, rs.metadata.ownerReferences) &&
        (replicasOf(rs) >= replicasOf(live) || live.status?.availableReplicas === rs.status?.availableReplicas);
      if (!same || deletionTimestamp) throw e;
      const annotations = { ...live.metadata.annotations, ...rs.metadata.annotations };
      current = { ...live, metadata: { ...live.metadata, annotations }, ...(rs.spec && { spec: rs.spec }) };
    }
  }
}

function isEmpty(rs: ReplicaSet): boolean {
  const observed = (rs.status?.observedGeneration ?? 0) >= (rs.metadata.generation ?? 0);
  return observed && replicasOf(rs) === 0 && !rs.status?.replicas;
}

function draftSet(d: Deployment, others: readonly ReplicaSet[], revision: number): Draft<ReplicaSet> {
  const hash = shortHash(d.spec.template, d.status?.collisionCount);
  const template = d.spec.template;
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  const { selector } = d.spec;
  return {
    metadata: {
      name: `${d.metadata.name}-${hash}`,
      namespace: d.metadata.namespace ?? '',
      labels,
      annotations: setAnnotations(d, {}, revision, false),
      ownerReferences: [controllerRef({ apiVersion: 'apps/v1', kind: 'Deployment' }, d)],
    },
    spec: {
      replicas: newSetReplicas(d, others, 0),
      minReadySeconds: d.spec.minReadySeconds ?? 0,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

/** The name is taken: by our own set that the cache does not show yet, or by another template with the same hash. */
async function existing(context: ControllerContext, d: Deployment, draft: Draft<ReplicaSet>, error: unknown) {
  const { client } = context;
  const { namespace } = d.metadata;
  const found = await client.replicasets(namespace).get(draft.metadata.name ?? '');
  const owner = found.metadata.ownerReferences?.find(ref => ref.controller);
  if (owner?.uid === d.metadata.uid && sameTemplate(found.spec?.template, d.spec.template)) return found;
  const collisionCount = (d.status?.collisionCount ?? 0) + 1;
  await client.deployments(namespace).updateStatus({ ...d, status: { ...d.status, collisionCount } });
  throw error;
}

async function creationFailed(
  context: ControllerContext,
  d: Deployment,
  draft: Draft<ReplicaSet>,
  error: unknown,
): Promise<void> {
  const message = `Failed to create new replica set "${draft.metadata.name}": ${messageOf(error)}`;
  context.recorder.event(d, 'Warning', 'ReplicaSetCreateError', message);
  if (!hasProgressDeadline(d)) return;
  const condition = progressing('False', 'ReplicaSetCreateError', message);
  const status = setCondition(d.status ?? {}, condition, context.clock.now());
  if (status === d.status) return;
  await context.client
    .deployments(d.metadata.namespace)
    .updateStatus({ ...d, status })
    .catch(e => context.log.debug('The failure could not be written', { error: messageOf(e) }));
}
