/** How a job sees one of its pods. */
import type { Draft } from '../../api/object.ts';
import type { Job } from '../../api/types/batch-v1.ts';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { podFromTemplate } from '../support/pod-control.ts';

export const kind = { apiVersion: 'batch/v1', kind: 'Job' };
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
const indexAnnotation = 'batch.kubernetes.io/job-completion-index';
const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count';

export const isIndexed = (job: Job): boolean => job.spec?.completionMode === 'Indexed';
export const hasTracking = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) === true;
/** -1 for a pod without a valid one. */
export function indexOf(pod: Pod): number {
  const text = pod.metadata.annotations?.[indexAnnotation] ?? '';
  return /^\d+$/.test(text) ? Number(text) : -1;
}
export const succeeded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded';

/** Pods are replaced only when they have failed for good. */
export const replacesFailedOnly = (job: Job): boolean =>
  (job.spec?.podReplacementPolicy ?? (job.spec?.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed')) === 'Failed';

/** A pod that is being deleted counts as failed already, unless the job waits for its end. */
export function failed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  return pod.metadata.deletionTimestamp !== undefined && !succeeded(pod) && !replacesFailedOnly(job);
}

/** How often this pod's index had failed before it was made. */
export const failuresBefore = (pod: Pod): number =>
  Number(pod.metadata.annotations?.[failureCountAnnotation] ?? 0) || 0;

/** When the pod ended, for back-off; the latest of its containers, else when it was told to go or made. */
export function endedAt(pod: Pod, now: number): number {
  const times = (pod.status?.containerStatuses ?? []).map(c => Date.parse(c.state?.terminated?.finishedAt ?? ''));
  const known = times.filter(t => !Number.isNaN(t));
  return known.length > 0 ? Math.max(...known) : now;
}

export function newPod(job: Job, index: number | undefined, failures: number): Draft<Pod> {
  const pod = podFromTemplate(job.spec?.template ?? {}, kind, job);
  const finalizers = [...new Set([...(pod.metadata.finalizers ?? []), trackingFinalizer])];
  if (index === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers } };
  const { name } = job.metadata;
  const counted = job.spec?.backoffLimitPerIndex !== undefined ? { [failureCountAnnotation]: String(failures) } : {};
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      finalizers,
      generateName: `${name}-${index}-`,
      annotations: { ...pod.metadata.annotations, [indexAnnotation]: String(index), ...counted },
      labels: { ...pod.metadata.labels, [indexAnnotation]: String(index) },
    },
    spec: {
      ...pod.spec,
      hostname: `${name}-${index}`.slice(0, 63),
      containers: pod.spec.containers.map(withIndex),
      ...(pod.spec.initContainers && { initContainers: pod.spec.initContainers.map(withIndex) }),
    },
  };
}

function withIndex(container: Container): Container {
  const name = 'JOB_COMPLETION_INDEX';
  if (container.env?.some(e => e.name === name)) return container;
  const fieldPath = `metadata.labels['${indexAnnotation}']`;
  return { ...container, env: [...(container.env ?? []), { name, valueFrom: { fieldRef: { fieldPath } } }] };
}
