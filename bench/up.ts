/**
 * What `tsukube up` costs: time until the API, the node and a first pod are there, on a cold and a warm start, and memory and CPU of an idle
 * cluster. Needs root and Linux for real containers; elsewhere it measures a simulated node and no pod. There is no floor: targets are absolute.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ociArchive } from '../src/kubelet/images/oci-archive.ts';
import { busyboxDraft } from '../test/support/images.ts';
import { createMachine, type Machine } from '../test/support/machine.ts';
import { whyNoContainers } from '../test/support/node.ts';
import type { BenchResult } from './result.ts';

/** How long an idle cluster is watched, after it has settled. */
const settleMs = 5_000;
const idleMs = 30_000;
const ticksPerSecond = 100;

const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

interface StartTimes {
  readonly api: number;
  readonly node: number;
  readonly startedAt: number;
}

async function start(machine: Machine): Promise<StartTimes> {
  const startedAt = performance.now();
  const said = await machine.ok(`tsukube up --detach --data-dir ${machine.dataDir}`, 180);
  const seconds = (line: RegExp) => Number(line.exec(said)?.[1] ?? Number.NaN);
  return {
    api: seconds(/API server ready .*\(([\d.]+) s\)/),
    node: seconds(/[Nn]odes? .*ready \(([\d.]+) s\)/),
    startedAt,
  };
}

/** Creates a pod from an image that is there, and gives the milliseconds until it runs. */
async function firstPod(machine: Machine): Promise<number> {
  const file = join(machine.dir, 'busybox.tar');
  writeFileSync(file, ociArchive(busyboxDraft()));
  await machine.ok(`tsukube image import --data-dir ${machine.dataDir} ${file}`);
  const startedAt = performance.now();
  await machine.ok('kubectl run first --image=localhost/busybox:1 --restart=Never -- sleep 600');
  await machine.ok("kubectl wait --for=jsonpath='{.status.phase}'=Running pod/first --timeout=60s", 70);
  const ms = performance.now() - startedAt;
  await machine.ok('kubectl delete pod first --grace-period=0 --force');
  return ms;
}

interface Usage {
  readonly name: string;
  /** Resident, with pages that several processes share. */
  readonly rssKiB: number;
  /** Resident, shared pages divided among those that share them. */
  readonly pssKiB: number;
  readonly ticks: number;
}

/** Our own processes and containerd's, by what they are. */
function usage(machine: Machine): Usage[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return pids.flatMap(pid => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const environment = line.includes('tsukube') ? readFileSync(`/proc/${pid}/environ`, 'utf8') : '';
      if (!line.includes(machine.dataDir) && !environment.includes(`HOME=${machine.dir}\0`)) return [];
      const name = /containerd/.test(line)
        ? 'containerd'
        : (/tsukube\S*\.js (\S+)|main\.ts (\S+)/.exec(line)?.[1] ?? 'up');
      const rssKiB = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      const pssKiB = Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ name, rssKiB, pssKiB, ticks: Number(fields[11]) + Number(fields[12]) }];
    } catch {
      return [];
    }
  });
}

async function idle(machine: Machine): Promise<BenchResult[]> {
  await wait(settleMs);
  const before = usage(machine);
  await wait(idleMs);
  const after = usage(machine);
  const ours = (list: Usage[]) => list.filter(u => u.name !== 'containerd');
  const sum = (list: Usage[], key: 'rssKiB' | 'pssKiB' | 'ticks') => list.reduce((total, each) => total + each[key], 0);
  const percent = (list: (all: Usage[]) => Usage[]) =>
    ((sum(list(after), 'ticks') - sum(list(before), 'ticks')) / ticksPerSecond / (idleMs / 1000)) * 100;
  const megabytes = (key: 'rssKiB' | 'pssKiB') => (sum(ours(after), key) * 1024) / 1e6;
  const memory = megabytes('pssKiB');
  const cpu = percent(ours);
  return [
    ...after.map(u => ({ name: `  memory of ${u.name}, resident`, value: (u.rssKiB * 1024) / 1e6, unit: 'MB' })),
    { name: 'idle memory, control plane and agent', value: memory, unit: 'MB', target: '≤ 300', met: memory <= 300 },
    { name: 'the same, shared pages counted in each process', value: megabytes('rssKiB'), unit: 'MB' },
    { name: 'idle CPU, control plane and agent', value: cpu, unit: '% of a core', target: '≤ 2', met: cpu <= 2 },
  ];
}

export async function run(): Promise<BenchResult[]> {
  const machine = await createMachine('bench-up');
  try {
    const cold = await start(machine);
    const pod = whyNoContainers() === undefined ? await firstPod(machine) : undefined;
    const resting = await idle(machine);
    await machine.ok(`tsukube down --data-dir ${machine.dataDir}`, 120);
    const warm = await start(machine);
    const seconds = (name: string, value: number, most: number): BenchResult => ({
      name,
      value,
      unit: 's',
      target: `≤ ${most}`,
      met: value <= most,
    });
    const total = pod === undefined ? [] : [seconds('node ready, and then a pod running', cold.node + pod / 1000, 6)];
    return [
      seconds('API ready, first start', cold.api, 1),
      seconds('node ready, first start', cold.node, 4),
      ...total,
      seconds('API ready, started again', warm.api, 1),
      seconds('node ready, started again', warm.node, 4),
      ...resting,
    ];
  } finally {
    await machine.destroy();
  }
}
