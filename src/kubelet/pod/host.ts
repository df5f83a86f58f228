/**
 * What pod workers need from the machine beside the runtime: files, volumes, cgroups. The real one is `host/linux.ts`; the simulated
 * one does nothing. All methods are idempotent.
 */
import type { Pod } from '../../api/types/core-v1.ts';
import type { ContainerStatus, RuntimeMount } from '../runtime/contract.ts';
import type { Refusal } from './admission.ts';
import type { AnyContainer } from './names.ts';

/** Why what a pod needs of the machine is not ready; retried, and told as an event with this reason. */
export class SetUpError extends Error {
  readonly reason: 'FailedMount' | 'FailedMapVolume' | 'FailedPrepareDynamicResources';
  constructor(reason: SetUpError['reason'], message: string) {
    super(message);
    this.name = 'SetUpError';
    this.reason = reason;
  }
}

export interface ContainerFiles {
  readonly mounts: readonly RuntimeMount[];
  readonly devices: readonly { containerPath: string; hostPath: string; permissions: string }[];
  /** What devices ask for; the container's own environment wins. */
  readonly envs?: readonly { name: string; value: string }[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly cdiDevices?: readonly string[];
}
/** Node resources besides the machine's own. */
export interface ExtendedResources {
  capacity: Record<string, string>;
  allocatable: Record<string, string>;
}

export interface PodHost {
  /** Absolute folder of the pod's container logs. */
  logDirectory(pod: Pod): string;
  /** Empty: the runtime's default. */
  cgroupParent(pod: Pod): string;
  /** Sets aside what the pod may not share, as devices. Resolves with why it may not run here. */
  admit(pod: Pod): Promise<Refusal | undefined>;
  extendedResources(): ExtendedResources;
  /** Directories, cgroup, claims and volumes; also refreshes contents that changed. Rejects with `SetUpError`. */
  setUpPod(pod: Pod): Promise<void>;
  /** Mounts of one container: its volumes, /etc/hosts and the termination log. */
  containerFiles(
    pod: Pod,
    container: AnyContainer,
    podIps: readonly string[],
    attempt: number,
  ): Promise<ContainerFiles>;
  /** What an ended container left as its message; '' when nothing. */
  terminationMessage(pod: Pod, container: AnyContainer, status: ContainerStatus): Promise<string>;
  /** Applies new limits to the pod's cgroup (in-place resize). */
  updatePodResources(pod: Pod): Promise<void>;
  /** Ids for a pod whose users are not the host's. */
  userNamespace(pod: Pod): Promise<{ hostId: number; length: number }>;
  /** Unmounts and deletes everything of a pod that has no containers any more. */
  tearDownPod(uid: string): Promise<void>;
  /** Pods that have something on this machine, for cleaning after a restart. */
  podsOnDisk(): Promise<string[]>;
  /** Deletes the logs of a pod. Call it before the last trace by which the pod would be found again is gone. */
  removeLogs(uid: string): Promise<void>;
  /** Attachable volumes that pods of this node use: `kubernetes.io/csi/<driver>^<handle>`. */
  volumesInUse(): readonly string[];
  /** Volumes have contents that change: pods are looked at every minute. */
  readonly periodicSync: boolean;
  /** Node memory in bytes, for OOM scores. */
  readonly memoryBytes: number;
  /** Name servers and search paths of the node. */
  resolver(): Promise<{ servers: string[]; searches: string[]; options: string[] }>;
  /** HTTP, TCP and gRPC checks for probes and hooks, from the node. */
  readonly checks: NetworkChecks;
}

export type CheckResult = { ok: boolean; output: string };
export interface HttpCheck {
  scheme: string;
  host: string;
  port: number;
  path: string;
  headers: readonly { name: string; value: string }[];
  timeoutMs: number;
}
export interface NetworkChecks {
  http(check: HttpCheck): Promise<CheckResult>;
  tcp(host: string, port: number, timeoutMs: number): Promise<CheckResult>;
  grpc(host: string, port: number, service: string, timeoutMs: number): Promise<CheckResult>;
}

const ok: CheckResult = { ok: true, output: '' };

/** A machine that has nothing: for simulated nodes. Network checks always succeed. */
export const nullHost: PodHost = {
  logDirectory: pod => `/var/log/pods/${pod.metadata.uid}`,
  cgroupParent: () => '',
  admit: async () => undefined,
  extendedResources: () => ({ capacity: {}, allocatable: {} }),
  setUpPod: async () => undefined,
  containerFiles: async () => ({ mounts: [], devices: [] }),
  terminationMessage: async () => '',
  updatePodResources: async () => undefined,
  userNamespace: async () => ({ hostId: 65_536, length: 65_536 }),
  tearDownPod: async () => undefined,
  podsOnDisk: async () => [],
  removeLogs: async () => undefined,
  volumesInUse: () => [],
  periodicSync: false,
  memoryBytes: 0,
  resolver: async () => ({ servers: [], searches: [], options: [] }),
  checks: { http: async () => ok, tcp: async () => ok, grpc: async () => ok },
};
