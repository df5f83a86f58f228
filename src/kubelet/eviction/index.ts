/** Watches memory, disk and processes, tells the node's pressure and evicts one pod at a time. Upstream: pkg/kubelet/eviction. */
import type { Pod } from '../../api/types/core-v1.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { machineUsage } from '../host/machine.ts';
import type { Kubelet } from '../kubelet.ts';
import { uidOf } from '../pod/names.ts';
import { filesystemOf } from '../stats/disk.ts';
import type { Stats } from '../stats/summary.ts';
import type { FsStats, PodSummary } from '../stats/types.ts';
import { type Candidate, evictionMessage, mayEvict, rank, resourceOf } from './choose.ts';
import { brokenStorageLimit, hasStorageLimits } from './local-storage.ts';
import { createJudge, defaultThresholds, type Observations, type Threshold } from './thresholds.ts';

export interface EvictionOptions {
  kubelet: Kubelet;
  stats: Stats;
  storagePath: string;
  imagePath: string;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  /** Removes images and containers that nobody uses: tried before a pod is evicted for the disk. */
  freeDisk(): Promise<void>;
  thresholds?: readonly Threshold[];
  /** A pod evicted at a soft threshold gets its own grace period, at most this. Seconds; default 0. */
  maxPodGraceSeconds?: number;
  /** A condition stays this long after the last time it was true; default 5 minutes. */
  transitionMs?: number;
  /** Tests give their own numbers. */
  observe?(): Promise<Observations>;
  intervalMs?: number;
}

const defaultIntervalMs = 10_000;
const defaultTransitionMs = 300_000;
const immediateGraceSeconds = 1;

async function observeMachine(storagePath: string, imagePath: string): Promise<Observations> {
  const u = await machineUsage(storagePath);
  const images = await filesystemOf(imagePath);
  const own = images !== undefined && images.capacityBytes !== u.storageTotal;
  return {
    'memory.available': { available: u.memoryAvailable, capacity: u.memoryTotal },
    'nodefs.available': { available: u.storageAvailable, capacity: u.storageTotal },
    'nodefs.inodesFree': { available: u.inodesFree, capacity: u.inodesTotal },
    ...(own && {
      'imagefs.available': { available: images.availableBytes, capacity: images.capacityBytes },
      'imagefs.inodesFree': { available: images.inodesFree, capacity: images.inodes },
    }),
    'pid.available': { available: u.maxProcesses - u.processes, capacity: u.maxProcesses },
  };
}

export async function startEviction(options: EvictionOptions): Promise<void> {
  const { kubelet, stats, clock, log, signal } = options;
  const { recorder, meters } = kubelet.context;
  const judge = createJudge(options.thresholds ?? defaultThresholds, options.transitionMs ?? defaultTransitionMs);
  const observe = options.observe ?? (() => observeMachine(options.storagePath, options.imagePath));
  let shown = '';

  async function look(): Promise<void> {
    const seen = await observe();
    const { pressure, due } = judge(seen, clock.monotonic());
    if (JSON.stringify(pressure) !== shown) kubelet.setPressure(pressure);
    shown = JSON.stringify(pressure);
    if (await enforceStorageLimits()) return;
    const [first] = due;
    if (!first) return;
    if (resourceOf[first.signal] === 'ephemeral-storage' || resourceOf[first.signal] === 'inodes') {
      await options.freeDisk();
      const after = judge(await observe(), clock.monotonic());
      if (!after.due.includes(first)) return;
    }
    await evictOne(first, seen);
  }
  async function evictOne(threshold: Threshold, seen: Observations): Promise<void> {
    const { pods } = await stats.summary();
    const candidates = active().flatMap(pod => {
      const used = pods.find(p => p.podRef.uid === uidOf(pod));
      return used ? [candidateOf(pod, used)] : [];
    });
    const [chosen] = rank(candidates, threshold.signal);
    const observed = seen[threshold.signal];
    if (!chosen || !observed) return;
    const own = chosen.pod.spec.terminationGracePeriodSeconds ?? 30;
    const grace =
      threshold.graceMs === undefined ? immediateGraceSeconds : Math.min(own, options.maxPodGraceSeconds ?? 0);
    evict(chosen.pod, evictionMessage(threshold, observed, chosen), threshold.signal, grace, true);
  }
  /** True when a pod went for it: its space is looked at before more go. */
  async function enforceStorageLimits(): Promise<boolean> {
    let any = false;
    for (const pod of active().filter(p => mayEvict(p) && hasStorageLimits(p))) {
      const used = await stats.pod(pod);
      const volumes = new Map((used.volume ?? []).map(v => [v.name, v.usedBytes ?? 0]));
      const broken = brokenStorageLimit(candidateOf(pod, used), volumes);
      if (!broken) continue;
      evict(pod, broken.message, broken.signal, immediateGraceSeconds, false);
      any = true;
    }
    return any;
  }
  /** `disruption`: the node's shortage, not the pod's own doing. */
  function evict(pod: Pod, message: string, why: string, graceSeconds: number, disruption: boolean): void {
    log.warn('evicting a pod', { pod: `${pod.metadata.namespace}/${pod.metadata.name}`, signal: why });
    recorder.event({ ...pod, apiVersion: 'v1', kind: 'Pod' }, 'Warning', 'Evicted', message);
    meters.evicted(why);
    const worker = kubelet.pods().find(w => uidOf(w.pod) === uidOf(pod));
    worker?.fail({ reason: 'Evicted', message, graceSeconds, disruption });
  }
  const active = () =>
    kubelet
      .pods()
      .filter(w => !w.ending && (w.status?.phase === 'Running' || w.status?.phase === 'Pending'))
      .map(w => w.pod);

  while (!signal.aborted) {
    await look().catch((e: unknown) => log.debug('eviction could not look', { error: messageOf(e) }));
    await sleep(clock, options.intervalMs ?? defaultIntervalMs, signal).catch(() => undefined);
  }
}

function candidateOf(pod: Pod, used: PodSummary): Candidate {
  const bytes = (f: FsStats | undefined) => f?.usedBytes ?? 0;
  return {
    pod,
    memoryBytes: used.memory?.workingSetBytes ?? 0,
    diskBytes: bytes(used['ephemeral-storage']),
    inodes: used['ephemeral-storage']?.inodesUsed ?? 0,
    processes: used.process_stats?.process_count ?? 0,
    containers: used.containers.map(c => ({
      name: c.name,
      memoryBytes: c.memory?.workingSetBytes ?? 0,
      diskBytes: bytes(c.rootfs) + bytes(c.logs),
    })),
  };
}
