import { hostname } from 'node:os';
import { hostAddresses } from '../../kubelet/host/machine.ts';
import { clusterPaths } from '../cluster.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { hostEnvironment, stopSignal } from '../run/environment.ts';
import { runServer } from '../run/server.ts';
import { dataDirFlag } from './shared.ts';

export const server = command({
  flags: {
    'data-dir': dataDirFlag,
    'cert-dir': {
      type: 'string',
      help: 'directory of certificates and keys; servers of one cluster share its contents (default: in the data directory)',
    },
    'secure-port': { type: 'number', default: 6443, help: 'HTTPS port' },
    'bind-address': { type: 'list', default: ['0.0.0.0'], help: 'addresses to listen on' },
    'advertise-address': {
      type: 'string',
      help: 'address by which nodes and pods reach this server (default: the first of this machine)',
    },
    'tls-san': { type: 'list', help: 'more names and addresses for the serving certificate' },
    'cluster-cidr': { type: 'string', default: '10.42.0.0/16', help: 'range of pod addresses' },
    'service-cluster-ip-range': { type: 'string', default: '10.43.0.0/16', help: 'range of service addresses' },
    'cluster-dns': {
      type: 'string',
      default: '10.43.0.10',
      help: 'address of the cluster’s DNS, in the range of services',
    },
    token: {
      type: 'string',
      help: 'bootstrap token "abcdef.0123456789abcdef"; servers of one cluster share it (default: made and kept)',
    },
    'etcd-servers': { type: 'list', help: 'etcd endpoints, for several servers; default is the embedded store' },
    'etcd-cafile': { type: 'string', help: 'authority of the etcd servers' },
    'etcd-certfile': { type: 'string', help: 'client certificate for etcd' },
    'etcd-keyfile': { type: 'string', help: 'key of the client certificate for etcd' },
  },
  async run(flags) {
    const environment = hostEnvironment('server');
    const advertiseAddress = flags['advertise-address'] ?? hostAddresses()[0];
    if (advertiseAddress === undefined)
      throw new UsageError('this machine has no address that others reach; give one with --advertise-address');
    if (flags.token !== undefined && !/^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(flags.token))
      throw new UsageError('--token must look like "abcdef.0123456789abcdef"');
    const passOn = (['etcd-cafile', 'etcd-certfile', 'etcd-keyfile'] as const).flatMap(name =>
      flags[name] === undefined ? [] : [`--${name}=${flags[name]}`],
    );
    const running = await runServer({
      environment,
      dataDir: flags['data-dir'],
      pkiDirectory: flags['cert-dir'] ?? clusterPaths(flags['data-dir']).pki,
      facts: {
        podCidr: flags['cluster-cidr'],
        serviceCidr: flags['service-cluster-ip-range'],
        dnsAddress: flags['cluster-dns'],
      },
      port: flags['secure-port'],
      bindAddresses: flags['bind-address'],
      advertiseAddress,
      names: [hostname().toLowerCase(), ...flags['tls-san']],
      apiserverFlags: [
        ...(flags['etcd-servers'].length > 0 ? [`--etcd-servers=${flags['etcd-servers'].join(',')}`] : []),
        ...passOn,
      ],
      ...(flags.token !== undefined && { bootstrapToken: flags.token }),
    });
    console.log(
      `API server ready at https://${advertiseAddress}:${flags['secure-port']}; kubeconfig ${running.kubeconfig}`,
    );
    console.log(
      `Join a node:  tsukube agent --server https://${advertiseAddress}:${flags['secure-port']} --token ${running.joinToken}`,
    );
    process.send?.({ type: 'ready' });
    await stopSignal();
    await running.stop();
  },
});
