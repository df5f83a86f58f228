/**
 * What the kubelet needs from a container runtime: the shape of CRI v1, in camelCase, with streams in place of URLs.
 * Implementations: `cri/` (any CRI endpoint) and `simulated/` (in memory, on the injected clock).
 *
 * Every method may reject: `RuntimeError` carries the code. All calls that stop or remove are idempotent, and removing
 * what is not there succeeds.
 */
import type { ByteStream } from '../../api/transport.ts';

export type RuntimeErrorCode = 'NotFound' | 'Unavailable' | 'DeadlineExceeded' | 'Unimplemented' | 'Unknown';

export class RuntimeError extends Error {
  readonly code: RuntimeErrorCode;
  constructor(code: RuntimeErrorCode, message: string) {
    super(message);
    this.name = 'RuntimeError';
    this.code = code;
  }
}
export const isRuntimeNotFound = (e: unknown): boolean => e instanceof RuntimeError && e.code === 'NotFound';

export const isRuntimeTimeout = (e: unknown): boolean => e instanceof RuntimeError && e.code === 'DeadlineExceeded';

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';
export interface NamespaceOptions {
  network?: NamespaceMode;
  pid?: NamespaceMode;
  ipc?: NamespaceMode;
  /** Container id, for pid TARGET. */
  targetId?: string;
  usernsOptions?: { mode: NamespaceMode; uids: IdMapping[]; gids: IdMapping[] };
}
export interface IdMapping {
  hostId: number;
  containerId: number;
  length: number;
}
export interface SecurityProfile {
  profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  localhostRef?: string;
}
export interface SeLinuxOption {
  user?: string;
  role?: string;
  type?: string;
  level?: string;
}
export interface LinuxResources {
  cpuPeriod?: number;
  cpuQuota?: number;
  cpuShares?: number;
  memoryLimitInBytes?: number;
  oomScoreAdj?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  hugepageLimits?: { pageSize: string; limit: number }[];
  unified?: Record<string, string>;
  memorySwapLimitInBytes?: number;
}

export interface SandboxMetadata {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
}
export interface SandboxSecurityContext {
  namespaceOptions?: NamespaceOptions;
  selinuxOptions?: SeLinuxOption;
  runAsUser?: { value: number };
  runAsGroup?: { value: number };
  readonlyRootfs?: boolean;
  supplementalGroups?: number[];
  supplementalGroupsPolicy?: 'Merge' | 'Strict';
  privileged?: boolean;
  seccomp?: SecurityProfile;
  apparmor?: SecurityProfile;
}
export interface SandboxConfig {
  metadata: SandboxMetadata;
  hostname: string;
  /** Absolute; container log paths are relative to it. */
  logDirectory: string;
  dnsConfig?: { servers: string[]; searches: string[]; options: string[] };
  portMappings?: { protocol: 'TCP' | 'UDP' | 'SCTP'; containerPort: number; hostPort: number; hostIp?: string }[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  linux?: {
    cgroupParent?: string;
    securityContext?: SandboxSecurityContext;
    sysctls?: Record<string, string>;
    overhead?: LinuxResources;
    resources?: LinuxResources;
  };
}
export type SandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
/** Times are nanoseconds since the epoch. */
export interface Sandbox {
  id: string;
  metadata: SandboxMetadata;
  state: SandboxState;
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}
export interface SandboxStatus extends Sandbox {
  /** Absent or with an empty address for pods in the host's network. */
  network?: { ip: string; additionalIps: { ip: string }[] };
}

export interface ImageSpec {
  image: string;
  annotations?: Record<string, string>;
  userSpecifiedImage?: string;
  runtimeHandler?: string;
}
export type MountPropagation = 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL';
export interface RuntimeMount {
  containerPath: string;
  hostPath: string;
  readonly?: boolean;
  selinuxRelabel?: boolean;
  propagation?: MountPropagation;
  recursiveReadOnly?: boolean;
  image?: ImageSpec;
  imageSubPath?: string;
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
}
export interface ContainerSecurityContext {
  capabilities?: { addCapabilities?: string[]; dropCapabilities?: string[] };
  privileged?: boolean;
  namespaceOptions?: NamespaceOptions;
  selinuxOptions?: SeLinuxOption;
  runAsUser?: { value: number };
  runAsGroup?: { value: number };
  runAsUsername?: string;
  readonlyRootfs?: boolean;
  supplementalGroups?: number[];
  supplementalGroupsPolicy?: 'Merge' | 'Strict';
  noNewPrivs?: boolean;
  maskedPaths?: string[];
  readonlyPaths?: string[];
  seccomp?: SecurityProfile;
  apparmor?: SecurityProfile;
}
export interface ContainerConfig {
  metadata: { name: string; attempt: number };
  image: ImageSpec;
  command?: string[];
  args?: string[];
  workingDir?: string;
  envs?: { key: string; value: Uint8Array }[];
  mounts?: RuntimeMount[];
  devices?: { containerPath: string; hostPath: string; permissions: string }[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Relative to the sandbox's log directory. */
  logPath?: string;
  stdin?: boolean;
  stdinOnce?: boolean;
  tty?: boolean;
  linux?: { resources?: LinuxResources; securityContext?: ContainerSecurityContext };
  CDIDevices?: { name: string }[];
  stopSignal?: string;
}
export type ContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';
export interface Container {
  id: string;
  podSandboxId: string;
  metadata: { name: string; attempt: number };
  image?: ImageSpec;
  imageRef: string;
  imageId: string;
  state: ContainerState;
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}
export interface ContainerStatus {
  id: string;
  metadata: { name: string; attempt: number };
  state: ContainerState;
  /** Nanoseconds since the epoch; 0 when it has not happened. */
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  image?: ImageSpec;
  imageRef: string;
  imageId: string;
  /** `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerCannotRun` … */
  reason: string;
  message: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  logPath: string;
  resources?: { linux?: LinuxResources };
  user?: { linux?: { uid: number; gid: number; supplementalGroups: number[] } };
  mounts: RuntimeMount[];
}

export interface Image {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: number;
  /** The user the image names: a number, or a name. */
  uid?: { value: number };
  username: string;
  pinned: boolean;
}
export interface RegistryAuth {
  username?: string;
  password?: string;
  auth?: string;
  serverAddress?: string;
  identityToken?: string;
  registryToken?: string;
}

export interface Uint64Value {
  value: number;
}
export interface FilesystemUsage {
  timestamp: number;
  fsId?: { mountpoint: string };
  usedBytes?: Uint64Value;
  inodesUsed?: Uint64Value;
}
export interface ContainerStats {
  attributes: { id: string; metadata: { name: string; attempt: number }; labels: Record<string, string> };
  cpu?: { timestamp: number; usageCoreNanoSeconds?: Uint64Value; usageNanoCores?: Uint64Value };
  memory?: {
    timestamp: number;
    workingSetBytes?: Uint64Value;
    availableBytes?: Uint64Value;
    usageBytes?: Uint64Value;
    rssBytes?: Uint64Value;
    pageFaults?: Uint64Value;
    majorPageFaults?: Uint64Value;
  };
  writableLayer?: FilesystemUsage;
}
export interface InterfaceUsage {
  name: string;
  rxBytes?: Uint64Value;
  rxErrors?: Uint64Value;
  txBytes?: Uint64Value;
  txErrors?: Uint64Value;
}
export interface SandboxStats {
  attributes: { id: string; metadata: SandboxMetadata; labels: Record<string, string> };
  linux?: {
    cpu?: ContainerStats['cpu'];
    memory?: ContainerStats['memory'];
    network?: { timestamp: number; defaultInterface?: InterfaceUsage; interfaces: InterfaceUsage[] };
    process?: { processCount?: Uint64Value };
    containers: ContainerStats[];
  };
}

/** One way to run pods, by a RuntimeClass's handler; the default has no name. */
export interface RuntimeHandler {
  name: string;
  features?: { recursiveReadOnlyMounts: boolean; userNamespaces: boolean };
}

export interface RuntimeCondition {
  /** `RuntimeReady`, `NetworkReady`. */
  type: string;
  status: boolean;
  reason: string;
  message: string;
}

export interface StreamOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}
/** A running exec or attach. All streams end when the process does, or when the session is destroyed. */
export interface StreamSession {
  writeStdin(chunk: Uint8Array): Promise<void>;
  /** Half-closes: the process reads end of file. */
  endStdin(): void;
  readonly stdout: AsyncIterable<Uint8Array>;
  /** Empty with a tty. */
  readonly stderr: AsyncIterable<Uint8Array>;
  resize(width: number, height: number): void;
  /** The exit code; rejects when the session broke. Attach: 0 when the container ended. */
  readonly done: Promise<number>;
  destroy(): void;
}

/** Something changed for a sandbox or container of this pod: look again. */
export interface RuntimeEvent {
  /** The pod's uid when the runtime tells it, else the id below says which. */
  podUid?: string;
  containerId: string;
}

export interface ContainerRuntime {
  version(): Promise<{ runtimeName: string; runtimeVersion: string; runtimeApiVersion: string }>;
  status(): Promise<{ conditions: RuntimeCondition[]; handlers: RuntimeHandler[] }>;
  /** Tells the runtime the node's pod range, for those that make the CNI configuration from it. */
  updatePodCidr(cidr: string): Promise<void>;

  /** Resolves with the sandbox's id when its network is up. */
  runPodSandbox(config: SandboxConfig, runtimeHandler: string): Promise<string>;
  stopPodSandbox(id: string): Promise<void>;
  removePodSandbox(id: string): Promise<void>;
  podSandboxStatus(id: string): Promise<SandboxStatus>;
  listPodSandboxes(labels?: Record<string, string>): Promise<Sandbox[]>;
  updatePodSandboxResources(id: string, resources: LinuxResources, overhead?: LinuxResources): Promise<void>;

  createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** Sends the stop signal, and SIGKILL after `timeoutSeconds`; resolves when the container is down. */
  stopContainer(id: string, timeoutSeconds: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  listContainers(labels?: Record<string, string>): Promise<Container[]>;
  containerStatus(id: string): Promise<ContainerStatus>;
  updateContainerResources(id: string, resources: LinuxResources): Promise<void>;
  reopenContainerLog(id: string): Promise<void>;

  /** Runs a command to its end. `timeoutSeconds` 0: no limit. Rejects with DeadlineExceeded when it took longer. */
  execSync(
    id: string,
    command: readonly string[],
    timeoutSeconds: number,
  ): Promise<{ stdout: Uint8Array; stderr: Uint8Array; exitCode: number }>;
  exec(id: string, command: readonly string[], options: StreamOptions): Promise<StreamSession>;
  attach(id: string, options: StreamOptions): Promise<StreamSession>;
  /** One connection to a port inside the sandbox. */
  portForward(sandboxId: string, port: number): Promise<ByteStream>;

  listImages(): Promise<Image[]>;
  /** Undefined when the image is not on the node. */
  imageStatus(image: ImageSpec): Promise<Image | undefined>;
  /** Resolves with the image's reference (its id). */
  pullImage(image: ImageSpec, auth: RegistryAuth | undefined, sandbox: SandboxConfig): Promise<string>;
  removeImage(image: ImageSpec): Promise<void>;
  imageFsInfo(): Promise<FilesystemUsage[]>;

  listContainerStats(labels?: Record<string, string>): Promise<ContainerStats[]>;
  listPodSandboxStats(labels?: Record<string, string>): Promise<SandboxStats[]>;

  /**
   * Changes as they happen, until the signal is aborted. `onEvent` may be called too often, and may miss events while the runtime
   * is away: the kubelet lists as well. Resolves to false when the runtime has no events, then the kubelet lists more often.
   */
  watchEvents(onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}
