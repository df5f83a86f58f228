/** How a job sees one of its pods. */
import type { Draft } from '../../api/object.ts';
import type { Job } from '../../api/types/batch-v1.ts';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { podFromTemplate } from '../support/pod-control.ts';
import { podCondition } from '../support/pods.ts';

export const kind = { apiVersion: 'batch/v1', kind: 'Job' };
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
const indexAnnotation = 'batch.kubernetes.io/job-completion-index';
const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count';
const ignoredCountAnnotation = 'batch.kubernetes.io/job-index-ignored-failure-count';

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

const count = (pod: Pod, annotation: string): number => {
  const text = pod.metadata.annotations?.[annotation] ?? '';
  return /^\d{1,10}$/.test(text) ? Number(text) : 0;
};

/** What became of a pod's index before it was made: failures that count towards the limit per index, and those that a policy ignored. */
export interface IndexFailures {
  readonly counted: number;
  readonly ignored: number;
}
export const failuresBefore = (pod: Pod): IndexFailures => ({
  counted: count(pod, failureCountAnnotation),
  ignored: count(pod, ignoredCountAnnotation),
});

/** When the pod ended, for back-off: upstream's getFinishedTime. In milliseconds since the epoch. */
export function endedAt(pod: Pod): number {
  const { metadata, spec, status } = pod;
  const sidecars = new Set((spec.initContainers ?? []).filter(c => c.restartPolicy === 'Always').map(c => c.name));
  const running = (status?.initContainerStatuses ?? []).filter(c => sidecars.has(c.name));
  const ends = [...(status?.containerStatuses ?? []), ...running].map(c =>
    Date.parse(c.state?.terminated?.finishedAt ?? ''),
  );
  if (ends.length > 0 && !ends.some(Number.isNaN)) return Math.max(...ends);
  const ready = podCondition(pod, 'Ready');
  if (ready?.status === 'False' && ready.lastTransitionTime) return Date.parse(ready.lastTransitionTime);
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp = '' } = metadata;
  if (deletionTimestamp) return Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  return Date.parse(creationTimestamp);
}

/** What the server leaves of a generated name's prefix. */
const maxPrefix = 58;

export function newPod(job: Job, index: number | undefined, failures: IndexFailures): Draft<Pod> {
  const pod = podFromTemplate(job.spec?.template ?? {}, kind, job);
  const finalizers = [...new Set([...(pod.metadata.finalizers ?? []), trackingFinalizer])];
  if (index === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers } };
  const { name } = job.metadata;
  const suffix = `-${index}-`;
  const perIndex = job.spec?.backoffLimitPerIndex !== undefined;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      finalizers,
      generateName: `${name.slice(0, maxPrefix - suffix.length)}${suffix}`,
      annotations: {
        ...pod.metadata.annotations,
        [indexAnnotation]: String(index),
        ...(perIndex && { [failureCountAnnotation]: String(failures.counted) }),
        ...(perIndex && failures.ignored > 0 && { [ignoredCountAnnotation]: String(failures.ignored) }),
      },
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
