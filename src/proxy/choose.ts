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

export interface ChooseOptions {
  /** nftables table, one per cluster on a machine. */
  readonly table: string;
  /** Pod ranges of the whole cluster. */
  readonly podCidrs: readonly string[];
  readonly families: readonly Family[];
  /** Service ranges, and the device to make them local addresses of when user space is to listen on them; the device's end takes them away. */
  readonly local?: { readonly device: string; readonly serviceCidrs: readonly string[] };
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
export async function chooseProxyBackend(options: ChooseOptions): Promise<ProxyBackend> {
  try {
    await (options.run ?? runNft)(probeScript(options.families, `${options.table}-probe`));
    return createServiceTable({ ...options, ...(options.local && { serviceCidrs: options.local.serviceCidrs }) });
  } catch (error) {
    options.log.warn('no packet filter on this host: services are forwarded in user space', {
      error: messageOf(error),
    });
    if (options.local) await makeLocal(options.local.device, options.local.serviceCidrs, options.log);
    return createUserspaceProxy({ ...options, sockets: nodeRelaySockets(options.clock) });
  }
}

async function makeLocal(device: string, cidrs: readonly string[], log: Logger): Promise<void> {
  for (const cidr of cidrs) {
    const family = cidr.includes(':') ? '-6' : '-4';
    await new Promise<void>(resolve =>
      execFile('ip', [family, 'route', 'replace', 'local', cidr, 'dev', device], error => {
        if (error) log.warn('service addresses cannot be made local', { cidr, error: messageOf(error) });
        resolve();
      }),
    );
  }
}
