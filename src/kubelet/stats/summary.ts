/** What the node, its pods and their containers use: /stats/summary. Upstream: pkg/kubelet/server/stats, pkg/kubelet/stats. */
import type { Pod } from '../../api/types/core-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import type { LinuxHost } from '../host/linux.ts';
import { machineUsage } from '../host/machine.ts';
import type { Kubelet } from '../kubelet.ts';
import { containerNameLabel, podUidLabel, uidOf } from '../pod/names.ts';
import { isRunning } from '../pod/state.ts';
import type { PodWorker } from '../pod/worker.ts';
import type { ContainerStats, SandboxStats } from '../runtime/contract.ts';
import { localVolumes } from '../volumes/manager.ts';
import { diskUsage, type Filesystem, filesystemOf } from './disk.ts';
import type {
  ContainerSummary,
  CpuStats,
  FsStats,
  MemoryStats,
  NetworkStats,
  PodSummary,
  Summary,
  VolumeSummary,
} from './types.ts';

export interface StatsInput {
  kubelet: Kubelet;
  host: LinuxHost;
  /** Holds pods and their volumes. */
  storagePath: string;
  /** Holds images and containers' layers. */
  imagePath: string;
  /** Files are measured again after this; default a minute, as upstream's volume-stats-agg-period. */
  diskPeriodMs?: number;
}
export interface Stats {
  summary(): Promise<Summary>;
  /** One pod's, measured now if it was not lately. */
  pod(pod: Pod): Promise<PodSummary>;
}

const defaultDiskPeriodMs = 60_000;

const time = (nanoseconds: number | undefined, now: number) => rfc3339(nanoseconds ? nanoseconds / 1e6 : now);

interface Disk {
  logs: ReadonlyMap<string, { bytes: number; inodes: number }>;
  volumes: readonly VolumeSummary[];
}

export function createStats({ kubelet, host, storagePath, imagePath, ...options }: StatsInput): Stats {
  const { clock, runtime, nodeName } = kubelet.context;
  const diskPeriodMs = options.diskPeriodMs ?? defaultDiskPeriodMs;
  /** CPU time at the last look, for rates. */
  const samples = new Map<string, { at: number; nanos: number; rate: number | undefined }>();
  const disks = new Map<string, { at: number; disk: Promise<Disk> }>();

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

  async function measure(pod: Pod): Promise<Disk> {
    const logs = new Map<string, { bytes: number; inodes: number }>();
    for (const { name } of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])])
      logs.set(name, await diskUsage(`${host.logDirectory(pod)}/${name}`));
    const volumes: VolumeSummary[] = [];
    for (const volume of await host.volumeUsage(pod)) {
      const { name, claim, usage, filesystem } = volume;
      const pvcRef = claim === undefined ? {} : { pvcRef: { name: claim, namespace: pod.metadata.namespace ?? '' } };
      volumes.push({ ...fsStats(filesystem, usage.bytes, usage.inodes), name, ...pvcRef });
    }
    return { logs, volumes };
  }
  function diskOf(pod: Pod): Promise<Disk> {
    const uid = uidOf(pod);
    const known = disks.get(uid);
    if (known && clock.monotonic() - known.at < diskPeriodMs) return known.disk;
    const disk = measure(pod);
    disk.catch(() => disks.delete(uid));
    disks.set(uid, { at: clock.monotonic(), disk });
    return disk;
  }
  function fsStats(filesystem: Filesystem | undefined, usedBytes: number, inodesUsed: number): FsStats {
    return { time: rfc3339(clock.now()), ...filesystem, usedBytes, inodesUsed };
  }

  function memoryOf(m: NonNullable<ContainerStats['memory']>): MemoryStats {
    return {
      time: time(m.timestamp, clock.now()),
      ...(m.availableBytes && { availableBytes: m.availableBytes.value }),
      ...(m.usageBytes && { usageBytes: m.usageBytes.value }),
      ...(m.workingSetBytes && { workingSetBytes: m.workingSetBytes.value }),
      ...(m.rssBytes && { rssBytes: m.rssBytes.value }),
      ...(m.pageFaults && { pageFaults: m.pageFaults.value }),
      ...(m.majorPageFaults && { majorPageFaults: m.majorPageFaults.value }),
    };
  }
  function containerSummary(
    s: ContainerStats,
    startTime: string,
    disk: Disk,
    image: Filesystem | undefined,
    logs: Filesystem | undefined,
  ) {
    const { memory, cpu, writableLayer: layer } = s;
    const name = s.attributes.labels[containerNameLabel] ?? s.attributes.metadata.name;
    const log = disk.logs.get(name);
    const [nanos, cores] = [cpu?.usageCoreNanoSeconds?.value ?? 0, cpu?.usageNanoCores?.value];
    return {
      name,
      startTime,
      ...(cpu && { cpu: cpuOf(s.attributes.id, nanos, time(cpu.timestamp, clock.now()), cores) }),
      ...(memory && { memory: memoryOf(memory) }),
      ...(layer && { rootfs: fsStats(image, layer.usedBytes?.value ?? 0, layer.inodesUsed?.value ?? 0) }),
      ...(log && { logs: fsStats(logs, log.bytes, log.inodes) }),
    } satisfies ContainerSummary;
  }
  function networkOf(sandbox: SandboxStats | undefined): { network: NetworkStats } | undefined {
    const network = sandbox?.linux?.network;
    const shown = (i: NonNullable<typeof network>['interfaces'][number]) => ({
      name: i.name,
      rxBytes: i.rxBytes?.value ?? 0,
      rxErrors: i.rxErrors?.value ?? 0,
      txBytes: i.txBytes?.value ?? 0,
      txErrors: i.txErrors?.value ?? 0,
    });
    if (!network?.defaultInterface) return undefined;
    const all = [network.defaultInterface, ...network.interfaces];
    const at = time(network.timestamp, clock.now());
    return { network: { time: at, ...shown(network.defaultInterface), interfaces: all.map(shown) } };
  }

  interface Sources {
    containers: readonly ContainerStats[];
    sandboxes: readonly SandboxStats[];
    image: Filesystem | undefined;
    node: Filesystem | undefined;
  }
  async function sources(labels?: Record<string, string>): Promise<Sources> {
    const [containers, sandboxes, image, node] = await Promise.all([
      runtime.listContainerStats(labels),
      runtime.listPodSandboxStats(labels).catch((): SandboxStats[] => []),
      filesystemOf(imagePath),
      filesystemOf(storagePath),
    ]);
    return { containers, sandboxes, image, node };
  }
  async function podSummary(worker: PodWorker, from: Sources): Promise<PodSummary> {
    const { pod, view } = worker;
    const uid = uidOf(pod);
    const mine = (s: { attributes: { labels: Record<string, string> } }) => s.attributes.labels[podUidLabel] === uid;
    const started = new Map([...view.containers.values()].flat().map(c => [c.status.id, c]));
    const running = from.containers.filter(s => mine(s) && isRunning(started.get(s.attributes.id)));
    const [disk, usage] = await Promise.all([diskOf(pod), host.cgroups.usage(host.cgroupParent(pod))]);
    const sandbox = from.sandboxes.find(mine);
    const containers = running.map(s =>
      containerSummary(
        s,
        time(started.get(s.attributes.id)?.status.startedAt, clock.now()),
        disk,
        from.image,
        from.node,
      ),
    );
    const at = rfc3339(clock.now());
    const local = new Set(localVolumes(pod));
    const parts = [
      ...containers.flatMap(c => [c.rootfs, c.logs]),
      ...disk.volumes.filter(v => local.has(v.name)),
    ].filter(p => p !== undefined);
    const sum = (pick: (f: FsStats) => number | undefined) => parts.reduce((n, f) => n + (pick(f) ?? 0), 0);
    const processes = usage?.processes ?? sandbox?.linux?.process?.processCount?.value;
    return {
      podRef: { name: pod.metadata.name ?? '', namespace: pod.metadata.namespace ?? '', uid },
      startTime: worker.status?.startTime ?? at,
      containers,
      ...(usage && {
        cpu: cpuOf(`pod ${uid}`, usage.cpuNanos, at),
        memory: { time: at, usageBytes: usage.memoryBytes, workingSetBytes: usage.workingSetBytes },
      }),
      ...networkOf(sandbox),
      ...(disk.volumes.length > 0 && { volume: disk.volumes }),
      'ephemeral-storage': fsStats(
        from.node,
        sum(f => f.usedBytes),
        sum(f => f.inodesUsed),
      ),
      ...(processes !== undefined && { process_stats: { process_count: processes } }),
    };
  }
  function forgetOld(workers: readonly PodWorker[]): void {
    const uids = new Set(workers.map(w => uidOf(w.pod)));
    for (const uid of disks.keys()) if (!uids.has(uid)) disks.delete(uid);
    const ids = workers.flatMap(w => [
      `pod ${uidOf(w.pod)}`,
      ...[...w.view.containers.values()].flat().map(c => c.status.id),
    ]);
    const current = new Set(['node', ...ids]);
    for (const key of samples.keys()) if (!current.has(key)) samples.delete(key);
  }

  return {
    async pod(pod) {
      const worker = kubelet.pods().find(w => uidOf(w.pod) === uidOf(pod));
      if (!worker) throw new Error(`pod "${pod.metadata.name}" is not on this node`);
      forgetOld(kubelet.pods());
      return podSummary(worker, await sources({ [podUidLabel]: uidOf(pod) }));
    },
    async summary() {
      const workers = kubelet.pods().filter(w => w.view.sandboxes.some(s => s.state === 'SANDBOX_READY'));
      forgetOld(kubelet.pods());
      const [usage, from, images] = await Promise.all([
        machineUsage(storagePath),
        sources(),
        runtime.imageFsInfo().catch(() => []),
      ]);
      const at = rfc3339(clock.now());
      const used = usage.memoryTotal - usage.memoryAvailable;
      const imageUsed = images.reduce((n, i) => n + (i.usedBytes?.value ?? 0), 0);
      const imageInodes = images.reduce((n, i) => n + (i.inodesUsed?.value ?? 0), 0);
      const imageFs = fsStats(from.image, imageUsed, imageInodes);
      const nodeUsed = usage.storageTotal - usage.storageAvailable;
      return {
        node: {
          nodeName,
          startTime: rfc3339(usage.bootedAtMs),
          cpu: cpuOf('node', usage.cpuNanos, at),
          memory: { time: at, availableBytes: usage.memoryAvailable, usageBytes: used, workingSetBytes: used },
          swap: { time: at, swapAvailableBytes: usage.swapFree, swapUsageBytes: usage.swapTotal - usage.swapFree },
          ...(usage.network && { network: { time: at, ...usage.network, interfaces: usage.interfaces } }),
          fs: fsStats(from.node, nodeUsed, usage.inodesTotal - usage.inodesFree),
          runtime: { imageFs, containerFs: imageFs },
          rlimit: { time: at, maxpid: usage.maxProcesses, curproc: usage.processes },
        },
        pods: await Promise.all(workers.map(w => podSummary(w, from))),
      };
    },
  };
}
