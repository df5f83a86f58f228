/** Which backend this host can run: nftables where the kernel and the tool have it, user space otherwise. */
import { execFile } from 'node:child_process';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { ProxyBackend } from './index.ts';
import type { Family } from './nftables/rules.ts';
import { createServiceTable, type NftRunner, runNft } from './nftables/table.ts';
import { createUserspaceProxy } from './userspace/index.ts';
import { nodeRelaySockets } from './userspace/relay.ts';

export interface LocalRanges {
  readonly device: string;
  readonly serviceCidrs: readonly string[];
}

export interface ChosenBackend extends ProxyBackend {
  readonly mode: 'nftables' | 'userspace';
  /** The process ends: what only it can do ends with it, and what the kernel does stays. */
  release(): Promise<void>;
}

export interface ChooseOptions {
  /** nftables table, one per cluster on a machine. */
  readonly table: string;
  /** Pod ranges of the whole cluster. */
  readonly podCidrs: readonly string[];
  readonly families: readonly Family[];
  /** Service ranges, and the device to make them local addresses of when user space is to listen on them; the device's end takes them away. */
  readonly local?: LocalRanges;
  /** As in `TableOptions`. */
  readonly nodePortAddresses?: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly run?: NftRunner;
}

/** One transaction that makes what the service table needs and takes it away again. */
function probeScript(families: readonly Family[], table: string): string {
  return families
    .flatMap(family => [
      `add table ${family} ${table}`,
      `add chain ${family} ${table} probe { type nat hook prerouting priority -105; }`,
      `add map ${family} ${table} marks { type inet_proto . inet_service : mark; }`,
      `delete table ${family} ${table}`,
    ])
    .join('\n');
}

/** Never rejects: without a packet filter it says so in the log and forwards in user space. */
export async function chooseProxyBackend(options: ChooseOptions): Promise<ChosenBackend> {
  const { local } = options;
  try {
    await (options.run ?? runNft)(probeScript(options.families, `${options.table}-probe`));
    const table = createServiceTable({ ...options, ...(local && { serviceCidrs: local.serviceCidrs }) });
    return { ...table, mode: 'nftables', release: async () => {} };
  } catch (error) {
    options.log.warn('no packet filter on this host: services are forwarded in user space', {
      error: messageOf(error),
    });
    const proxy = createUserspaceProxy({ ...options, sockets: nodeRelaySockets(options.clock) });
    if (local) await makeLocal(local, options.log);
    return {
      ...proxy,
      mode: 'userspace',
      release: proxy.remove,
      async remove() {
        await proxy.remove();
        if (local) await makeForeign(local.device);
      },
    };
  }
}

/** Marks the routes that make ranges local, so that they are found again. */
const routeProtocol = '84';

/** Every address of the ranges becomes one of this machine's. */
async function makeLocal({ device, serviceCidrs }: LocalRanges, log: Logger): Promise<void> {
  for (const cidr of serviceCidrs) {
    const route = ['route', 'replace', 'local', cidr, 'dev', device, 'proto', routeProtocol];
    await runIp([cidr.includes(':') ? '-6' : '-4', ...route]).catch(error =>
      log.warn('service addresses cannot be made local', { cidr, error: messageOf(error) }),
    );
  }
}

async function makeForeign(device: string): Promise<void> {
  for (const family of ['-4', '-6'])
    await runIp([family, 'route', 'flush', 'table', 'local', 'dev', device, 'proto', routeProtocol]).catch(() => {});
}

const runIp = (args: readonly string[]) =>
  new Promise<void>((resolve, reject) => execFile('ip', args, error => (error ? reject(error) : resolve())));

/** Takes away what a proxy left on this machine, whichever backend it had. */
export async function removeProxyTraces(table: string, device: string): Promise<void> {
  const tables = ['ip', 'ip6'].map(family => `add table ${family} ${table}\ndelete table ${family} ${table}`);
  await runNft(tables.join('\n')).catch(() => {});
  await makeForeign(device);
}
