/** Network namespaces that a test makes and removes: a "host" with a bridge, and "pods" on it. */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * `ip netns exec` would mount another /sys, without the cgroups that containers need: only the network is entered.
 */
export const enter = (namespace: string) => [`--net=/run/netns/${namespace}`, '--'];

/** Runs a program in a namespace; rejects with what it said. */
export async function inNamespace(namespace: string, ...command: string[]): Promise<string> {
  const { stdout } = await execute('nsenter', [...enter(namespace), ...command], { maxBuffer: 64 << 20 });
  return stdout;
}

export interface Namespace {
  readonly name: string;
  run(...command: string[]): Promise<string>;
  /** Feeds a script to nft. */
  nft(script: string): Promise<void>;
  /** A process that lives until the namespace is removed; resolves when it printed a line. */
  start(...command: string[]): Promise<string>;
  remove(): Promise<void>;
}

let sequence = 0;

export async function createNamespace(label: string): Promise<Namespace> {
  sequence += 1;
  const name = `tsk-${process.pid}-${sequence}-${label}`;
  await execute('ip', ['netns', 'add', name]);
  // Duplicate address detection would keep IPv6 silent for a second; a test that starts at once must not wait for it.
  await inNamespace(name, 'sysctl', '-qw', 'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0');
  await execute('ip', ['netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up']);
  const children: ReturnType<typeof spawn>[] = [];
  return {
    name,
    run: (...command) => inNamespace(name, ...command),
    nft: script =>
      new Promise((resolve, reject) => {
        const child = spawn('nsenter', [...enter(name), 'nft', '-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
        let complaint = '';
        child.stderr.on('data', (chunk: Buffer) => {
          complaint = (complaint + chunk.toString()).slice(0, 3000);
        });
        child.once('close', code => (code === 0 ? resolve() : reject(new Error(complaint))));
        child.stdin.end(script);
      }),
    start: (...command) =>
      new Promise((resolve, reject) => {
        const child = spawn('nsenter', [...enter(name), ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
        children.push(child);
        child.once('error', reject);
        child.once('exit', code => reject(new Error(`${command[0]} ended with ${code}`)));
        child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      }),
    async remove() {
      for (const child of children) {
        child.removeAllListeners('exit');
        child.kill('SIGKILL');
      }
      await execute('ip', ['netns', 'delete', name]).catch(() => {});
    },
  };
}

export interface PodNetwork {
  readonly host: Namespace;
  readonly pods: readonly Namespace[];
  /** A machine elsewhere, 192.0.2.2 and 2001:db8::2; the host is its router at 192.0.2.1 and 2001:db8::1. */
  readonly outside: Namespace;
  remove(): Promise<void>;
}

/** A namespace with a bridge at 10.88.0.1/24 and fd88::1/64, and pods at the addresses after it, each routed through the bridge. */
export async function createPodNetwork(count: number): Promise<PodNetwork> {
  const host = await createNamespace('host');
  const outside = await createNamespace('outside');
  const pods: Namespace[] = [];
  const remove = async () => {
    for (const pod of pods) await pod.remove();
    await outside.remove();
    await host.remove();
  };
  try {
    await host.run('ip', 'link', 'add', 'br0', 'type', 'bridge');
    await host.run('ip', 'address', 'add', '10.88.0.1/24', 'dev', 'br0');
    await host.run('ip', 'address', 'add', 'fd88::1/64', 'dev', 'br0', 'nodad');
    await host.run('ip', 'link', 'set', 'br0', 'up');
    await host.run('ip', 'route', 'add', 'default', 'dev', 'br0');
    await host.run('ip', '-6', 'route', 'add', 'default', 'dev', 'br0');
    await host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    await host.run('ip', 'link', 'add', 'ext', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside.name);
    await join(host, 'ext', ['192.0.2.1/24', '2001:db8::1/64']);
    await join(outside, 'eth0', ['192.0.2.2/24', '2001:db8::2/64'], ['192.0.2.1', '2001:db8::1']);
    for (let i = 0; i < count; i++) {
      const pod = await createNamespace(`pod${i}`);
      pods.push(pod);
      await host.run('ip', 'link', 'add', `veth${i}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod.name);
      await host.run('ip', 'link', 'set', `veth${i}`, 'master', 'br0', 'up');
      await host.run('bridge', 'link', 'set', 'dev', `veth${i}`, 'hairpin', 'on');
      await join(pod, 'eth0', [`10.88.0.${i + 2}/24`, `fd88::${i + 2}/64`], ['10.88.0.1', 'fd88::1']);
    }
    return { host, outside, pods, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Gives a device addresses and the namespace default routes. */
export async function join(
  namespace: Namespace,
  device: string,
  addresses: readonly string[],
  gateways: readonly string[] = [],
): Promise<void> {
  for (const address of addresses)
    await namespace.run('ip', 'address', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
  await namespace.run('ip', 'link', 'set', device, 'up');
  for (const gateway of gateways)
    await namespace.run('ip', ...(gateway.includes(':') ? ['-6'] : []), 'route', 'add', 'default', 'via', gateway);
}
