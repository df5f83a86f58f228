/** /stats/summary and the Prometheus forms of it. Upstream: pkg/kubelet/server/stats, pkg/kubelet/metrics/collectors. */
import { rfc3339 } from '../../base/clock.ts';
import type { LinuxHost } from '../host/linux.ts';
import { machineUsage } from '../host/machine.ts';
import type { Kubelet } from '../kubelet.ts';
import type { Machine } from '../node/machine.ts';
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel, uidOf } from '../pod/names.ts';
import type { ContainerStats, SandboxStats } from '../runtime/contract.ts';

export interface StatsInput {
  kubelet: Kubelet;
  machine: Machine;
  host: LinuxHost;
  storagePath: string;
}
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
export interface ContainerSummary {
  name: string;
  startTime: string;
  cpu?: CpuStats;
  memory?: MemoryStats;
  rootfs?: { time: string; usedBytes?: number; inodesUsed?: number };
}
export interface PodSummary {
  podRef: { name: string; namespace: string; uid: string };
  startTime: string;
  containers: ContainerSummary[];
  cpu?: CpuStats;
  memory?: MemoryStats;
  network?: object;
}
export interface Summary {
  node: { nodeName: string; startTime: string; cpu: CpuStats; memory: MemoryStats; fs: object; rlimit: object };
  pods: PodSummary[];
}

const time = (nanoseconds: number | undefined, now: number) => rfc3339(nanoseconds ? nanoseconds / 1e6 : now);

export function createStats({ kubelet, machine, host, storagePath }: StatsInput) {
  const { clock, runtime, nodeName } = kubelet.context;
  /** CPU time at the last look, for rates. */
  const samples = new Map<string, { at: number; nanos: number; rate: number | undefined }>();

  function rate(key: string, nanos: number): number | undefined {
    const at = clock.monotonic();
    const before = samples.get(key);
    if (before && at - before.at < 1000) return before.rate;
    const value = before ? Math.max(0, Math.round(((nanos - before.nanos) / (at - before.at)) * 1000)) : undefined;
    samples.set(key, { at, nanos, rate: value });
    return value;
  }
  function cpuOf(key: string, nanos: number, at: string, given?: number): CpuStats {
    const usage = given || rate(key, nanos);
    return { time: at, ...(usage !== undefined && { usageNanoCores: usage }), usageCoreNanoSeconds: nanos };
  }

  function containerSummary(s: ContainerStats, startTime: string): ContainerSummary {
    const now = clock.now();
    const { memory: m, cpu, writableLayer: layer } = s;
    return {
      name: s.attributes.labels[containerNameLabel] ?? s.attributes.metadata.name,
      startTime,
      ...(cpu && {
        cpu: cpuOf(
          s.attributes.id,
          cpu.usageCoreNanoSeconds?.value ?? 0,
          time(cpu.timestamp, now),
          cpu.usageNanoCores?.value,
        ),
      }),
      ...(m && {
        memory: {
          time: time(m.timestamp, now),
          ...(m.usageBytes && { usageBytes: m.usageBytes.value }),
          ...(m.workingSetBytes && { workingSetBytes: m.workingSetBytes.value }),
          ...(m.rssBytes && { rssBytes: m.rssBytes.value }),
          ...(m.pageFaults && { pageFaults: m.pageFaults.value }),
          ...(m.majorPageFaults && { majorPageFaults: m.majorPageFaults.value }),
        },
      }),
      ...(layer && {
        rootfs: {
          time: time(layer.timestamp, now),
          ...(layer.usedBytes && { usedBytes: layer.usedBytes.value }),
          ...(layer.inodesUsed && { inodesUsed: layer.inodesUsed.value }),
        },
      }),
    };
  }

  async function podSummary(
    uid: string,
    containers: ContainerStats[],
    sandbox: SandboxStats | undefined,
  ): Promise<PodSummary> {
    const worker = kubelet.pods().find(w => uidOf(w.pod) === uid);
    const labels = containers[0]?.attributes.labels ?? {};
    const startTime = worker?.status?.startTime ?? rfc3339(clock.now());
    const usage = worker ? await host.cgroups.usage(host.cgroupParent(worker.pod)) : undefined;
    const at = rfc3339(clock.now());
    const network = sandbox?.linux?.network;
    return {
      podRef: { name: labels[podNameLabel] ?? '', namespace: labels[podNamespaceLabel] ?? '', uid },
      startTime,
      containers: containers.map(c => containerSummary(c, startTime)),
      ...(usage && {
        cpu: cpuOf(`pod ${uid}`, usage.cpuNanos, at),
        memory: { time: at, usageBytes: usage.memoryBytes, workingSetBytes: usage.workingSetBytes },
      }),
      ...(network?.defaultInterface && {
        network: {
          time: time(network.timestamp, clock.now()),
          name: network.defaultInterface.name,
          rxBytes: network.defaultInterface.rxBytes?.value ?? 0,
          txBytes: network.defaultInterface.txBytes?.value ?? 0,
        },
      }),
    };
  }

  async function summary(): Promise<Summary> {
    const [usage, stats, sandboxes] = await Promise.all([
      machineUsage(storagePath),
      runtime.listContainerStats(),
      runtime.listPodSandboxStats().catch((): SandboxStats[] => []),
    ]);
    const groups = Map.groupBy(stats, s => s.attributes.labels[podUidLabel] ?? '');
    groups.delete('');
    const at = rfc3339(clock.now());
    const pods = [...groups].map(([uid, own]) =>
      podSummary(
        uid,
        own,
        sandboxes.find(s => s.attributes.labels[podUidLabel] === uid),
      ),
    );
    const used = usage.memoryTotal - usage.memoryAvailable;
    return {
      node: {
        nodeName,
        startTime: kubelet.node.current?.metadata.creationTimestamp ?? at,
        cpu: cpuOf('node', usage.cpuNanos, at),
        memory: { time: at, availableBytes: usage.memoryAvailable, usageBytes: used, workingSetBytes: used },
        fs: {
          time: at,
          availableBytes: usage.storageAvailable,
          capacityBytes: usage.storageTotal,
          usedBytes: usage.storageTotal - usage.storageAvailable,
          inodesFree: usage.inodesFree,
          inodes: usage.inodesTotal,
        },
        rlimit: { time: at, maxpid: usage.maxProcesses, curproc: usage.processes },
      },
      pods: await Promise.all(pods),
    };
  }
  return { summary, machine };
}

type Row = [labels: Record<string, string>, value: number | undefined];
const escapeLabel = (v: string) => v.replace(/[\\"\n]/g, c => (c === '\n' ? '\\n' : `\\${c}`));

function family(name: string, type: 'counter' | 'gauge', help: string, rows: readonly Row[]): string {
  const lines = rows
    .filter(([, value]) => value !== undefined)
    .map(([labels, value]) => {
      const text = Object.entries(labels).map(([k, v]) => `${k}="${escapeLabel(v)}"`);
      return `${name}${text.length > 0 ? `{${text.join(',')}}` : ''} ${value}`;
    });
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}

const seconds = (nanos: number | undefined) => (nanos === undefined ? undefined : nanos / 1e9);

/** What metrics-server and the HPA read. */
export function resourceMetrics({ node, pods }: Summary): string {
  const containers = pods.flatMap(p =>
    p.containers.map(c => ({ c, labels: { container: c.name, namespace: p.podRef.namespace, pod: p.podRef.name } })),
  );
  const podLabels = (p: PodSummary) => ({ namespace: p.podRef.namespace, pod: p.podRef.name });
  return [
    family('node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds', [
      [{}, seconds(node.cpu.usageCoreNanoSeconds)],
    ]),
    family('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes', [
      [{}, node.memory.workingSetBytes],
    ]),
    family(
      'container_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed by the container in core-seconds',
      containers.map(({ c, labels }): Row => [labels, seconds(c.cpu?.usageCoreNanoSeconds)]),
    ),
    family(
      'container_memory_working_set_bytes',
      'gauge',
      'Current working set of the container in bytes',
      containers.map(({ c, labels }): Row => [labels, c.memory?.workingSetBytes]),
    ),
    family(
      'container_start_time_seconds',
      'gauge',
      'Start time of the container since unix epoch in seconds',
      containers.map(({ c, labels }): Row => [labels, Date.parse(c.startTime) / 1000]),
    ),
    family(
      'pod_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed by the pod in core-seconds',
      pods.map((p): Row => [podLabels(p), seconds(p.cpu?.usageCoreNanoSeconds)]),
    ),
    family(
      'pod_memory_working_set_bytes',
      'gauge',
      'Current working set of the pod in bytes',
      pods.map((p): Row => [podLabels(p), p.memory?.workingSetBytes]),
    ),
    family('resource_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise', [
      [{}, 0],
    ]),
  ].join('');
}

/** The part of cAdvisor's metrics that dashboards use. */
export function cadvisorMetrics({ pods }: Summary, machine: Machine): string {
  const rows = (pick: (c: ContainerSummary) => number | undefined): Row[] =>
    pods.flatMap(p =>
      p.containers.map((c): Row => [{ container: c.name, namespace: p.podRef.namespace, pod: p.podRef.name }, pick(c)]),
    );
  return [
    family('machine_cpu_cores', 'gauge', 'Number of logical CPU cores.', [[{}, machine.cpus]]),
    family('machine_memory_bytes', 'gauge', 'Amount of memory installed on the machine.', [[{}, machine.memoryBytes]]),
    family(
      'container_cpu_usage_seconds_total',
      'counter',
      'Cumulative cpu time consumed in seconds.',
      rows(c => seconds(c.cpu?.usageCoreNanoSeconds)),
    ),
    family(
      'container_memory_usage_bytes',
      'gauge',
      'Current memory usage in bytes, including all memory.',
      rows(c => c.memory?.usageBytes),
    ),
    family(
      'container_memory_working_set_bytes',
      'gauge',
      'Current working set in bytes.',
      rows(c => c.memory?.workingSetBytes),
    ),
    family(
      'container_memory_rss',
      'gauge',
      'Size of RSS in bytes.',
      rows(c => c.memory?.rssBytes),
    ),
    family(
      'container_fs_usage_bytes',
      'gauge',
      'Number of bytes that are consumed by the container on this filesystem.',
      rows(c => c.rootfs?.usedBytes),
    ),
  ].join('');
}
