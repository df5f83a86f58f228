/** A cluster on machines that are network namespaces: a server on the first, an agent with real containers on each other one. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxArchive } from './images.ts';
import { createMachines, machineAddress } from './machines.ts';
import type { Namespace } from './netns.ts';
import { type Part, startPart } from './processes.ts';

const tsukube = join(import.meta.dirname, '..', '..', 'bin', 'tsukube');

export interface MachineCluster {
  /** The server is 0, nodes are 1 and up, named "node1" and up. */
  machine(i: number): Namespace;
  kubectl(...args: string[]): Promise<string>;
  /** The administrator's. */
  readonly kubeconfig: string;
  /** A file for kubectl, by its path. */
  file(name: string, text: string): string;
  /** Fails with what the cluster says of itself. */
  explain(error: unknown): Promise<never>;
  /** What the server (0) or an agent said. */
  output(i: number): string;
  /** Also after a start that failed half way. */
  stop(): Promise<void>;
}

/** A folder of links to every program of PATH but some. */
function pathWithout(directory: string, names: readonly string[]): string {
  mkdirSync(directory);
  for (const each of (process.env['PATH'] ?? '').split(':').filter(existsSync))
    for (const name of readdirSync(each))
      if (!names.includes(name) && !existsSync(join(directory, name)))
        symlinkSync(join(each, name), join(directory, name));
  return directory;
}

/** Words for `sh` that run a script with another PATH. */
const inPath = (path: string | undefined, words: readonly string[]) =>
  path === undefined ? words : ['-c', 'PATH="$0" exec sh "$@"', path, ...words];

export interface MachineClusterOptions {
  readonly agents: number;
  /** Families of the machines' addresses, the primary one first; default IPv4. */
  readonly families?: readonly (4 | 6)[];
  /** Programs that the agents do not find. */
  readonly without?: readonly string[];
  /** Of `tsukube server`. */
  readonly serverFlags?: readonly string[];
}

/** The busybox image is on every node. */
export async function createMachineCluster(options: MachineClusterOptions): Promise<MachineCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'machines-'));
  const families = options.families ?? [4];
  const { machines, remove } = await createMachines(options.agents + 1);
  const parts: Part[] = [];
  const dir = (name: string) => join(directory, name);
  const machine = (i: number): Namespace => {
    const found = machines[i];
    assert.ok(found);
    return found;
  };
  const file = (name: string, text: string) => {
    writeFileSync(dir(name), text);
    return dir(name);
  };
  const kubeconfig = join(dir('server'), 'admin.kubeconfig');
  const kubectl = (...args: string[]) => machine(0).run('kubectl', '--kubeconfig', kubeconfig, ...args);
  const stop = async () => {
    for (const part of parts.reverse()) await part.stop();
    await remove();
    rmSync(directory, { recursive: true, force: true });
  };

  async function startServer(): Promise<Part> {
    const address = machineAddress(0, families[0] ?? 4);
    const flags = [`--data-dir=${dir('server')}`, `--advertise-address=${address}`, ...(options.serverFlags ?? [])];
    return startPart(machine(0), [tsukube, 'server', ...flags], /--server (\S+) --token (\S+)/);
  }
  /** A kubelet that has just joined shows a certificate of its own making until it has a signed one. */
  async function certified(path: string): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await kubectl('get', '--raw', path);
        return;
      } catch (error) {
        if (attempt === 100) throw error;
        await new Promise(resolve => setTimeout(resolve, 100));
      }
    }
  }
  async function startAgent(i: number, server: string, token: string): Promise<void> {
    const own = families.map(family => machineAddress(i, family)).join(',');
    const join = [`--server=${server}`, `--token=${token}`, `--node-name=node${i}`, `--node-ip=${own}`];
    const data = `--data-dir=${dir(`node${i}`)}`;
    const agent = await startPart(machine(i), inPath(path, [tsukube, 'agent', ...join, data]), /The node has joined/);
    parts.push(agent);
    await certified(`/api/v1/nodes/node${i}/proxy/healthz`);
    await machine(i).run('sh', tsukube, 'image', 'import', dir('busybox.tar'), data);
  }
  const path = options.without && pathWithout(dir('bin'), options.without);
  try {
    writeFileSync(dir('busybox.tar'), busyboxArchive());
    const server = await startServer();
    parts.push(server);
    for (let i = 1; i <= options.agents; i++) await startAgent(i, server.match[1] ?? '', server.match[2] ?? '');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    machine,
    kubectl,
    kubeconfig,
    file,
    stop,
    output: i => parts[i]?.output() ?? '',
    async explain(error) {
      const asked = [
        ['describe', 'pods'],
        ['get', 'csr,nodes,services,endpointslices', '-o', 'wide'],
        ['get', 'events', '-A'],
      ];
      const told = await Promise.all(asked.map(words => kubectl(...words).catch(String)));
      throw new Error([String(error), ...told, ...parts.map(part => part.output().slice(-4000))].join('\n----\n'));
    },
  };
}
