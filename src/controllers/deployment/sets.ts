import { controllerOf, type Draft } from '../../api/object.ts';
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isAlreadyExists, isConflict, isNotFound, messageOf } from '../../base/errors.ts';
import type { ResourceClient } from '../../client/contract.ts';
import type { ControllerContext } from '../../controller/contract.ts';
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
import { isRolling, newSetReplicas, replicasOf } from './rollout.ts';
import { hasProgressDeadline, progressing, setCondition } from './status.ts';

/** Writes a deployment's ReplicaSets. What it gives back is the server's answer, so that the next decision counts it. */
export interface SetWriter {
  create(d: Deployment, others: readonly ReplicaSet[], revision: number): Promise<ReplicaSet | undefined>;
  refresh(d: Deployment, rs: ReplicaSet, revision: number): Promise<ReplicaSet>;
  scale(d: Deployment, rs: ReplicaSet, replicas: number): Promise<ReplicaSet>;
  setRevision(d: Deployment, revision: number): Promise<Deployment>;
  /** Asks the server whether a set with pods is missing among the known ones, because the cache is behind. */
  missesActive(d: Deployment, known: readonly ReplicaSet[]): Promise<boolean>;
  /** Deletes old sets beyond the history limit. */
  cleanUp(d: Deployment, old: readonly ReplicaSet[]): Promise<void>;
}

const scalingReason = 'ScalingReplicaSet';

export function createSetWriter(context: ControllerContext): SetWriter {
  const { client, recorder } = context;
  const sets = (d: Deployment) => client.replicasets(d.metadata.namespace);
  /** Asked of the server, once per rollout: a set that the cache does not show yet would make another one too large. */
  const siblings = async (d: Deployment): Promise<readonly ReplicaSet[]> => {
    const { items } = await sets(d).list();
    return items.filter(rs => controllerOf(rs)?.uid === d.metadata.uid);
  };
  return {
    async create(d, others, revision) {
      const draft = draftSet(d, isRolling(d) ? await siblings(d) : others, revision);
      try {
        const made = await sets(d).create(draft);
        const size = replicasOf(made);
        if (size > 0)
          recorder.event(d, 'Normal', scalingReason, `Scaled up replica set ${made.metadata.name} from 0 to ${size}`);
        return made;
      } catch (e) {
        if (isAlreadyExists(e)) return existing(context, d, draft, e);
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
      return updateSpec(sets(d), { ...rs, metadata: { ...rs.metadata, annotations }, spec });
    },
    async scale(d, rs, replicas) {
      const before = replicasOf(rs);
      const annotations = { ...rs.metadata.annotations, ...sizeAnnotations(d) };
      if (before === replicas && deepEqual(annotations, rs.metadata.annotations)) return rs;
      const spec = { ...(rs.spec ?? { selector: {} }), replicas };
      const written = await updateSpec(sets(d), { ...rs, metadata: { ...rs.metadata, annotations }, spec });
      const direction = before < replicas ? 'up' : 'down';
      if (before !== replicas) {
        const message = `Scaled ${direction} replica set ${rs.metadata.name} from ${before} to ${replicas}`;
        recorder.event(d, 'Normal', scalingReason, message);
      }
      return written;
    },
    async missesActive(d, known) {
      const uids = new Set(known.map(rs => rs.metadata.uid));
      return (await siblings(d)).some(rs => !uids.has(rs.metadata.uid) && replicasOf(rs) > 0);
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

/**
 * What decisions are made by is the set's spec, and its generation tells whether that is as it was. Its status changes with every pod that
 * becomes ready, which must not send the deployment back to the start each time.
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
        deepEqual(ownerReferences, rs.metadata.ownerReferences);
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
