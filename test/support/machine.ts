/** A "machine" for tests of the command line: a network namespace, a home and a data directory of its own, and nothing left afterwards. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { clusterId } from '../../src/cli/cluster.ts';
import { createNamespace, type Namespace } from './netns.ts';

export const checkout = resolve(import.meta.dirname, '../..');

export interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Machine {
  readonly dir: string;
  readonly dataDir: string;
  readonly kubeconfig: string;
  readonly namespace: Namespace;
  /** Runs a shell command inside the machine. */
  run(command: string, options?: { input?: string; seconds?: number; user?: number }): Promise<Output>;
  /** As `run`; rejects with what was said unless it succeeds. Gives standard output. */
  ok(command: string, seconds?: number): Promise<string>;
  /** Tries again until the command succeeds with an answer that matches, or rejects after `seconds`. */
  until(command: string, matches: RegExp, seconds: number): Promise<string>;
  /** A program that runs inside the machine until its standard input ends; gives what it printed then. */
  background(file: string, ...args: string[]): { stop(): Promise<string> };
  /** What a cluster in this directory left on the machine: devices, tables, mounts, cgroups, processes, directories. */
  leftovers(dataDir?: string): Promise<string[]>;
  destroy(): Promise<void>;
}

/** @param root the checkout that `bin/tsukube` runs from. */
export async function createMachine(label: string, root: string = checkout): Promise<Machine> {
  const dir = await mkdtemp(join(tmpdir(), 'tsk-machine-'));
  const namespace = await createNamespace(label);
  const dataDir = join(dir, 'data');
  const kubeconfig = join(dir, 'kubeconfig');
  const env = {
    ...process.env,
    HOME: dir,
    KUBECONFIG: kubeconfig,
    PATH: `${root}/bin:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
  };
  // Not `ip netns exec`: that mounts another /sys, without cgroups.
  const enter = ['nsenter', `--net=/var/run/netns/${namespace.name}`];

  const run: Machine['run'] = (command, { input = '', seconds = 60, user } = {}) =>
    new Promise(done => {
      const as = user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
      const [file = '', ...args] = [...enter, ...as, 'sh', '-c', command];
      const options = { env, cwd: root, timeout: seconds * 1000, maxBuffer: 64 << 20 };
      const child = execFile(file, args, options, (error, out, err) =>
        done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, out, err }),
      );
      // A command that does not read must not fail for that.
      child.stdin?.on('error', () => {}).end(input);
    });
  const machine: Machine = {
    dir,
    dataDir,
    kubeconfig,
    namespace,
    run,
    async ok(command, seconds = 60) {
      const { code, out, err } = await run(command, { seconds });
      if (code !== 0) throw new Error(`${command} ended with ${code}:\n${out}${err}`);
      return out;
    },
    async until(command, matches, seconds) {
      const deadline = performance.now() + seconds * 1000;
      for (;;) {
        const { code, out, err } = await run(command);
        if (code === 0 && matches.test(out)) return out;
        if (performance.now() > deadline) throw new Error(`${command} did not give ${matches}:\n${out}${err}`);
      }
    },
    background(file, ...args) {
      const [program = '', ...rest] = [...enter, file, ...args];
      const child = spawn(program, rest, { env, cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
      let printed = '';
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
      });
      const ended = new Promise<void>((done, fail) => {
        child.once('error', fail);
        child.once('close', () => done());
      });
      return {
        async stop() {
          child.stdin.end();
          await ended;
          return printed;
        },
      };
    },
    leftovers: (of = dataDir) => leftovers(namespace, of),
    async destroy() {
      for (const name of readdirSync(dir)) {
        const candidate = join(dir, name);
        if (existsSync(join(candidate, 'cluster.json'))) {
          await run(`tsukube reset --data-dir ${candidate}`, { seconds: 90 });
          endProcesses(candidate);
          unmountBelow(candidate);
          unmountBelow(`/run/tsukube-${clusterId(candidate)}`);
          await rm(`/run/tsukube-${clusterId(candidate)}`, { recursive: true, force: true });
        }
      }
      await namespace.remove();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return machine;
}

/** A clone of what is committed in this checkout, with its installed packages. */
export async function cloneCheckout(into: string): Promise<void> {
  const env = {
    ...process.env,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
  };
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', checkout, into], { env });
  if (!existsSync(join(checkout, 'node_modules'))) return;
  const [from, to] = [join(checkout, 'node_modules'), join(into, 'node_modules')];
  try {
    execFileSync('cp', ['-al', from, to], { stdio: 'ignore' });
  } catch {
    // Another file system.
    await rm(to, { recursive: true, force: true });
    execFileSync('cp', ['-a', from, to]);
  }
  // Set-up compares times with the lock file that was just checked out.
  const record = join(to, '.package-lock.json');
  await rm(record);
  await cp(join(from, '.package-lock.json'), record);
}

async function leftovers(namespace: Namespace, dataDir: string): Promise<string[]> {
  const id = clusterId(dataDir);
  const [links, tables] = [await namespace.run('ip', '-o', 'link'), await namespace.run('nft', 'list', 'tables')];
  const ours = (text: string) => text.split('\n').filter(line => line.includes(id) || /\bveth/.test(line));
  return [
    ...ours(links).map(line => `device: ${line}`),
    ...ours(tables).map(line => `table: ${line}`),
    ...mountsBelow(dataDir, `/run/tsukube-${id}`).map(path => `mount: ${path}`),
    ...cgroups(id).map(path => `cgroup: ${path}`),
    ...processesOf(dataDir).map(pid => `process: ${pid} ${commandLine(pid)}`),
    ...(existsSync(`/run/tsukube-${id}`) ? [`directory: /run/tsukube-${id}`] : []),
    ...(existsSync(dataDir) ? readdirSync(dataDir).map(name => `file: ${join(dataDir, name)}`) : []),
  ];
}

function mountsBelow(...folders: string[]): string[] {
  const paths = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return paths.map(line => line.split(' ')[1] ?? '').filter(path => folders.some(f => path.startsWith(`${f}/`)));
}

function unmountBelow(folder: string): void {
  for (const path of mountsBelow(folder).reverse()) execFileSync('umount', ['-l', path]);
}

function cgroups(id: string): string[] {
  const root = '/sys/fs/cgroup';
  const tops = [root, ...readdirSync(root, { withFileTypes: true }).map(e => join(root, e.name))];
  return tops.map(top => join(top, `kubepods-tsukube-${id}`)).filter(path => existsSync(path));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function processesOf(dataDir: string): number[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  const marks = [`${dataDir}/`, `${dataDir} `, `/run/tsukube-${clusterId(dataDir)}/`];
  return pids.map(Number).filter(pid => {
    const line = `${commandLine(pid)} `;
    return pid !== process.pid && marks.some(mark => line.includes(mark));
  });
}

function endProcesses(dataDir: string): void {
  for (const pid of processesOf(dataDir)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
  }
}
