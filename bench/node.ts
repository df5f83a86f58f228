/**
 * The node: pods from create to Running against the same CRI calls made bare, the agent's memory, and its network (`network.ts`). Needs root
 * and containerd; what cannot run here is left out.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerRuntime, SandboxConfig } from '../src/kubelet/runtime/contract.ts';
import { busyboxArchive, busyboxImage } from '../test/support/images.ts';
import { createLinuxNodeFixture, type LinuxNodeFixture } from '../test/support/linux-node.ts';
import { createMachines } from '../test/support/machines.ts';
import { whyNoContainers } from '../test/support/node.ts';
import { type Part, startPart } from '../test/support/processes.ts';
import { run as network } from './network.ts';
import type { BenchResult } from './result.ts';

const count = 50;
const memoryPods = 30;
const command = ['sleep', '100000'];
const names = Array.from({ length: count }, (_, i) => i);

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Sandbox, container, start: what every kubelet must ask for, for so many pods at a time. */
async function bare(runtime: ContainerRuntime, dir: string, atOnce: number): Promise<number> {
  const sandboxes: string[] = [];
  const waiting = [...names];
  const work = async () => {
    for (let i = waiting.shift(); i !== undefined; i = waiting.shift()) await one(i);
  };
  const one = async (i: number) => {
    const config: SandboxConfig = {
      metadata: { name: `bare${i}`, uid: `bare-uid-${i}`, namespace: 'default', attempt: 0 },
      hostname: `bare${i}`,
      logDirectory: join(dir, 'bare', String(i)),
      labels: {},
      annotations: {},
      linux: { securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } } },
    };
    mkdirSync(config.logDirectory, { recursive: true });
    const sandbox = await runtime.runPodSandbox(config, '');
    sandboxes.push(sandbox);
    const container = {
      ...{ metadata: { name: 'c', attempt: 0 }, image: { image: busyboxImage }, command, logPath: 'c.log' },
      ...{ args: [], envs: [], mounts: [], devices: [], labels: {}, annotations: {} },
    };
    const id = await runtime.createContainer(sandbox, container, config);
    await runtime.startContainer(id);
  };
  const took = await seconds(() => Promise.all(Array.from({ length: atOnce }, work)));
  for (const id of sandboxes) {
    await runtime.stopPodSandbox(id);
    await runtime.removePodSandbox(id);
  }
  return took;
}

async function throughKubelet(node: LinuxNodeFixture): Promise<number> {
  const took = await seconds(() =>
    Promise.all(
      names.map(async i => {
        await node.create(`p${i}`, {
          containers: [{ name: 'c', image: busyboxImage, command }],
          terminationGracePeriodSeconds: 0,
        });
        await node.until(`p${i}`, pod => pod.status?.phase === 'Running', 120);
      }),
    ),
  );
  await Promise.all(
    names.map(async i => {
      await node.client.resource('v1/pods', 'default').delete(`p${i}`, { gracePeriodSeconds: 0 });
      await node.gone(`p${i}`);
    }),
  );
  return took;
}

async function podStart(): Promise<BenchResult[]> {
  const node = await createLinuxNodeFixture({}, '10.199.3.0/24');
  try {
    // The first time of each pays for cold files; the floor is the best that a caller can do, few at a time or all at once.
    const floors: number[] = [];
    const values: number[] = [];
    for (const atOnce of [4, 8, count]) {
      floors.push(await bare(node.node.runtime, node.dir, atOnce));
      values.push(await throughKubelet(node));
    }
    const [floor, value] = [Math.min(...floors), Math.min(...values)];
    const ratio = value / floor;
    return [
      {
        ...{ name: `${count} pods from create to Running`, value, unit: 's', floor, ratio },
        ...{ target: '≤ 1.3', met: ratio <= 1.3 },
      },
      { name: '  floor: the same CRI calls made bare', value: floor, unit: 's' },
    ];
  } finally {
    await node.destroy();
  }
}

/** Resident memory of a process, MB. */
function residentOf(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes ?? 0) / 1024;
}

/** The processes of the agent's own program below a process, itself included: containers and their runtime are not the agent's. */
function agentProcesses(root: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      if (/\((node|MainThread)/.test(stat))
        parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]));
    } catch {
      // It ended meanwhile.
    }
  }
  const under = (pid: number): boolean => pid === root || (parents.has(pid) && under(parents.get(pid) ?? 0));
  return [...parents.keys()].filter(under);
}

const pods = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: idle}
spec:
  replicas: ${memoryPods}
  selector: {matchLabels: {app: idle}}
  template:
    metadata: {labels: {app: idle}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: ${busyboxImage}, command: [sleep, "100000"]}]
`;

/** The program as users have it: bundled, without sources. Returns its path. */
function installation(directory: string): string {
  const root = join(import.meta.dirname, '..');
  cpSync(join(root, 'bin'), join(directory, 'bin'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  const build = [join(root, 'scripts', 'build.ts'), `--outdir=${join(directory, 'dist')}`];
  execFileSync(process.execPath, build, { cwd: root, stdio: 'ignore' });
  return join(directory, 'bin', 'tsukube');
}

/** A server and an agent as processes of their own, each in a namespace. */
async function agentMemory(): Promise<BenchResult[]> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-node-'));
  const dir = (name: string) => join(directory, name);
  const tsukube = installation(dir('install'));
  const { machines, remove } = await createMachines(2);
  const parts: Part[] = [];
  try {
    const [first, second] = machines;
    if (!first || !second) throw new Error('no machines');
    const serve = [tsukube, 'server', `--data-dir=${dir('server')}`, '--advertise-address=10.77.0.1'];
    const server = await startPart(first, serve, /--token (\S+)/);
    parts.push(server);
    const join_ = ['--server=https://10.77.0.1:6443', `--token=${server.match[1] ?? ''}`, '--node-name=node1'];
    const agent = await startPart(
      second,
      [tsukube, 'agent', ...join_, '--node-ip=10.77.0.2', `--data-dir=${dir('node')}`],
      /The node has joined/,
    );
    parts.push(agent);
    writeFileSync(dir('busybox.tar'), busyboxArchive());
    await second.run('sh', tsukube, 'image', 'import', dir('busybox.tar'), `--data-dir=${dir('node')}`);
    writeFileSync(dir('pods.yaml'), pods);
    const kubectl = (...args: string[]) =>
      first.run('kubectl', '--kubeconfig', join(dir('server'), 'admin.kubeconfig'), ...args);
    await kubectl('apply', '-f', dir('pods.yaml'));
    await kubectl('rollout', 'status', 'deployment/idle', '--timeout=120s');
    // What starting needed is given back after a while.
    await new Promise(resolve => setTimeout(resolve, 10_000));
    const value = agentProcesses(agent.pid).reduce((sum, pid) => sum + residentOf(pid), 0);
    await kubectl('delete', 'deployment', 'idle', '--wait');
    return [
      {
        ...{ name: `memory of the node agent with ${memoryPods} pods`, value, unit: 'MB' },
        ...{ target: '≤ 90', met: value <= 90 },
      },
    ];
  } finally {
    for (const part of parts.reverse()) await part.stop();
    await remove();
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function run(): Promise<BenchResult[]> {
  const why = whyNoContainers();
  if (why) console.log(`pods are left out: this ${why}`);
  const real = why ? [] : [...(await podStart()), ...(await agentMemory())];
  return [...real, ...(await network())];
}
