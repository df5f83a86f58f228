import type { Draft, KubeObject } from '../../api/object.ts';
import type { Pod, PodTemplateSpec } from '../../api/types/core-v1.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import { isApiError, isNotFound, messageOf } from '../../base/errors.ts';
import type { Client, EventRecorder } from '../../client/contract.ts';

/** What identifies a kind of owner. */
export interface OwnerKind {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The reference that makes `owner` the managing controller. */
export function controllerRef({ apiVersion, kind }: OwnerKind, owner: KubeObject): OwnerReference {
  const { name, uid = '' } = owner.metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** A pod from a template: upstream's GetPodFromTemplate. Names are the parent's with a suffix that the server makes. */
export function podFromTemplate(template: PodTemplateSpec, kind: OwnerKind, owner: KubeObject): Draft<Pod> {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const { name, namespace = '' } = owner.metadata;
  return {
    metadata: {
      // A longer prefix is cut by the server; the dash stays what separates the suffix.
      generateName: `${name}-`,
      namespace,
      labels: { ...labels },
      annotations: { ...annotations },
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [controllerRef(kind, owner)],
    },
    spec: template.spec ?? { containers: [] },
  };
}

/** Writes pods on behalf of an owner and tells it by events. */
export interface PodControl {
  create(pod: Draft<Pod>, owner: KubeObject): Promise<Pod>;
  /** A pod that is gone already counts as deleted. */
  delete(pod: Pod, owner: KubeObject): Promise<void>;
}

export function createPodControl(client: Client, recorder: EventRecorder): PodControl {
  return {
    async create(pod, owner) {
      try {
        const created = await client.pods(owner.metadata.namespace).create(pod);
        recorder.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
        return created;
      } catch (e) {
        if (!isNamespaceTerminating(e))
          recorder.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(e)}`);
        throw e;
      }
    },
    async delete(pod, owner) {
      const { name, namespace, uid } = pod.metadata;
      try {
        await client.pods(namespace).delete(name, uid ? { preconditions: { uid } } : {});
      } catch (e) {
        if (isNotFound(e)) return;
        recorder.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(e)}`);
        throw e;
      }
      recorder.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    },
  };
}

/** Creating in a namespace that is going away is refused, and retrying would not help. */
export function isNamespaceTerminating(e: unknown): boolean {
  return isApiError(e) && (e.status.details?.causes ?? []).some(c => c.reason === 'NamespaceTerminating');
}

/**
 * Runs `fn` up to `count` times: once, then two at a time, then four, and so on, and stops after a batch in which one failed, so that a
 * quota or a webhook that refuses is not asked hundreds of times. Throws the first failure.
 */
export async function slowStart(count: number, fn: (index: number) => Promise<void>): Promise<void> {
  let done = 0;
  for (let batch = 1; done < count; batch *= 2) {
    const size = Math.min(batch, count - done);
    const first = done;
    await settleAll(Array.from({ length: size }, (_, i) => fn(first + i)));
    done += size;
  }
}

/** Waits for all, then throws the first failure. */
export async function settleAll(promises: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
