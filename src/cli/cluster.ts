/** A cluster's place on this machine: its directory, ports and address ranges, chosen once and kept in `cluster.json`. */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';

export interface ClusterConfig {
  /** The kubeconfig context. */
  readonly name: string;
  /** Tells this cluster's devices, tables, sockets and cgroups from those of others on the machine: six characters. */
  readonly id: string;
  /** HTTPS port of the API server. */
  readonly port: number;
  /** HTTPS port of the node's kubelet. */
  readonly kubeletPort: number;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly dnsAddress: string;
  /** An address of this machine that only this machine routes: the node's own, and the API server's for pods. */
  readonly hostAddress: string;
  readonly nodeName: string;
  /** Real containers, or so many simulated nodes. */
  readonly node:
    | { readonly kind: 'real' }
    | { readonly kind: 'simulated'; readonly count: number }
    | { readonly kind: 'none' };
}

/** An id made from the data directory: the same for the same cluster, also when its configuration is made anew. */
export function clusterId(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 6);
}

/** Files and folders under the data directory. */
export function clusterPaths(dataDir: string) {
  return {
    config: join(dataDir, 'cluster.json'),
    store: join(dataDir, 'store'),
    pki: join(dataDir, 'pki'),
    logs: join(dataDir, 'logs'),
    run: join(dataDir, 'run'),
    node: join(dataDir, 'node'),
    adminKubeconfig: join(dataDir, 'admin.kubeconfig'),
    pid: join(dataDir, 'run', 'supervisor.json'),
  };
}

export function readClusterConfig(dataDir: string): ClusterConfig | undefined {
  const path = clusterPaths(dataDir).config;
  if (!existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, 'utf8')) as ClusterConfig;
}

export function writeClusterConfig(dataDir: string, config: ClusterConfig): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeFileAtomic(clusterPaths(dataDir).config, `${JSON.stringify(config, null, 2)}\n`);
}

/** Replaces a file in one step; only its owner can read it. */
export function writeFileAtomic(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}

/** The second octets tried for pod ranges (10.x.0.0/16); the service range and the host's own are the next two. */
const candidates = [42, 52, 62, 72, 82, 92, 102, 112, 122, 132, 142, 152, 162, 172, 182, 192];

/**
 * The first ranges that no interface address or route of this machine touches, so that two clusters do not collide.
 * `used` are IPv4 addresses and CIDRs.
 */
export function chooseRanges(
  used: readonly string[],
): Pick<ClusterConfig, 'podCidr' | 'serviceCidr' | 'dnsAddress' | 'hostAddress'> {
  const taken = new Set(used.filter(u => u.startsWith('10.')).map(u => Number(u.split('.')[1])));
  const octet = candidates.find(n => [n, n + 1, n + 2].every(o => !taken.has(o))) ?? 42;
  return {
    podCidr: `10.${octet}.0.0/16`,
    serviceCidr: `10.${octet + 1}.0.0/16`,
    dnsAddress: `10.${octet + 1}.0.10`,
    hostAddress: `10.${octet + 2}.0.1`,
  };
}

/** Addresses and routed prefixes of this machine, in the current network namespace. */
export function usedAddresses(): string[] {
  const own = Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(a => a.address));
  return [...own, ...routedPrefixes()];
}

function routedPrefixes(): string[] {
  if (!existsSync('/proc/net/route')) return [];
  const lines = readFileSync('/proc/net/route', 'utf8').trim().split('\n').slice(1);
  return lines.map(line => {
    const hex = line.split('\t')[1] ?? '00000000';
    return [6, 4, 2, 0].map(i => Number.parseInt(hex.slice(i, i + 2), 16)).join('.');
  });
}
