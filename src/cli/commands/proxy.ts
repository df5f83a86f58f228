import { hostname } from 'node:os';
import { createInformerFactory } from '../../client/index.ts';
import { chooseProxyBackend, removeProxyTraces } from '../../proxy/choose.ts';
import { startProxy } from '../../proxy/index.ts';
import { command } from '../command.ts';
import { tableFamilies } from '../ranges.ts';
import { clientFor } from '../run/connect.ts';
import { hostEnvironment, startWithParent, stopSignal } from '../run/environment.ts';
import { healthAddresses, nodePortAddresses, proxyFacts, serveProxy } from '../run/proxy.ts';
import { reportReady } from '../supervisor.ts';

/** Holds the addresses of services where they are forwarded in user space. */
const device = 'lo';

export const proxy = command({
  flags: {
    kubeconfig: { type: 'string', help: 'how to reach the API server' },
    'hostname-override': { type: 'string', default: hostname().toLowerCase(), help: 'name of this machine’s node' },
    'cluster-cidr': { type: 'list', help: 'pod ranges of the cluster: traffic from elsewhere is masqueraded' },
    'nodeport-addresses': {
      type: 'list',
      help: 'ranges of this machine’s addresses on which node ports answer (default "primary": the node’s addresses)',
    },
    'healthz-bind-address': { type: 'string', default: '0.0.0.0:10256', help: 'address of /healthz and /livez' },
    'metrics-bind-address': { type: 'string', default: '127.0.0.1:10249', help: 'address of /metrics and /proxyMode' },
    table: { type: 'string', default: 'tsukube-services', help: 'nftables table to keep' },
    cleanup: { type: 'boolean', help: 'remove the rules and end' },
  },
  async run(flags) {
    startWithParent();
    const environment = hostEnvironment('proxy');
    if (flags.cleanup) return removeProxyTraces(flags.table, device);
    const client = clientFor(flags.kubeconfig, 'kube-proxy', environment);
    const nodeName = flags['hostname-override'];
    const { serviceCidrs, nodeAddresses } = await proxyFacts(client, nodeName, environment);
    const families = tableFamilies(serviceCidrs);
    const nodePorts = nodePortAddresses(flags['nodeport-addresses'], nodeAddresses);
    const backend = await chooseProxyBackend({
      ...environment,
      table: flags.table,
      podCidrs: flags['cluster-cidr'],
      families,
      local: { device, serviceCidrs },
      ...(nodePorts && { nodePortAddresses: nodePorts }),
    });
    const stopping = new AbortController();
    const informers = createInformerFactory(client, environment);
    informers.start(stopping.signal);
    const pods = informers.informer('v1/pods', { fieldSelector: `spec.nodeName=${nodeName}` });
    const running = await startProxy({
      ...{ ...environment, informers, backend, nodeName, families, pods, clearConntrack: true },
      ...healthAddresses(nodePorts),
    });
    const pages = await serveProxy({
      ...{ environment, proxy: running, mode: backend.mode, families },
      healthAt: [flags['healthz-bind-address']],
      metricsAt: [flags['metrics-bind-address']],
    });
    environment.log.info('The proxy is ready', { mode: backend.mode });
    reportReady();
    await stopSignal({ withParent: true });
    await pages.close();
    await running.stop();
    await backend.release();
    stopping.abort(new Error('the proxy stops'));
    await client.transport.close();
  },
});
