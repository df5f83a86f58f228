/** Names, labels and annotations that the kubelet puts on sandboxes and containers, as upstream's pkg/kubelet/types. */
import type { Container, EphemeralContainer, Pod } from '../../api/types/core-v1.ts';

export const podNameLabel = 'io.kubernetes.pod.name';
export const podNamespaceLabel = 'io.kubernetes.pod.namespace';
export const podUidLabel = 'io.kubernetes.pod.uid';
export const containerNameLabel = 'io.kubernetes.container.name';
export const hashAnnotation = 'io.kubernetes.container.hash';
export const restartCountAnnotation = 'io.kubernetes.container.restartCount';
export const terminationPathAnnotation = 'io.kubernetes.container.terminationMessagePath';
export const terminationPolicyAnnotation = 'io.kubernetes.container.terminationMessagePolicy';
export const gracePeriodAnnotation = 'io.kubernetes.pod.terminationGracePeriod';
/** The resources a container was started with, for runtimes that do not tell. */
export const resourcesAnnotation = 'tsukube.io/resources';
export const configSourceAnnotation = 'kubernetes.io/config.source';
export const configHashAnnotation = 'kubernetes.io/config.hash';
export const configMirrorAnnotation = 'kubernetes.io/config.mirror';
export const configSeenAnnotation = 'kubernetes.io/config.seen';

/** An ephemeral container runs like any other once it is there. */
export type AnyContainer = Container | EphemeralContainer;

/** A pod as messages name it: `name_namespace(uid)`. */
export const formatPod = (pod: Pod): string =>
  `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid ?? ''})`;

export const uidOf = (pod: Pod): string => pod.metadata.uid ?? '';

/** Static pods are known by the hash of their file, also after the API server gave the mirror pod a uid of its own. */
export const isStaticPod = (pod: Pod): boolean => {
  const source = pod.metadata.annotations?.[configSourceAnnotation];
  return source !== undefined && source !== 'api';
};
export const isMirrorPod = (pod: Pod): boolean => pod.metadata.annotations?.[configMirrorAnnotation] !== undefined;

export const isSidecar = (container: AnyContainer): boolean =>
  'restartPolicy' in container && container.restartPolicy === 'Always';

/** `<namespace>_<name>_<uid>`: the pod's folder under the log root. */
export const podLogFolder = (pod: Pod): string =>
  `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid ?? ''}`;

/** FNV-1a over the parts of a container whose change makes the kubelet restart it: today only the image (and its name). */
export function containerHash(container: AnyContainer): string {
  let hash = 0x811c9dc5;
  for (const char of JSON.stringify([container.name, container.image])) {
    hash ^= char.charCodeAt(0);
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash.toString(16);
}

export const hashAnnotationOf = (annotations: Record<string, string>): string | undefined =>
  annotations[hashAnnotation];

/** Where a container stands in its pod, as events name it: `spec.containers{app}`. */
export function containerPath(pod: Pod, name: string): string | undefined {
  const lists = ['containers', 'initContainers', 'ephemeralContainers'] as const;
  const list = lists.find(l => pod.spec[l]?.some(c => c.name === name));
  return list && `spec.${list}{${name}}`;
}

export const allContainers = (pod: Pod): AnyContainer[] => [
  ...(pod.spec.initContainers ?? []),
  ...pod.spec.containers,
  ...(pod.spec.ephemeralContainers ?? []),
];
