import { hostname } from 'node:os';
import { hostAddresses } from '../../kubelet/host/machine.ts';
import { clusterPaths } from '../cluster.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { type ClusterRanges, checkRanges, dnsAddressIn, familyOf, urlHost } from '../ranges.ts';
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
    'bind-address': { type: 'list', help: 'addresses to listen on (default: all of the cluster’s families)' },
    'advertise-address': {
      type: 'string',
      help: 'address by which nodes and pods reach this server (default: the first of this machine)',
    },
    'tls-san': { type: 'list', help: 'more names and addresses for the serving certificate' },
    'cluster-cidr': { type: 'list', default: ['10.42.0.0/16'], help: 'ranges of pod addresses, one per family' },
    'service-cluster-ip-range': {
      type: 'list',
      default: ['10.43.0.0/16'],
      help: 'ranges of service addresses, one per family',
    },
    'cluster-dns': {
      type: 'string',
      help: 'address of the cluster’s DNS, in the first range of services (default: its tenth)',
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
    const ranges = rangesOf(flags);
    const primary = familyOf(ranges.serviceCidrs[0] ?? '');
    const advertiseAddress = flags['advertise-address'] ?? hostAddresses().find(own => familyOf(own) === primary);
    if (advertiseAddress === undefined)
      throw new UsageError('this machine has no address that others reach; give one with --advertise-address');
    const bindAddresses = flags['bind-address'];
    const every = ranges.serviceCidrs.some(cidr => familyOf(cidr) === 6) ? '::' : '0.0.0.0';
    const url = `https://${urlHost(advertiseAddress)}:${flags['secure-port']}`;
    if (flags.token !== undefined && !/^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(flags.token))
      throw new UsageError('--token must look like "abcdef.0123456789abcdef"');
    const passOn = (['etcd-cafile', 'etcd-certfile', 'etcd-keyfile'] as const).flatMap(name =>
      flags[name] === undefined ? [] : [`--${name}=${flags[name]}`],
    );
    const running = await runServer({
      environment,
      dataDir: flags['data-dir'],
      pkiDirectory: flags['cert-dir'] ?? clusterPaths(flags['data-dir']).pki,
      ranges,
      port: flags['secure-port'],
      bindAddresses: bindAddresses.length > 0 ? bindAddresses : [every],
      advertiseAddress,
      names: [hostname().toLowerCase(), ...flags['tls-san']],
      apiserverFlags: [
        ...(flags['etcd-servers'].length > 0 ? [`--etcd-servers=${flags['etcd-servers'].join(',')}`] : []),
        ...passOn,
      ],
      ...(flags.token !== undefined && { bootstrapToken: flags.token }),
    });
    console.log(`API server ready at ${url}; kubeconfig ${running.kubeconfig}`);
    console.log(`Join a node:  tsukube agent --server ${url} --token ${running.joinToken}`);
    process.send?.({ type: 'ready' });
    await stopSignal();
    await running.stop();
  },
});

function rangesOf(flags: {
  readonly 'cluster-cidr': readonly string[];
  readonly 'service-cluster-ip-range': readonly string[];
  readonly 'cluster-dns': string | undefined;
}): ClusterRanges {
  const serviceCidrs = flags['service-cluster-ip-range'];
  const dnsAddress = flags['cluster-dns'] ?? dnsAddressIn(serviceCidrs);
  const ranges = { podCidrs: flags['cluster-cidr'], serviceCidrs, dnsAddress };
  checkRanges(ranges);
  return ranges;
}
