/** The summary in Prometheus's text format: /metrics/resource and /metrics/cadvisor. Upstream: metrics/collectors/resource_metrics.go, cAdvisor's metrics/prometheus.go. */
import type { Machine } from '../node/machine.ts';
import type { ContainerSummary, InterfaceStats, PodSummary, Summary } from '../stats/types.ts';

type Row = [labels: Record<string, string>, value: number | undefined];
const escapeLabel = (v: string) => v.replace(/[\\"\n]/g, c => (c === '\n' ? '\\n' : `\\${c}`));

function family(name: string, type: 'counter' | 'gauge', help: string, rows: readonly Row[]): string {
  const lines = rows
    .filter(([, value]) => value !== undefined)
    .map(([labels, value]) => {
      const text = Object.entries(labels).map(([k, v]) => `${k}="${escapeLabel(v)}"`);
      return `${name}${text.length > 0 ? `{${text.join(',')}}` : ''} ${value}`;
    });
  return lines.length === 0 ? '' : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}

const seconds = (nanos: number | undefined) => (nanos === undefined ? undefined : nanos / 1e9);
const epoch = (time: string) => Date.parse(time) / 1000;
const podLabels = (p: PodSummary) => ({ namespace: p.podRef.namespace, pod: p.podRef.name });

/** What metrics-server and the HPA read. */
export function resourceMetrics({ node, pods }: Summary): string {
  const container = (pick: (c: ContainerSummary) => number | undefined): Row[] =>
    pods.flatMap(p =>
      p.containers.map((c): Row => [{ container: c.name, namespace: p.podRef.namespace, pod: p.podRef.name }, pick(c)]),
    );
  const pod = (pick: (p: PodSummary) => number | undefined): Row[] => pods.map((p): Row => [podLabels(p), pick(p)]);
  const total = 'Cumulative cpu time consumed by the';
  return [
    family('node_cpu_usage_seconds_total', 'counter', `${total} node in core-seconds`, [
      [{}, seconds(node.cpu.usageCoreNanoSeconds)],
    ]),
    family('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes', [
      [{}, node.memory.workingSetBytes],
    ]),
    family('node_swap_usage_bytes', 'gauge', 'Current swap usage of the node in bytes', [
      [{}, node.swap.swapUsageBytes],
    ]),
    family(
      'container_cpu_usage_seconds_total',
      'counter',
      `${total} container in core-seconds`,
      container(c => seconds(c.cpu?.usageCoreNanoSeconds)),
    ),
    family(
      'container_memory_working_set_bytes',
      'gauge',
      'Current working set of the container in bytes',
      container(c => c.memory?.workingSetBytes),
    ),
    family(
      'container_start_time_seconds',
      'gauge',
      'Start time of the container since unix epoch in seconds',
      container(c => epoch(c.startTime)),
    ),
    family(
      'pod_cpu_usage_seconds_total',
      'counter',
      `${total} pod in core-seconds`,
      pod(p => seconds(p.cpu?.usageCoreNanoSeconds)),
    ),
    family(
      'pod_memory_working_set_bytes',
      'gauge',
      'Current working set of the pod in bytes',
      pod(p => p.memory?.workingSetBytes),
    ),
    family('resource_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise', [
      [{}, 0],
    ]),
  ].join('');
}

/** What cAdvisor calls a thing: by container, with an empty container for the pod's cgroup, and both empty for the machine. */
interface Place {
  labels: Record<string, string>;
  startTime: string;
  cpu?: ContainerSummary['cpu'];
  memory?: ContainerSummary['memory'];
  rootfs?: ContainerSummary['rootfs'];
  processes?: number;
}

function placesOf({ node, pods }: Summary): Place[] {
  const ofPod = (p: PodSummary): Place[] => [
    {
      labels: { container: '', ...podLabels(p) },
      startTime: p.startTime,
      ...(p.cpu && { cpu: p.cpu }),
      ...(p.memory && { memory: p.memory }),
      ...(p.process_stats && { processes: p.process_stats.process_count }),
    },
    ...p.containers.map(({ name, ...c }): Place => ({ ...c, labels: { container: name, ...podLabels(p) } })),
  ];
  const { cpu, memory, startTime, rlimit } = node;
  const machine = { labels: { id: '/' }, startTime, cpu, memory, processes: rlimit.curproc };
  return [machine, ...pods.flatMap(ofPod)];
}

/** The part of cAdvisor's metrics that dashboards and alerts use. */
export function cadvisorMetrics(summary: Summary, machine: Machine): string {
  const places = placesOf(summary);
  const rows = (pick: (p: Place) => number | undefined): Row[] => places.map((p): Row => [p.labels, pick(p)]);
  const interfaces = summary.pods.flatMap(p =>
    (p.network?.interfaces ?? []).map(i => ({ i, labels: { ...podLabels(p), interface: i.name } })),
  );
  const network = (pick: (i: InterfaceStats) => number): Row[] =>
    interfaces.map(({ i, labels }): Row => [labels, pick(i)]);
  const cpu = 'container_cpu_usage_seconds_total';
  return [
    family('machine_cpu_cores', 'gauge', 'Number of logical CPU cores.', [[{}, machine.cpus]]),
    family('machine_memory_bytes', 'gauge', 'Amount of memory installed on the machine.', [[{}, machine.memoryBytes]]),
    family('machine_swap_bytes', 'gauge', 'Amount of swap memory available on the machine.', [[{}, machine.swapBytes]]),
    family(
      cpu,
      'counter',
      'Cumulative cpu time consumed in seconds.',
      rows(p => seconds(p.cpu?.usageCoreNanoSeconds)),
    ),
    family(
      'container_memory_usage_bytes',
      'gauge',
      'Current memory usage in bytes.',
      rows(p => p.memory?.usageBytes),
    ),
    family(
      'container_memory_working_set_bytes',
      'gauge',
      'Current working set in bytes.',
      rows(p => p.memory?.workingSetBytes),
    ),
    family(
      'container_memory_rss',
      'gauge',
      'Size of RSS in bytes.',
      rows(p => p.memory?.rssBytes),
    ),
    family(
      'container_processes',
      'gauge',
      'Number of processes running inside the container.',
      rows(p => p.processes),
    ),
    family(
      'container_fs_usage_bytes',
      'gauge',
      'Number of bytes that are consumed by the container on this filesystem.',
      rows(p => p.rootfs?.usedBytes),
    ),
    family(
      'container_fs_limit_bytes',
      'gauge',
      'Number of bytes that can be consumed by the container on this filesystem.',
      rows(p => p.rootfs?.capacityBytes),
    ),
    family(
      'container_fs_inodes_free',
      'gauge',
      'Number of available Inodes',
      rows(p => p.rootfs?.inodesFree),
    ),
    family(
      'container_fs_inodes_total',
      'gauge',
      'Number of Inodes',
      rows(p => p.rootfs?.inodes),
    ),
    family(
      'container_start_time_seconds',
      'gauge',
      'Start time of the container since unix epoch in seconds.',
      rows(p => epoch(p.startTime)),
    ),
    family(
      'container_network_receive_bytes_total',
      'counter',
      'Cumulative count of bytes received',
      network(i => i.rxBytes),
    ),
    family(
      'container_network_receive_errors_total',
      'counter',
      'Cumulative count of errors encountered while receiving',
      network(i => i.rxErrors),
    ),
    family(
      'container_network_transmit_bytes_total',
      'counter',
      'Cumulative count of bytes transmitted',
      network(i => i.txBytes),
    ),
    family(
      'container_network_transmit_errors_total',
      'counter',
      'Cumulative count of errors encountered while transmitting',
      network(i => i.txErrors),
    ),
  ].join('');
}

/** What is derived from the state rather than counted: pods, containers, volumes and logs, for /metrics. */
export function stateMetrics(nodeName: string, { pods }: Summary, counts: StateCounts): string {
  const volumes = pods.flatMap(p =>
    (p.volume ?? []).flatMap(v =>
      v.pvcRef ? [{ v, labels: { namespace: v.pvcRef.namespace, persistentvolumeclaim: v.pvcRef.name } }] : [],
    ),
  );
  const volume = (name: string, help: string, pick: (v: (typeof volumes)[number]['v']) => number | undefined) =>
    family(
      `kubelet_volume_stats_${name}`,
      'gauge',
      help,
      volumes.map(({ v, labels }): Row => [labels, pick(v)]),
    );
  const logs = pods.flatMap(p =>
    p.containers.map((c): Row => [{ uid: p.podRef.uid, ...podLabels(p), container: c.name }, c.logs?.usedBytes]),
  );
  const byState = Object.entries(counts.containers).map(([s, n]): Row => [{ container_state: s }, n]);
  const byStatic = (n: { api: number; static: number }): Row[] => [
    [{ static: '' }, n.api],
    [{ static: 'true' }, n.static],
  ];
  return [
    family('kubelet_node_name', 'gauge', "The node's name. The count is always 1.", [[{ node: nodeName }, 1]]),
    family('kubelet_running_pods', 'gauge', 'Number of pods that have a running pod sandbox', [[{}, pods.length]]),
    family('kubelet_running_containers', 'gauge', 'Number of currently running containers', byState),
    family(
      'kubelet_desired_pods',
      'gauge',
      'The number of pods the kubelet is being instructed to run.',
      byStatic(counts.desired),
    ),
    family('kubelet_active_pods', 'gauge', 'The number of pods the kubelet considers active.', byStatic(counts.active)),
    family(
      'kubelet_container_log_filesystem_used_bytes',
      'gauge',
      "Bytes used by the container's logs on the filesystem.",
      logs,
    ),
    volume('capacity_bytes', 'Capacity in bytes of the volume', v => v.capacityBytes),
    volume('available_bytes', 'Number of available bytes in the volume', v => v.availableBytes),
    volume('used_bytes', 'Number of used bytes in the volume', v => v.usedBytes),
    volume('inodes', 'Maximum number of inodes in the volume', v => v.inodes),
    volume('inodes_free', 'Number of free inodes in the volume', v => v.inodesFree),
    volume('inodes_used', 'Number of used inodes in the volume', v => v.inodesUsed),
  ].join('');
}

export interface StateCounts {
  /** By state: running, exited, created, unknown. */
  containers: Record<string, number>;
  desired: { api: number; static: number };
  active: { api: number; static: number };
}
