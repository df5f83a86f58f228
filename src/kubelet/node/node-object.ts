/** The Node object as the kubelet writes it. Pure. Upstream: pkg/kubelet/nodestatus, kubelet_node_status.go. */
import type { Node, NodeCondition, NodeStatus, Taint } from '../../api/types/core-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import type { ExtendedResources } from '../pod/host.ts';
import type { Image, RuntimeCondition, RuntimeHandler } from '../runtime/contract.ts';
import type { Machine } from './machine.ts';

export const kubernetesVersion = 'v1.35.0';

export interface NodeOptions {
  name: string;
  machine: Machine;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  taints?: readonly Taint[];
  maxPods: number;
  /** Kept back from pods: quantities of cpu (millis), memory and storage (bytes). */
  reserved?: { milliCpu?: number; memoryBytes?: number; storageBytes?: number };
  /** Extended resources, such as `nvidia.com/gpu`. */
  extendedResources?: Record<string, string>;
  kubeletPort: number;
  providerId?: string;
  unschedulable?: boolean;
}
export interface Pressure {
  memory: boolean;
  disk: boolean;
  pid: boolean;
}
export interface NodeHealth {
  pressure: Pressure;
  runtime: readonly RuntimeCondition[];
  /** The runtime does not answer. */
  runtimeError?: string;
}

const memoryQuantity = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`;

export function capacityOf({ machine, maxPods, extendedResources }: NodeOptions): Record<string, string> {
  return {
    cpu: String(machine.cpus),
    'ephemeral-storage': memoryQuantity(machine.storageBytes),
    ...(machine.hugePages ?? { 'hugepages-1Gi': '0', 'hugepages-2Mi': '0' }),
    memory: memoryQuantity(machine.memoryBytes),
    pods: String(maxPods),
    ...extendedResources,
  };
}

/** Capacity less what is reserved and less the hard eviction thresholds (memory 100 Mi, storage 10 %). */
export function allocatableOf(options: NodeOptions): Record<string, string> {
  const { machine, reserved = {} } = options;
  const milli = machine.cpus * 1000 - (reserved.milliCpu ?? 0);
  const memory = machine.memoryBytes - (reserved.memoryBytes ?? 0) - 100 * 2 ** 20;
  const storage = (machine.storageBytes - (reserved.storageBytes ?? 0)) * 0.9;
  return {
    ...capacityOf(options),
    cpu: milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`,
    memory: memoryQuantity(Math.max(0, memory)),
    'ephemeral-storage': String(Math.max(0, Math.floor(storage))),
  };
}

export function wellKnownLabels({ name, machine, labels }: NodeOptions): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': machine.architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': machine.architecture,
    'kubernetes.io/hostname': machine.hostname || name,
    'kubernetes.io/os': 'linux',
    ...labels,
  };
}

interface ConditionText {
  type: string;
  status: boolean;
  reason: string;
  message: string;
}

function conditionTexts({ pressure, runtime, runtimeError }: NodeHealth): ConditionText[] {
  const bad = runtime.filter(c => !c.status);
  const network = bad.find(c => c.type === 'NetworkReady');
  const problems = [
    ...(runtimeError ? [`container runtime is down: ${runtimeError}`] : []),
    ...bad
      .filter(c => c.type === 'RuntimeReady')
      .map(c => `container runtime not ready: RuntimeReady=false reason:${c.reason} message:${c.message}`),
    ...(network
      ? [`container runtime network not ready: NetworkReady=false reason:${network.reason} message:${network.message}`]
      : []),
  ];
  const either = (type: string, on: boolean, yes: [string, string], no: [string, string]): ConditionText => {
    const [reason, message] = on ? yes : no;
    return { type, status: on, reason, message };
  };
  return [
    either(
      'MemoryPressure',
      pressure.memory,
      ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
      ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ),
    either(
      'DiskPressure',
      pressure.disk,
      ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
      ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ),
    either(
      'PIDPressure',
      pressure.pid,
      ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
      ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    ),
    either(
      'Ready',
      problems.length === 0,
      ['KubeletReady', 'kubelet is posting ready status'],
      ['KubeletNotReady', problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`],
    ),
  ];
}

export function nodeConditions(health: NodeHealth, old: readonly NodeCondition[], now: number): NodeCondition[] {
  return conditionTexts(health).map(({ type, status, reason, message }) => {
    const before = old.find(c => c.type === type);
    const value = status ? 'True' : 'False';
    const since = before?.status === value ? before.lastTransitionTime : undefined;
    const times = { lastHeartbeatTime: rfc3339(now), lastTransitionTime: since ?? rfc3339(now) };
    return { type, status: value, reason, message, ...times };
  });
}

const conditionReasons: Record<string, { True: string; False: string }> = {
  MemoryPressure: { True: 'NodeHasInsufficientMemory', False: 'NodeHasSufficientMemory' },
  DiskPressure: { True: 'NodeHasDiskPressure', False: 'NodeHasNoDiskPressure' },
  PIDPressure: { True: 'NodeHasInsufficientPID', False: 'NodeHasSufficientPID' },
  Ready: { True: 'NodeReady', False: 'NodeNotReady' },
};

/** The reasons of the events that a change of conditions is told with. A node's first word on readiness is none. */
export function conditionEvents(before: NodeStatus | undefined, now: NodeStatus): string[] {
  return (now.conditions ?? []).flatMap(({ type, status }) => {
    const old = before?.conditions?.find(c => c.type === type);
    const told = old ? old.status === status : type === 'Ready';
    const reason = status === 'True' || status === 'False' ? conditionReasons[type]?.[status] : undefined;
    return told || !reason ? [] : [reason];
  });
}

export interface NodeStatusInput {
  options: NodeOptions;
  health: NodeHealth;
  images: readonly Image[];
  runtime: { name: string; version: string; handlers: readonly RuntimeHandler[] };
  volumesInUse: readonly string[];
  extended: ExtendedResources;
  old: NodeStatus | undefined;
  now: number;
}
const maxImages = 50;
const maxImageNames = 5;

export function nodeStatus(input: NodeStatusInput): NodeStatus {
  const { options, health, images, runtime, volumesInUse, extended, old, now } = input;
  const { machine } = options;
  const others = (old?.conditions ?? []).filter(
    c => !['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].includes(c.type),
  );
  return {
    addresses: [
      ...machine.addresses.map(address => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: machine.hostname },
    ],
    capacity: { ...capacityOf(options), ...extended.capacity },
    allocatable: { ...allocatableOf(options), ...extended.allocatable },
    conditions: [...others, ...nodeConditions(health, old?.conditions ?? [], now)],
    daemonEndpoints: { kubeletEndpoint: { Port: options.kubeletPort } },
    images: [...images]
      .filter(i => i.repoTags.length + i.repoDigests.length > 0)
      .sort((a, b) => b.size - a.size)
      .slice(0, maxImages)
      .map(i => ({ names: [...i.repoDigests, ...i.repoTags].slice(0, maxImageNames), sizeBytes: i.size })),
    nodeInfo: {
      architecture: machine.architecture,
      bootID: machine.bootId,
      containerRuntimeVersion: `${runtime.name}://${runtime.version}`,
      kernelVersion: machine.kernelVersion,
      kubeProxyVersion: '',
      kubeletVersion: kubernetesVersion,
      machineID: machine.machineId,
      operatingSystem: 'linux',
      osImage: machine.osImage,
      systemUUID: machine.systemUuid,
      ...(machine.swapBytes > 0 && { swap: { capacity: machine.swapBytes } }),
    },
    ...(runtime.handlers.length > 0 && {
      runtimeHandlers: runtime.handlers.map(({ name, features }) => ({
        name,
        features: features ?? { recursiveReadOnlyMounts: false, userNamespaces: false },
      })),
    }),
    ...(volumesInUse.length > 0 && { volumesInUse: [...volumesInUse] }),
    ...(old?.volumesAttached && { volumesAttached: old.volumesAttached }),
  };
}

export function newNode(options: NodeOptions, status: NodeStatus): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: options.name,
      labels: wellKnownLabels(options),
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true', ...options.annotations },
    },
    spec: {
      ...(options.providerId && { providerID: options.providerId }),
      ...(options.taints?.length && { taints: [...options.taints] }),
      ...(options.unschedulable && { unschedulable: true }),
    },
    status,
  };
}
