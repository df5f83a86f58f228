/** A pod as the scheduler sees it: the object, and what is computed from it once. */
import { keyOf } from '../../api/object.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { type PodRequests, podRequests } from './pod-requests.ts';
import { type AffinityTerms, affinityTermsOf } from './terms.ts';

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

export interface PodInfo {
  readonly pod: Pod;
  /** "namespace/name". */
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly terminating: boolean;
  readonly requests: PodRequests;
  readonly ports: readonly HostPort[];
  readonly terms: AffinityTerms;
  /** Equal for pods with the same namespace, labels and `terminating`. */
  readonly groupKey: string;
  /** Whether it names claims, disks or resource claims. */
  readonly hasVolumes: boolean;
}

const noLabels: Readonly<Record<string, string>> = {};

export function podInfoOf(pod: Pod): PodInfo {
  const labels = pod.metadata.labels ?? noLabels;
  const namespace = pod.metadata.namespace ?? '';
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  return {
    pod,
    key: keyOf(pod),
    uid: pod.metadata.uid ?? '',
    namespace,
    labels,
    priority: pod.spec.priority ?? 0,
    terminating,
    requests: podRequests(pod),
    ports: hostPortsOf(pod),
    terms: affinityTermsOf(pod),
    groupKey: groupKeyOf(namespace, labels, terminating),
    hasVolumes: pod.spec.volumes?.some(isSchedulingVolume) === true,
  };
}

const isSchedulingVolume = (volume: NonNullable<Pod['spec']['volumes']>[number]): boolean =>
  volume.configMap === undefined &&
  volume.secret === undefined &&
  volume.emptyDir === undefined &&
  volume.projected === undefined &&
  volume.downwardAPI === undefined &&
  volume.hostPath === undefined;

function groupKeyOf(namespace: string, labels: Readonly<Record<string, string>>, terminating: boolean): string {
  const keys = Object.keys(labels).sort();
  let key = `${terminating ? '-' : '+'}${namespace}`;
  for (const name of keys) key += `\n${name}=${labels[name]}`;
  return key;
}

const noPorts: readonly HostPort[] = [];
/** Ports of containers and sidecars on the host (k8s.io/kubernetes/pkg/scheduler/util GetHostPorts). */
export function hostPortsOf(pod: Pod): readonly HostPort[] {
  let ports: HostPort[] | undefined;
  const collect = (list: Pod['spec']['containers']) => {
    for (const container of list)
      for (const { hostPort, hostIP, protocol } of container.ports ?? [])
        if (hostPort) (ports ??= []).push({ ip: hostIP || '0.0.0.0', protocol: protocol || 'TCP', port: hostPort });
  };
  collect(pod.spec.containers);
  if (pod.spec.initContainers) collect(pod.spec.initContainers.filter(c => c.restartPolicy === 'Always'));
  return ports ?? noPorts;
}

export function portsConflict(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0';
}
