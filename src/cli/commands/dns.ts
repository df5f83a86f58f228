import { createInformerFactory } from '../../client/index.ts';
import { startClusterDns } from '../../dns/index.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { clientFor } from '../run/connect.ts';
import { hostEnvironment, stopSignal } from '../run/environment.ts';
import { reportReady } from '../supervisor.ts';

export const dns = command({
  flags: {
    kubeconfig: { type: 'string', help: 'how to reach the API server' },
    'bind-address': { type: 'list', help: 'addresses to answer on' },
    port: { type: 'number', default: 53, help: 'UDP and TCP port' },
    'cluster-domain': { type: 'string', default: 'cluster.local', help: 'domain of the cluster' },
    upstream: { type: 'list', help: 'resolvers for other names (default: this machine’s)' },
  },
  async run(flags) {
    if (flags['bind-address'].length === 0) throw new UsageError('--bind-address is needed');
    const environment = hostEnvironment('dns');
    const client = clientFor(flags.kubeconfig, 'tsukube-dns', environment);
    const stopping = new AbortController();
    const informers = createInformerFactory(client, environment);
    informers.start(stopping.signal);
    const running = await startClusterDns({
      ...environment,
      informers,
      addresses: flags['bind-address'],
      port: flags.port,
      clusterDomain: flags['cluster-domain'],
      ...(flags.upstream.length > 0 && { upstreams: flags.upstream }),
    });
    environment.log.info('DNS is ready');
    reportReady();
    await stopSignal({ withParent: true });
    await running.close();
    stopping.abort(new Error('DNS stops'));
    await client.transport.close();
  },
});
