/** What this machine is, read from /proc, /sys and /etc. */
import { readdir, readFile, statfs } from 'node:fs/promises';
import { cpus, hostname, networkInterfaces, release } from 'node:os';
import type { Machine } from '../node/machine.ts';

const goArchitecture: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };
const text = (path: string): Promise<string> =>
  readFile(path, 'utf8')
    .then(t => t.trim())
    .catch(() => '');

function memoryField(meminfo: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
}

/** Addresses that others can reach: not loopback, not link-local, IPv4 first. */
export function hostAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap(list => list ?? []);
  const usable = all.filter(a => !a.internal && !/^(169\.254\.|fe80:)/i.test(a.address));
  const first = (family: string) => usable.find(a => a.family === family)?.address;
  return [first('IPv4'), first('IPv6')].filter(a => a !== undefined);
}

/** `storagePath`: where pods and images live. */
export async function detectMachine(
  storagePath: string,
  addresses: readonly string[] = hostAddresses(),
): Promise<Machine> {
  const meminfo = await text('/proc/meminfo');
  const storage = await statfs(storagePath);
  const osRelease = await text('/etc/os-release');
  const machineId = await text('/etc/machine-id');
  return {
    hostname: hostname().toLowerCase(),
    addresses: addresses.length > 0 ? addresses : ['127.0.0.1'],
    cpus: cpus().length,
    memoryBytes: memoryField(meminfo, 'MemTotal'),
    storageBytes: storage.blocks * storage.bsize,
    architecture: goArchitecture[process.arch] ?? process.arch,
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
    machineId,
    systemUuid: (await text('/sys/class/dmi/id/product_uuid')) || machineId,
    bootId: await text('/proc/sys/kernel/random/boot_id'),
    swapBytes: memoryField(meminfo, 'SwapTotal'),
    hugePages: await hugePages(),
  };
}

/** Pages that are set aside, by size. */
async function hugePages(): Promise<Record<string, string>> {
  const root = '/sys/kernel/mm/hugepages';
  const found: Record<string, string> = {};
  for (const name of await readdir(root).catch(() => [])) {
    const kibibytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
    const mebibytes = kibibytes / 1024;
    const size = mebibytes >= 1024 ? `${mebibytes / 1024}Gi` : `${mebibytes}Mi`;
    const count = Number(await text(`${root}/${name}/nr_hugepages`));
    found[`hugepages-${size}`] = count === 0 ? '0' : `${count * mebibytes}Mi`;
  }
  return found;
}

/** What is left of the machine, for eviction and stats. Bytes. */
export interface MachineUsage {
  memoryAvailable: number;
  memoryTotal: number;
  storageAvailable: number;
  storageTotal: number;
  inodesFree: number;
  inodesTotal: number;
  processes: number;
  maxProcesses: number;
  cpuNanos: number;
  swapFree: number;
  swapTotal: number;
  bootedAtMs: number;
  /** The interface of the default route. */
  network: Interface | undefined;
  interfaces: readonly Interface[];
}
export interface Interface {
  name: string;
  rxBytes: number;
  rxErrors: number;
  txBytes: number;
  txErrors: number;
}

/** Without those that lead to pods. */
function interfacesIn(netDev: string): Interface[] {
  return netDev.split('\n').flatMap(line => {
    const [, name = '', counts = ''] = /^\s*(\S+):\s*(.*)$/.exec(line) ?? [];
    if (!name || name === 'lo' || name.startsWith('veth')) return [];
    const [rxBytes = 0, , rxErrors = 0, , , , , , txBytes = 0, , txErrors = 0] = counts.split(/\s+/).map(Number);
    return [{ name, rxBytes, rxErrors, txBytes, txErrors }];
  });
}

/** Nanoseconds per tick of /proc/stat (USER_HZ is 100 everywhere that counts). */
const tickNanos = 10_000_000;

export async function machineUsage(storagePath: string): Promise<MachineUsage> {
  const meminfo = await text('/proc/meminfo');
  const storage = await statfs(storagePath);
  const load = await text('/proc/loadavg');
  const stat = await text('/proc/stat');
  const interfaces = interfacesIn(await text('/proc/net/dev'));
  const defaultRoute = /^(\S+)\t00000000\t/m.exec(await text('/proc/net/route'))?.[1];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = (stat.split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return {
    memoryAvailable: memoryField(meminfo, 'MemAvailable'),
    memoryTotal: memoryField(meminfo, 'MemTotal'),
    storageAvailable: storage.bavail * storage.bsize,
    storageTotal: storage.blocks * storage.bsize,
    inodesFree: storage.ffree,
    inodesTotal: storage.files,
    processes: Number(load.split(' ')[3]?.split('/')[1] ?? 0),
    maxProcesses: Number(await text('/proc/sys/kernel/pid_max')) || 32_768,
    cpuNanos: (user + nice + system + irq + softIrq) * tickNanos,
    swapFree: memoryField(meminfo, 'SwapFree'),
    swapTotal: memoryField(meminfo, 'SwapTotal'),
    bootedAtMs: Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0) * 1000,
    network: interfaces.find(i => i.name === defaultRoute),
    interfaces,
  };
}
