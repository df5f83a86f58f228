/** The shape of /stats/summary. Upstream: k8s.io/kubelet/pkg/apis/stats/v1alpha1. Times are RFC 3339. */
export interface CpuStats {
  time: string;
  usageNanoCores?: number;
  usageCoreNanoSeconds?: number;
}
export interface MemoryStats {
  time: string;
  availableBytes?: number;
  usageBytes?: number;
  workingSetBytes?: number;
  rssBytes?: number;
  pageFaults?: number;
  majorPageFaults?: number;
}
export interface FsStats {
  time: string;
  availableBytes?: number;
  capacityBytes?: number;
  usedBytes?: number;
  inodesFree?: number;
  inodes?: number;
  inodesUsed?: number;
}
export interface InterfaceStats {
  name: string;
  rxBytes: number;
  rxErrors: number;
  txBytes: number;
  txErrors: number;
}
export interface NetworkStats extends InterfaceStats {
  time: string;
  interfaces: readonly InterfaceStats[];
}
export interface ContainerSummary {
  name: string;
  startTime: string;
  cpu?: CpuStats;
  memory?: MemoryStats;
  rootfs?: FsStats;
  logs?: FsStats;
}
export interface VolumeSummary extends FsStats {
  name: string;
  pvcRef?: { name: string; namespace: string };
}
export interface PodSummary {
  podRef: { name: string; namespace: string; uid: string };
  startTime: string;
  containers: readonly ContainerSummary[];
  cpu?: CpuStats;
  memory?: MemoryStats;
  network?: NetworkStats;
  volume?: readonly VolumeSummary[];
  'ephemeral-storage'?: FsStats;
  process_stats?: { process_count: number };
}
export interface NodeSummary {
  nodeName: string;
  startTime: string;
  cpu: CpuStats;
  memory: MemoryStats;
  swap: { time: string; swapAvailableBytes: number; swapUsageBytes: number };
  network?: NetworkStats;
  fs: FsStats;
  runtime: { imageFs: FsStats; containerFs: FsStats };
  rlimit: { time: string; maxpid: number; curproc: number };
}
export interface Summary {
  node: NodeSummary;
  pods: readonly PodSummary[];
}
