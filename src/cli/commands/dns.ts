import { messageOf } from '../../base/errors.ts';
import { createInformerFactory } from '../../client/index.ts';
import { parseStubDomains } from '../../dns/config.ts';
import { startClusterDns } from '../../dns/index.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { clientFor } from '../run/connect.ts';
import { namespacesByAddress, serveDnsPages } from '../run/dns.ts';
import { hostEnvironment, startWithParent, stopSignal } from '../run/environment.ts';
import { reportReady } from '../supervisor.ts';

export const dns = command({
  flags: {
    kubeconfig: { type: 'string', help: 'how to reach the API server' },
    'bind-address': { type: 'list', help: 'addresses to answer on' },
    port: { type: 'number', default: 53, help: 'UDP and TCP port' },
    'cluster-domain': { type: 'string', default: 'cluster.local', help: 'domain of the cluster' },
    upstream: { type: 'list', help: 'resolvers for other names (default: this machine’s)' },
    'stub-domain': { type: 'list', help: 'resolver of one domain, "example.org=10.0.0.1"' },
    'config-map': {
      type: 'string',
      help: 'NAMESPACE/NAME of a config map with upstreamNameservers, stubDomains and hosts, followed while it runs',
    },
    autopath: {
      type: 'boolean',
      default: true,
      help: 'answer the first round of a pod’s search path; keeps the addresses of all pods',
    },
    'metrics-bind-address': {
      type: 'string',
      default: '0.0.0.0:9153',
      help: 'address of /metrics, /health and /ready; empty for none',
    },
  },
  async run(flags) {
    if (flags['bind-address'].length === 0) throw new UsageError('--bind-address is needed');
    const stubDomains = stubDomainsOf(flags['stub-domain']);
    startWithParent();
    const environment = hostEnvironment('dns');
    const client = clientFor(flags.kubeconfig, 'tsukube-dns', environment);
    const stopping = new AbortController();
    const informers = createInformerFactory(client, environment);
    const namespaceOf = flags.autopath ? namespacesByAddress(informers) : undefined;
    informers.start(stopping.signal);
    const running = await startClusterDns({
      ...{ ...environment, informers, stubDomains },
      addresses: flags['bind-address'],
      port: flags.port,
      clusterDomain: flags['cluster-domain'],
      ...(flags['config-map'] !== undefined && { configMap: flags['config-map'] }),
      ...(flags.upstream.length > 0 && { upstreams: flags.upstream }),
      ...(namespaceOf && { namespaceOf }),
    });
    const pages = await serveDnsPages(environment, flags['metrics-bind-address']);
    environment.log.info('DNS is ready');
    reportReady();
    await stopSignal({ withParent: true });
    await pages?.close();
    await running.close();
    stopping.abort(new Error('DNS stops'));
    await client.transport.close();
  },
});

function stubDomainsOf(flags: readonly string[]): ReadonlyMap<string, readonly string[]> {
  try {
    return parseStubDomains(flags);
  } catch (error) {
    throw new UsageError(`--stub-domain: ${messageOf(error)}`);
  }
}
