/** Watches memory, disk and processes, tells the node's pressure and evicts one pod at a time. Upstream: pkg/kubelet/eviction. */
import { type Clock, sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { machineUsage } from '../host/machine.ts';
import type { Kubelet } from '../kubelet.ts';
import type { Machine } from '../node/machine.ts';
import { podUidLabel, uidOf } from '../pod/names.ts';
import {
  type Candidate,
  defaultThresholds,
  evictionMessage,
  isBelow,
  type Observation,
  rank,
  type Signal,
  type Threshold,
} from './choose.ts';

export interface EvictionOptions {
  kubelet: Kubelet;
  machine: Machine;
  storagePath: string;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  thresholds?: readonly Threshold[];
  /** Tests give their own numbers. */
  observe?(): Promise<Record<Signal, Observation>>;
  intervalMs?: number;
}

const defaultIntervalMs = 10_000;
/** A condition stays this long after the last time it was true. */
const transitionMs = 300_000;

async function observeMachine(storagePath: string): Promise<Record<Signal, Observation>> {
  const u = await machineUsage(storagePath);
  return {
    'memory.available': { available: u.memoryAvailable, capacity: u.memoryTotal },
    'nodefs.available': { available: u.storageAvailable, capacity: u.storageTotal },
    'nodefs.inodesFree': { available: u.inodesFree, capacity: u.inodesTotal },
    'pid.available': { available: u.maxProcesses - u.processes, capacity: u.maxProcesses },
  };
}

export async function startEviction(options: EvictionOptions): Promise<void> {
  const { kubelet, clock, log, signal } = options;
  const thresholds = options.thresholds ?? defaultThresholds;
  const lastTrue = new Map<string, number>();
  const recent = (name: string, now: boolean): boolean => {
    if (now) lastTrue.set(name, clock.monotonic());
    const at = lastTrue.get(name);
    return at !== undefined && clock.monotonic() - at < transitionMs;
  };
  let shown = '';
  async function look(): Promise<void> {
    const seen = await (options.observe?.() ?? observeMachine(options.storagePath));
    const met = thresholds.filter(t => isBelow(t, seen[t.signal]));
    const has = (...signals: Signal[]) => met.some(t => signals.includes(t.signal));
    const pressure = {
      memory: recent('memory', has('memory.available')),
      disk: recent('disk', has('nodefs.available', 'nodefs.inodesFree')),
      pid: recent('pid', has('pid.available')),
    };
    if (JSON.stringify(pressure) !== shown) kubelet.setPressure(pressure);
    shown = JSON.stringify(pressure);
    const [first] = met;
    if (first) await evictOne(first, seen[first.signal]);
  }
  async function evictOne(threshold: Threshold, seen: Observation): Promise<void> {
    const [chosen] = rank(await candidates(kubelet), threshold.signal);
    if (!chosen) return;
    const message = evictionMessage(threshold.signal, threshold, seen, chosen);
    log.warn('evicting a pod', {
      pod: `${chosen.pod.metadata.namespace}/${chosen.pod.metadata.name}`,
      signal: threshold.signal,
    });
    const about = { ...chosen.pod, apiVersion: 'v1', kind: 'Pod' };
    kubelet.context.recorder.event(about, 'Warning', 'Evicted', message);
    kubelet
      .pods()
      .find(w => uidOf(w.pod) === uidOf(chosen.pod))
      ?.fail('Evicted', message, 0);
  }
  while (!signal.aborted) {
    await look().catch((e: unknown) => log.debug('eviction could not look', { error: messageOf(e) }));
    await sleep(clock, options.intervalMs ?? defaultIntervalMs, signal).catch(() => undefined);
  }
}

async function candidates(kubelet: Kubelet): Promise<Candidate[]> {
  const stats = await kubelet.context.runtime.listContainerStats().catch(() => []);
  return kubelet
    .pods()
    .filter(w => w.status?.phase === 'Running' || w.status?.phase === 'Pending')
    .map(({ pod }) => {
      const own = stats.filter(s => s.attributes.labels[podUidLabel] === uidOf(pod));
      const sum = (pick: (s: (typeof own)[number]) => number | undefined) =>
        own.reduce((n, s) => n + (pick(s) ?? 0), 0);
      return {
        pod,
        memoryBytes: sum(s => s.memory?.workingSetBytes?.value),
        diskBytes: sum(s => s.writableLayer?.usedBytes?.value),
        processes: own.length,
      };
    });
}
