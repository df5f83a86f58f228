/** What the proxy's command and the node agent share: which addresses node ports have, and the proxy's own pages. */
import { sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import type { Environment } from '../../controller/contract.ts';
import type { ChosenBackend } from '../../proxy/choose.ts';
import type { Proxy as RunningProxy } from '../../proxy/index.ts';
import { healthPages, metricsPages } from '../../proxy/pages.ts';
import { UsageError } from '../flags.ts';
import { parseBindAddress, servePages } from './pages.ts';

/** As `--nodeport-addresses`: "primary" (also when nothing is said, as upstream's nftables mode) or ranges. Undefined: every address. */
export function nodePortAddresses(flag: readonly string[], primary: readonly string[]): readonly string[] | undefined {
  if (flag.length === 0 || flag.join() === 'primary') return primary.length > 0 ? primary : undefined;
  if (flag.includes('primary')) throw new UsageError('--nodeport-addresses: "primary" stands alone');
  return flag.some(range => range.endsWith('/0')) ? undefined : flag;
}

/** Health-check ports are opened where node ports answer; ranges stand for addresses that nobody has listed, so every one is taken then. */
export function healthAddresses(nodePorts: readonly string[] | undefined): { healthAddresses?: readonly string[] } {
  return nodePorts === undefined || nodePorts.some(range => range.includes('/')) ? {} : { healthAddresses: nodePorts };
}

export interface ProxyPagesOptions {
  readonly environment: Environment;
  readonly proxy: RunningProxy;
  readonly mode: ChosenBackend['mode'];
  readonly families: readonly ('ip' | 'ip6')[];
  /** Each "host:port"; upstream's port is 10256. */
  readonly healthAt: readonly string[];
  /** Upstream's is 127.0.0.1:10249. */
  readonly metricsAt: readonly string[];
}

/** Opens the servers that can be opened. */
export async function serveProxy(options: ProxyPagesOptions): Promise<{ close(): Promise<void> }> {
  const { clock, log, metrics } = options.environment;
  const health = healthPages(options.proxy.health, options.families, metrics, clock);
  const wanted = [
    ...options.healthAt.map(at => [parseBindAddress(at), health] as const),
    ...options.metricsAt.map(at => [parseBindAddress(at), metricsPages(metrics, options.mode)] as const),
  ];
  const servers = await Promise.all(wanted.map(([at, pages]) => at && servePages(pages, at, log)));
  return {
    async close() {
      await Promise.all(servers.map(server => server?.close()));
    },
  };
}

/** The ranges of the cluster's services and the node's own addresses, from the API: a proxy that starts first waits for the server. */
export async function proxyFacts(
  client: Client,
  nodeName: string,
  { clock, log }: Environment,
): Promise<{ readonly serviceCidrs: readonly string[]; readonly nodeAddresses: readonly string[] }> {
  for (let attempt = 0; ; attempt++) {
    try {
      const ranges = await client.resource('networking.k8s.io/v1/servicecidrs').list();
      const nodes = await client.nodes().list({ fieldSelector: `metadata.name=${nodeName}` });
      const addresses = nodes.items.flatMap(node => node.status?.addresses ?? []);
      return {
        serviceCidrs: ranges.items.flatMap(range => range.spec?.cidrs ?? []),
        nodeAddresses: addresses.filter(a => a.type === 'InternalIP').map(a => a.address),
      };
    } catch (error) {
      if (attempt % 10 === 0)
        log.warn('The API server does not say the cluster’s ranges yet', { error: messageOf(error) });
      await sleep(clock, 1000);
    }
  }
}
