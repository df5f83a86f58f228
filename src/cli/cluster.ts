/** A cluster's place on this machine: its directory, ports and address ranges, chosen once and kept in `cluster.json`. */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { type ClusterRanges, dnsAddressIn, type Family } from './ranges.ts';

export interface ClusterConfig extends ClusterRanges {
  /** The kubeconfig context. */
  readonly name: string;
  /** Tells this cluster's devices, tables, sockets and cgroups from those of others on the machine: six characters. */
  readonly id: string;
  /** HTTPS port of the API server. */
  readonly port: number;
  /** HTTPS port of the node's kubelet. */
  readonly kubeletPort: number;
  /** Addresses of this machine that only this machine routes, one per family: beside them are those of load balancers. */
  readonly hostAddresses: readonly string[];
  /** The node's own addresses, and the API server's for pods: those of `hostAddresses` unless told otherwise. */
  readonly nodeAddresses: readonly string[];
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
    simulatedKubeconfig: join(dataDir, 'run', 'simulated-nodes.kubeconfig'),
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
 * A range of each family, and what goes with it. The IPv4 ranges are the first that no interface address or route of this machine touches, so
 * that two clusters do not collide; the IPv6 ones are unique local addresses made from the cluster's id. `used` are addresses and CIDRs.
 */
export function chooseRanges(
  id: string,
  used: readonly string[],
  families: readonly Family[],
): Pick<ClusterConfig, 'podCidrs' | 'serviceCidrs' | 'dnsAddress' | 'hostAddresses'> {
  const taken = new Set(used.filter(u => u.startsWith('10.')).map(u => Number(u.split('.')[1])));
  const octet = candidates.find(n => [n, n + 1, n + 2].every(o => !taken.has(o))) ?? 42;
  const unique = (part: number) => `fd54:${id.slice(0, 4)}:${id.slice(4, 6)}0${part}::`;
  const of = (v4: string, v6: string) => families.map(family => (family === 4 ? v4 : v6));
  const serviceCidrs = of(`10.${octet + 1}.0.0/16`, `${unique(2)}/112`);
  return {
    podCidrs: of(`10.${octet}.0.0/16`, `${unique(1)}/48`),
    serviceCidrs,
    dnsAddress: dnsAddressIn(serviceCidrs),
    hostAddresses: of(`10.${octet + 2}.0.1`, `${unique(3)}1`),
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
