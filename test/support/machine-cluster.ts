/** A cluster on machines that are network namespaces: a server on the first, an agent with real containers on each other one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  /** A file for kubectl, by its path. */
  file(name: string, text: string): string;
  /** Fails with what the cluster says of itself. */
  explain(error: unknown): Promise<never>;
  /** Also after a start that failed half way. */
  stop(): Promise<void>;
}

export interface MachineClusterOptions {
  readonly agents: number;
  /** Families of the machines' addresses, the primary one first; default IPv4. */
  readonly families?: readonly (4 | 6)[];
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
  const kubectl = (...args: string[]) =>
    machine(0).run('kubectl', '--kubeconfig', join(dir('server'), 'admin.kubeconfig'), ...args);
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
  async function startAgent(i: number, server: string, token: string): Promise<void> {
    const own = families.map(family => machineAddress(i, family)).join(',');
    const join = [`--server=${server}`, `--token=${token}`, `--node-name=node${i}`, `--node-ip=${own}`];
    const data = `--data-dir=${dir(`node${i}`)}`;
    parts.push(await startPart(machine(i), [tsukube, 'agent', ...join, data], /The node has joined/));
    await machine(i).run('sh', tsukube, 'image', 'import', dir('busybox.tar'), data);
  }
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
    file,
    stop,
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
