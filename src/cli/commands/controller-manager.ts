import { command } from '../command.ts';
import { managerClientsFor } from '../run/connect.ts';
import { hostEnvironment, startWithParent, stopSignal } from '../run/environment.ts';
import { managerFor } from '../run/manager.ts';
import { reportReady } from '../supervisor.ts';

export const controllerManager = command({
  flags: {
    kubeconfig: { type: 'string', help: 'how to reach the API server' },
    controllers: {
      type: 'list',
      default: ['*'],
      help: 'controllers to run: "*" for all that are on by default, "name" for one, "-name" for not one',
    },
    'cluster-cidr': { type: 'list', help: 'pod range of the cluster, one per family; nodes get shares of it' },
    'node-cidr-mask-size-ipv4': { type: 'number', default: 24, help: 'prefix length of a node’s IPv4 share' },
    'node-cidr-mask-size-ipv6': { type: 'number', default: 64, help: 'prefix length of a node’s IPv6 share' },
    'node-monitor-grace-period': {
      type: 'number',
      default: 50,
      help: 'seconds without a heartbeat until a node counts as unreachable',
    },
    'cert-dir': { type: 'string', help: 'folder with ca.crt and ca.key, for signing certificate requests' },
    'use-service-account-credentials': {
      type: 'boolean',
      default: true,
      help: 'let each controller act as its service account in kube-system instead of as the manager',
    },
    'leader-elect': { type: 'boolean', default: true, help: 'work only while holding the lease' },
  },
  async run(flags) {
    startWithParent();
    const environment = hostEnvironment('controller-manager');
    const { close, client, clientFor } = managerClientsFor(flags.kubeconfig, environment);
    const manager = managerFor({
      environment,
      client,
      ...(flags['use-service-account-credentials'] && { clientFor }),
      enabled: flags.controllers,
      clusterCidrs: flags['cluster-cidr'],
      nodeCidrMaskSizeIpv4: flags['node-cidr-mask-size-ipv4'],
      nodeCidrMaskSizeIpv6: flags['node-cidr-mask-size-ipv6'],
      nodeMonitorGracePeriodMs: flags['node-monitor-grace-period'] * 1000,
      leaderElect: flags['leader-elect'],
      ...(flags['cert-dir'] !== undefined && { pkiDirectory: flags['cert-dir'] }),
    });
    await manager.start();
    environment.log.info('The controller manager is ready');
    reportReady();
    await stopSignal({ withParent: true });
    await manager.stop();
    await close();
  },
});
