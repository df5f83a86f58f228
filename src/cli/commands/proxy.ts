import { hostname } from 'node:os';
import { createInformerFactory } from '../../client/index.ts';
import { chooseProxyBackend } from '../../proxy/choose.ts';
import { startProxy } from '../../proxy/index.ts';
import { command } from '../command.ts';
import { clientFor } from '../run/connect.ts';
import { hostEnvironment, stopSignal } from '../run/environment.ts';
import { reportReady } from '../supervisor.ts';

export const proxy = command({
  flags: {
    kubeconfig: { type: 'string', help: 'how to reach the API server' },
    'hostname-override': { type: 'string', default: hostname().toLowerCase(), help: 'name of this machine’s node' },
    'cluster-cidr': { type: 'list', help: 'pod ranges of the cluster: traffic from elsewhere is masqueraded' },
    table: { type: 'string', default: 'tsukube-services', help: 'nftables table to keep' },
    cleanup: { type: 'boolean', help: 'remove the rules and end' },
  },
  async run(flags) {
    const environment = hostEnvironment('proxy');
    const cidrs = flags['cluster-cidr'];
    const families = (['ip', 'ip6'] as const).filter(
      family => family === 'ip' || cidrs.some(cidr => cidr.includes(':')),
    );
    const backend = await chooseProxyBackend({ ...environment, table: flags.table, podCidrs: cidrs, families });
    if (flags.cleanup) return backend.remove();
    const client = clientFor(flags.kubeconfig, 'kube-proxy', environment);
    const stopping = new AbortController();
    const informers = createInformerFactory(client, environment);
    informers.start(stopping.signal);
    const name = flags['hostname-override'];
    const pods = informers.informer('v1/pods', { fieldSelector: `spec.nodeName=${name}` });
    const running = await startProxy({
      ...environment,
      informers,
      backend,
      node: { name },
      pods,
      clearConntrack: true,
    });
    environment.log.info('The proxy is ready');
    reportReady();
    await stopSignal({ withParent: true });
    await running.stop();
    stopping.abort(new Error('the proxy stops'));
    await client.transport.close();
  },
});
