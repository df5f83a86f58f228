/** Cgroups of pods under their quality-of-service classes, on cgroup v1 (and hybrid) and v2. Upstream: pkg/kubelet/cm. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import type { Pod } from '../../api/types/core-v1.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { uidOf } from '../pod/names.ts';
import { milliCpuToQuota, milliCpuToShares, podTotals, qosClass } from '../pod/resources.ts';

export interface PodCgroups {
  readonly version: 1 | 2;
  /** The path the runtime is given as the pod's cgroup parent. */
  parentOf(pod: Pod): string;
  /** Makes the pod's cgroup and sets its limits. */
  apply(pod: Pod): Promise<void>;
  /** Kills what still runs in the pod's cgroup and removes it. Rejects when the kernel does not let go of it. */
  remove(uid: string): Promise<void>;
  /** Uids of pods that have a cgroup in any hierarchy. */
  list(): Promise<string[]>;
  /** Numbers of one cgroup, for stats; undefined when it is not there. */
  usage(path: string): Promise<CgroupUsage | undefined>;
}

export interface CgroupUsage {
  cpuNanos: number;
  memoryBytes: number;
  workingSetBytes: number;
  processes: number;
}

/** v1 hierarchies in which pods get limits. */
const controllers = ['cpu', 'memory', 'pids'];
const qosDirectories = { Guaranteed: '', Burstable: '/burstable', BestEffort: '/besteffort' } as const;

/** 1.35's formula from shares (2…262144) to weights (1…10000). */
export function sharesToWeight(shares: number): number {
  const l = Math.log2(Math.min(262_144, Math.max(2, shares)));
  const exponent = (l * l + 125 * l) / 612 - 7 / 34;
  return Math.ceil(10 ** exponent);
}

/** A killed process leaves its cgroups a moment later. */
const removeRetryMs = 10;
const removeAttempts = 50;

const defaultMountRoot = '/sys/fs/cgroup';
const isUnified = (mountRoot: string) => existsSync(`${mountRoot}/cgroup.controllers`);

/** On v1 the runtime makes a container's cgroup in hierarchies in which its pod has no limits, too. */
async function hierarchies(mountRoot: string): Promise<string[]> {
  if (isUnified(mountRoot)) return [mountRoot];
  return (await readdir(mountRoot).catch(() => [])).map(name => `${mountRoot}/${name}`);
}

/**
 * Kills what still runs in these cgroups and removes them, with those below, from every hierarchy. Rejects when the kernel does not let
 * go of one.
 */
export async function removeCgroups(
  paths: readonly string[],
  clock: Clock,
  mountRoot = defaultMountRoot,
): Promise<void> {
  const bases = await hierarchies(mountRoot);
  let left = bases.flatMap(base => paths.map(path => `${base}${path}`));
  for (let attempt = 0; attempt < removeAttempts; attempt++) {
    if (attempt > 0) await sleep(clock, removeRetryMs);
    for (const directory of left) await killTree(directory);
    for (const directory of left) await removeTree(directory);
    left = left.filter(directory => existsSync(directory));
    if (left.length === 0) return;
  }
  throw new Error(`cgroups cannot be removed: ${left.join(', ')}`);
}

/** `root`: an absolute cgroup path that is the node's own, e.g. `/kubepods`. `mountRoot`: where the hierarchies are. */
export function createPodCgroups(root: string, clock: Clock, mountRoot = defaultMountRoot): PodCgroups {
  const v2 = isUnified(mountRoot);
  const roots = v2 ? [mountRoot] : controllers.map(c => `${mountRoot}/${c}`).filter(existsSync);
  const parentOf = (pod: Pod) => `${root}${qosDirectories[qosClass(pod)]}/pod${uidOf(pod)}`;

  async function make(path: string): Promise<void> {
    const parts = path.split('/').filter(Boolean);
    for (const base of roots) {
      let at = base;
      for (const part of parts) {
        if (v2) await delegate(at);
        at += `/${part}`;
        await mkdir(at).catch((e: NodeJS.ErrnoException) => {
          if (e.code !== 'EEXIST') throw e;
        });
      }
    }
  }
  async function delegate(path: string): Promise<void> {
    const available = (await readFile(`${path}/cgroup.controllers`, 'utf8')).trim().split(' ');
    for (const c of available) await writeFile(`${path}/cgroup.subtree_control`, `+${c}`).catch(() => undefined);
  }
  const set = (controller: string, path: string, file: string, value: string | number) =>
    writeFile(`${v2 ? mountRoot : `${mountRoot}/${controller}`}${path}/${file}`, String(value)).catch(() => undefined);

  async function setLimits(path: string, pod: Pod): Promise<void> {
    const { cpuRequest, cpuLimit, memoryLimit } = podTotals(pod);
    const shares = milliCpuToShares(cpuRequest);
    const quota = milliCpuToQuota(cpuLimit);
    if (v2) {
      await set('cpu', path, 'cpu.weight', sharesToWeight(shares));
      await set('cpu', path, 'cpu.max', quota > 0 ? `${quota} 100000` : 'max 100000');
      await set('memory', path, 'memory.max', memoryLimit > 0 ? memoryLimit : 'max');
      return;
    }
    await set('cpu', path, 'cpu.shares', shares);
    await set('cpu', path, 'cpu.cfs_quota_us', quota > 0 ? quota : -1);
    await set('memory', path, 'memory.limit_in_bytes', memoryLimit > 0 ? memoryLimit : -1);
  }

  return {
    version: v2 ? 2 : 1,
    parentOf,
    async apply(pod) {
      const path = parentOf(pod);
      await make(path);
      await setLimits(path, pod);
      if (qosClass(pod) === 'BestEffort')
        await (v2
          ? set('cpu', `${root}/besteffort`, 'cpu.weight', 1)
          : set('cpu', `${root}/besteffort`, 'cpu.shares', 2));
    },
    remove(uid) {
      const paths = Object.values(qosDirectories).map(directory => `${root}${directory}/pod${uid}`);
      return removeCgroups(paths, clock, mountRoot);
    },
    async list() {
      const found = new Set<string>();
      for (const base of await hierarchies(mountRoot))
        for (const directory of Object.values(qosDirectories))
          for (const name of await readdir(`${base}${root}${directory}`).catch(() => []))
            if (/^pod[0-9a-f-]{32,}$/.test(name)) found.add(name.slice(3));
      return [...found];
    },
    usage: path => (v2 ? usageV2(`${mountRoot}${path}`) : usageV1(mountRoot, path)),
  };
}

async function childrenOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter(e => e.isDirectory()).map(e => `${path}/${e.name}`);
}

/** Containers have been stopped by now; what is left belongs to none, such as a start that died half-way with the agent. */
async function killTree(path: string): Promise<void> {
  for (const child of await childrenOf(path)) await killTree(child);
  const members = await readFile(`${path}/cgroup.procs`, 'utf8').catch(() => '');
  for (const pid of members.split('\n').map(Number)) {
    // 0 is a process of another pid namespace.
    if (pid === 0) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'ESRCH') throw e;
    }
  }
}

async function removeTree(path: string): Promise<void> {
  for (const child of await childrenOf(path)) await removeTree(child);
  await rmdir(path).catch(() => undefined);
}

const numberIn = async (path: string): Promise<number> => Number((await readFile(path, 'utf8')).trim());
const field = (text: string, name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);

async function usageV1(mountRoot: string, path: string) {
  try {
    const memoryBytes = await numberIn(`${mountRoot}/memory${path}/memory.usage_in_bytes`);
    const inactive = field(await readFile(`${mountRoot}/memory${path}/memory.stat`, 'utf8'), 'total_inactive_file');
    const cpuNanos = await numberIn(`${mountRoot}/cpuacct${path}/cpuacct.usage`);
    const processes = await numberIn(`${mountRoot}/pids${path}/pids.current`).catch(() => 0);
    return { cpuNanos, processes, memoryBytes, workingSetBytes: Math.max(0, memoryBytes - inactive) };
  } catch {
    return undefined;
  }
}
async function usageV2(path: string) {
  try {
    const memoryBytes = await numberIn(`${path}/memory.current`);
    const inactive = field(await readFile(`${path}/memory.stat`, 'utf8'), 'inactive_file');
    const cpuNanos = field(await readFile(`${path}/cpu.stat`, 'utf8'), 'usage_usec') * 1000;
    const processes = await numberIn(`${path}/pids.current`).catch(() => 0);
    return { cpuNanos, processes, memoryBytes, workingSetBytes: Math.max(0, memoryBytes - inactive) };
  } catch {
    return undefined;
  }
}
