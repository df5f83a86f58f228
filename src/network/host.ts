/** What the node's own network needs besides pods: forwarding, masquerading of pods that leave the cluster, and a device that holds the cluster's service addresses. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { messageOf } from '../base/errors.ts';

/** Runs a program; rejects with its standard error. */
export function runProgram(file: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (input === undefined) {
      execFile(file, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
        error ? reject(new Error(`${file} ${args.join(' ')}: ${stderr.trim() || error.message}`)) : resolve(stdout),
      );
      return;
    }
    const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(0, 2000);
    });
    child.once('error', reject);
    child.once('close', code => (code === 0 ? resolve('') : reject(new Error(`${file}: ${complaint.trim()}`))));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

export interface HostNetworkOptions {
  /** nftables table, one per cluster on a machine. */
  readonly table: string;
  /** Pod ranges of the whole cluster. */
  readonly podCidrs: readonly string[];
  /** Service ranges: routed to the device, so that a machine without a default route reaches them too. */
  readonly serviceCidrs: readonly string[];
  /** A device that holds `localAddresses`: a bridge without ports, which every kernel has (dummy devices are a module that may be missing). At most 15 characters. */
  readonly device: string;
  /** The pods' bridge, which the CNI plugin would make otherwise: host ports answer on loopback, too, so it may carry what comes from there. */
  readonly bridge: string;
  /** Addresses served on this node itself (the cluster's DNS). */
  readonly localAddresses: readonly string[];
}

const familyOf = (text: string) => (text.includes(':') ? 'ip6' : 'ip');

/** The nftables script that masquerades what pods send out of the cluster. Pure. */
export function masqueradeScript(options: Pick<HostNetworkOptions, 'table' | 'podCidrs'>): string {
  return (['ip', 'ip6'] as const)
    .map(family => {
      const own = options.podCidrs.filter(cidr => familyOf(cidr) === family);
      const table = `${family} ${options.table}`;
      const rules =
        own.length === 0
          ? ''
          : `\n    ${family} saddr { ${own.join(', ')} } ${family} daddr != { ${own.join(', ')} } fib daddr type != { local, multicast } masquerade`;
      return `add table ${table}\ndelete table ${table}\ntable ${table} {\n  chain postrouting {\n    type nat hook postrouting priority 100${rules}\n  }\n}`;
    })
    .join('\n');
}

function sysctl(name: string, value: string): void {
  writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, value);
}

function sysctlIfThere(name: string, value: string): void {
  if (existsSync(`/proc/sys/${name.replaceAll('.', '/')}`)) sysctl(name, value);
}

/** A router ignores other routers' advertisements, unless told otherwise: a machine that got its own default route from them would lose it. */
function forwardV6(): void {
  const directory = '/proc/sys/net/ipv6/conf';
  if (!existsSync(directory)) throw new Error('this machine has no IPv6, which the cluster’s ranges ask for');
  if (readFileSync(`${directory}/all/forwarding`, 'utf8').trim() === '1') return;
  // Devices made later, those of pods above all, are not to be believed.
  for (const device of readdirSync(directory).filter(name => name !== 'all' && name !== 'default')) {
    const path = `${directory}/${device}/accept_ra`;
    if (readFileSync(path, 'utf8').trim() === '1') writeFileSync(path, '2');
  }
  sysctl('net.ipv6.conf.all.forwarding', '1');
}

/** Without masquerading, where there is no packet filter, pods reach only what has a way back to them. */
export type HostNetwork = { readonly masquerades: true } | { readonly masquerades: false; readonly reason: string };

/** Idempotent. */
export async function ensureHostNetwork(options: HostNetworkOptions): Promise<HostNetwork> {
  const cidrs = [...options.podCidrs, ...options.serviceCidrs];
  if (cidrs.some(cidr => familyOf(cidr) === 'ip')) sysctl('net.ipv4.ip_forward', '1');
  if (cidrs.some(cidr => familyOf(cidr) === 'ip6')) forwardV6();
  // Packets between pods of one bridge must pass the packet filter too: services and policies are there. Kernels without the module have no file.
  for (const name of ['iptables', 'ip6tables']) sysctlIfThere(`net.bridge.bridge-nf-call-${name}`, '1');
  await runProgram('ip', ['link', 'add', options.device, 'type', 'bridge']).catch(ignoreExists);
  await runProgram('ip', ['link', 'set', options.device, 'up']);
  await runProgram('ip', ['link', 'add', options.bridge, 'type', 'bridge']).catch(ignoreExists);
  sysctl(`net.ipv4.conf.${options.bridge}.route_localnet`, '1');
  for (const address of options.localAddresses) {
    // A device without a carrier never ends the search for duplicates, and its IPv6 addresses could not be used.
    const [bits, ...flags] = familyOf(address) === 'ip6' ? ['128', 'nodad'] : ['32'];
    await runProgram('ip', ['address', 'replace', `${address}/${bits}`, 'dev', options.device, ...flags]);
  }
  for (const cidr of options.serviceCidrs) {
    await runProgram('ip', [
      ...(familyOf(cidr) === 'ip6' ? ['-6'] : []),
      'route',
      'replace',
      cidr,
      'dev',
      options.device,
    ]);
  }
  return runProgram('nft', ['-f', '-'], masqueradeScript(options)).then(
    () => ({ masquerades: true }),
    error => ({ masquerades: false, reason: messageOf(error) }),
  );
}

/** Idempotent: what is not there is fine. */
export async function removeHostNetwork(options: {
  readonly tables: readonly string[];
  readonly devices: readonly string[];
}): Promise<void> {
  for (const device of options.devices) await runProgram('ip', ['link', 'delete', device]).catch(() => {});
  const each = options.tables.flatMap(table =>
    ['ip', 'ip6'].map(family => `add table ${family} ${table}\ndelete table ${family} ${table}`),
  );
  await runProgram('nft', ['-f', '-'], each.join('\n')).catch(() => {});
}

function ignoreExists(error: unknown): string {
  if (error instanceof Error && error.message.includes('File exists')) return '';
  throw error;
}
