/** Revisions of a template as ControllerRevisions: pkg/controller/history of v1.35. */

import type { KubeObject } from '../../api/object.ts';
import type { ControllerRevision } from '../../api/types/apps-v1.ts';
import type { PodTemplateSpec } from '../../api/types/core-v1.ts';
import type { LabelSelector } from '../../api/types/meta-v1.ts';
import type { JsonValue } from '../../api/types/scalars.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isAlreadyExists, isNotFound } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import { shortHash } from './hash.ts';
import { controllerRef, type OwnerKind } from './pod-control.ts';

/** On pods: which revision they are of. Daemons carry the revision's hash, replicas of a StatefulSet its name. */
export const revisionHashLabel = 'controller-revision-hash';
/** On the revisions of StatefulSets. */
const historyHashLabel = 'controller.kubernetes.io/hash';

export interface Templated extends KubeObject {
  spec: { template: PodTemplateSpec; selector: LabelSelector; revisionHistoryLimit?: number };
  status?: { collisionCount?: number };
}
export interface History {
  /** The revision of the template as it is now. */
  readonly current: ControllerRevision;
  /** All, oldest first. */
  readonly all: readonly ControllerRevision[];
  /** Set when a name was taken by another template: to be written to the status. */
  readonly collisionCount: number | undefined;
}

const revisionData = (template: PodTemplateSpec): ControllerRevision['data'] =>
  ({ spec: { template: { ...template, $patch: 'replace' } } }) as unknown as Record<string, JsonValue>;

/** The template that a revision holds. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec | undefined {
  const spec = revision.data?.['spec'] as { template?: PodTemplateSpec & { $patch?: string } } | undefined;
  if (!spec?.template) return undefined;
  const { $patch: _patch, ...template } = spec.template;
  return template;
}

/** Finds the revision of the owner's template, raises it to the newest, or makes it. */
export async function syncHistory(
  client: Client,
  kind: OwnerKind,
  owner: Templated,
  owned: readonly ControllerRevision[],
): Promise<History> {
  const all = [...owned].sort(byRevision);
  const data = revisionData(owner.spec.template);
  const next = (all.at(-1)?.revision ?? 0) + 1;
  const same = all.findLast(r => deepEqual(r.data, data));
  const revisions = client.controllerrevisions(owner.metadata.namespace);
  if (same) {
    if (same === all.at(-1)) return { current: same, all, collisionCount: owner.status?.collisionCount };
    // A template came back: its revision becomes the newest.
    const raised = await revisions.update({ ...same, revision: next });
    return {
      current: raised,
      all: [...all.filter(r => r !== same), raised],
      collisionCount: owner.status?.collisionCount,
    };
  }
  let { collisionCount } = owner.status ?? {};
  for (;;) {
    const hash = shortHash(data, collisionCount);
    const name = `${owner.metadata.name}-${hash}`;
    const labels = {
      ...owner.spec.template.metadata?.labels,
      ...owner.spec.selector.matchLabels,
      [kind.kind === 'StatefulSet' ? historyHashLabel : revisionHashLabel]: hash,
    };
    const metadata = {
      name,
      namespace: owner.metadata.namespace ?? '',
      labels,
      // Among them the cause of the change, which `kubectl rollout history` shows.
      ...(owner.metadata.annotations && { annotations: owner.metadata.annotations }),
      ownerReferences: [controllerRef(kind, owner)],
    };
    try {
      const made = await revisions.create({ metadata, ...(data && { data }), revision: next });
      return { current: made, all: [...all, made], collisionCount };
    } catch (e) {
      if (!isAlreadyExists(e)) throw e;
      const found = await revisions.get(name);
      if (deepEqual(found.data, data))
        return { current: found, all: [...all.filter(r => r.metadata.name !== name), found], collisionCount };
      collisionCount = (collisionCount ?? 0) + 1;
    }
  }
}

const byRevision = (a: ControllerRevision, b: ControllerRevision) =>
  a.revision - b.revision || ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1);

/** Deletes the oldest revisions beyond the limit that nothing uses. */
export async function truncateHistory(
  client: Client,
  owner: Templated,
  { all }: History,
  inUse: ReadonlySet<string>,
): Promise<void> {
  const unused = all.filter(r => !inUse.has(r.metadata.name));
  const surplus = unused.length - (owner.spec.revisionHistoryLimit ?? 10);
  for (const revision of unused.slice(0, Math.max(0, surplus)))
    await client
      .controllerrevisions(owner.metadata.namespace)
      .delete(revision.metadata.name)
      .catch(e => {
        if (!isNotFound(e)) throw e;
      });
}

/** The value of the hash label for a revision: its own label, or, for those of older versions, its name. */
export const hashOf = (revision: ControllerRevision): string =>
  revision.metadata.labels?.[revisionHashLabel] ?? revision.metadata.name;
